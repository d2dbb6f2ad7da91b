# Workers of the user's that the packages future and mirai have: one long future, or mirai, for each.

# How many futures may run, with one worker left free for other futures of the user's.
future_count <- function() {
  require_launcher("future")
  if (inherits(future::plan(), c("sequential", "uniprocess", "transparent", "multicore"))) refuse_plan()
  workers <- min(future::nbrOfWorkers(), 1000)
  as.integer(if (workers > 1) workers - 1 else workers)
}

refuse_plan <- function() {
  abort_argument(paste(
    "`workers` = \"future\" needs a plan whose futures run in other processes, which are no forks of this one,",
    "as plan(multisession, workers = 2) or plan(cluster) has; plan(sequential) and plan(multicore) have not."
  ), "workers")
}

require_launcher <- function(package, found = requireNamespace(package, quietly = TRUE)) {
  if (found) return(invisible())
  abort_setup(sprintf("`workers` = \"%s\" needs the package %s: install.packages(\"%s\").", package, package, package))
}

# One that the plan runs in this session, whatever it is called, returns at once.
lend_futures <- function(lent) {
  the$left <- collected(the$left, 0) # of calls that ended while their workers were busy
  for (k in seq_len(lent$at$count)) {
    free <- future::nbrOfFreeWorkers() > 0
    if (k > 1L && !free) break # it would wait for futures of the user's
    started <- start_future(portable_code()$lend_work, lent_arguments(lent), free)
    lent$started <- c(lent$started, list(started))
    if (started$is_over() && identical(tryCatch(started$collect(), error = identity), "here")) refuse_plan()
  }
}

start_future <- function(fn, args, free) {
  start <- function() {
    future::future(do.call(fn, args, quote = TRUE), globals = list(fn = fn, args = args), packages = NULL, seed = NULL,
                   stdout = FALSE, conditions = NULL)
  }
  started <- tryCatch(if (free) suspendInterrupts(start()) else start(), error = function(cnd) {
    fg_abort(paste("A future could not be started:", conditionMessage(cnd)), "fitgenerator_worker_error")
  })
  list(is_over = function() future::resolved(started), collect = function() future::value(started))
}

# -- mirai -----------------------------------------------------------------------------------------

mirai_count <- function(found = mirai_status()) {
  if (identical(as.character(found$daemons), "0")) {
    abort_argument("`workers` = \"mirai\" needs daemons: call mirai::daemons(4), for example, first.", "workers")
  }
  max(1L, as.integer(found$connections))
}

mirai_status <- function() {
  require_launcher("mirai")
  mirai::status()
}

lend_daemons <- function(lent) {
  for (k in seq_len(lent$at$count)) lent$started <- c(lent$started, list(start_mirai(lent_arguments(lent))))
}

start_mirai <- function(args) {
  started <- suspendInterrupts(
    mirai::mirai(do.call("fn", args, quote = TRUE), .args = list(fn = portable_code()$lend_work, args = args))
  )
  list(is_over = function() !mirai::unresolved(started), collect = function() started$data)
}

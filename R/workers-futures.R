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
  unbroken(the$left <- collected(the$left, 0)) # of calls that ended while their workers were busy
  for (k in seq_len(lent$at$count)) {
    if (k > 1L && future::nbrOfFreeWorkers() < 1) break # it would wait for futures of the user's
    started <- launched(new_future(portable_code()$lend_work, lent_arguments(lent)))
    lent$started <- c(lent$started, list(started)) # before it starts: an interrupt may end this call as soon as it has
    while (!launched(start_future(started))) Sys.sleep(slice) # nolint: undesirable_function_linter. All are busy.
    if (identical(unbroken(if (started$is_over()) tryCatch(started$collect(), error = identity)), "here")) refuse_plan()
  }
}

# What `code`, of future's, gives.
launched <- function(code) {
  tryCatch(code, error = function(cnd) {
    fg_abort(paste("A future could not be started:", conditionMessage(cnd)), "fitgenerator_worker_error")
  })
}

# A future that is not started yet. (By itself, a function that is a global would get another environment.)
new_future <- function(fn, args) {
  work <- list(fn = fn, args = args)
  made <- future::future(
    do.call(work$fn, work$args, quote = TRUE), globals = list(work = work), packages = NULL, seed = NULL,
    stdout = FALSE, conditions = NULL, lazy = TRUE
  )
  if (utils::packageVersion("future") < "1.40.0") made <- of_cluster(made)
  list(
    future = made, has_nodes = inherits(made$workers, "cluster") || has_whole_nodes(),
    is_over = function() !is_new(made) && waiting(future::resolved(made)),
    collect = function() future::value(made)
  )
}

is_new <- function(future) identical(future$state, "created")

# A future as a plan of the kinds "cluster" and "multisession" makes it, with nodes whose messages come whole. It keeps
# them: future may collect it later, in a call of the user's. As future itself does it, before version 1.40.
of_cluster <- function(future) {
  evaluator <- future::plan("next")
  if (!inherits(evaluator, c("cluster", "multisession"))) return(future)
  made <- tryCatch(evaluator(
    future$expr, substitute = FALSE, envir = future$envir, lazy = TRUE, stdout = FALSE, conditions = NULL,
    globals = future$globals, packages = future$packages, seed = NULL
  ), error = function(cnd) NULL)
  if (!inherits(made$workers, "cluster")) return(future)
  for (k in seq_along(made$workers)) made$workers[[k]] <- whole_node(made$workers[[k]])
  made
}

# From version 1.40 on, the plan has the nodes, for all futures: has their messages come whole, if there are nodes.
has_whole_nodes <- function() {
  if (utils::packageVersion("future") < "1.40.0") return(FALSE)
  backend <- tryCatch(future::plan("backend"), error = function(cnd) NULL)
  if (!is.environment(backend) || !inherits(backend$workers, "cluster")) return(FALSE)
  for (k in seq_along(backend$workers)) backend$workers[[k]] <- whole_node(backend$workers[[k]])
  the$plans <- c(the$plans, backend)
  TRUE
}

# Leaves the nodes of such plans as they were.
restore_nodes <- function() {
  for (backend in the$plans) {
    for (k in seq_along(backend$workers)) backend$workers[[k]] <- plain_node(backend$workers[[k]])
  }
  the$plans <- NULL
}

# Starts a future if a worker is free, or where others than clusters have none, waits for one. Whether it has started.
start_future <- function(started) {
  future <- started$future
  start <- function() {
    future::resolved(future)
    !is_new(future)
  }
  if (started$has_nodes) {
    unbroken(waiting(start()))
  } else if (future::nbrOfFreeWorkers() > 0) {
    suspendInterrupts(start())
  } else {
    start()
  }
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

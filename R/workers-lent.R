# Workers of the user's: the nodes of a cluster, futures, daemons of mirai. Their launcher brings them the functions,
# they dial in like those of ours, and they are never stopped or replaced.

# The argument `workers`: `NULL`, or a list of the `count`, what messages show (`shown`), and, for workers of the
# user's, the `launcher`, a function of `lent`, as `new_lent()` makes it, that has them dial in.
as_workers <- function(x) {
  if (is.null(x)) return(NULL)
  if (inherits(x, "cluster") && is.list(x) && length(x)) {
    return(list(count = length(x), shown = "a cluster", launcher = function(lent) lend_nodes(lent, x)))
  }
  if (identical(x, "future")) return(list(count = future_count(), shown = "\"future\"", launcher = lend_futures))
  if (identical(x, "mirai")) return(list(count = mirai_count(), shown = "\"mirai\"", launcher = lend_daemons))
  if (is_whole(x) && as_whole(x) >= 0L) return(list(count = as_whole(x), shown = format(as_whole(x))))
  abort_argument(sprintf(paste(
    "`workers` must be a whole number of at least 0, a cluster of the package parallel, \"future\", \"mirai\" or NULL,",
    "not %s."
  ), shown(x)), "workers")
}

# Where they dial in, as it crosses to Python.
lent_door <- function() list(host = option_host(), port = option_port(), patience = option_patience())

option_patience <- function() {
  patience <- getOption("fitgenerator.patience", 60)
  if (is.numeric(patience) && length(patience) == 1L && !is.na(patience) && patience > 0) return(min(patience, 1e6))
  text <- "The option `fitgenerator.patience` must be a number of seconds above 0, not %s."
  abort_argument(sprintf(text, shown(patience)))
}

# The workers that `launcher` is to have dial in, with what they need for `jobs`.
new_lent <- function(launcher, jobs, needs) {
  lent <- new.env(parent = emptyenv())
  lent$launcher <- launcher
  needs <- with_dispatch(needs)
  settings <- session_settings(needs)[c("kinds", "packages", "size", "version")]
  lent$settings <- c(settings, lent = TRUE)
  lent$job <- packed(c(list(functions = jobs), needs[c("globals", "s4")]))
  lent$started <- list() # what launchers will have to be asked for: lists of `is_over()` and `collect()`
  lent
}

# Has the workers dial in where `lending`, of Python, says; it is `NULL` where that failed.
lend <- function(lent, lending) {
  if (is.null(lending)) return(invisible())
  lent$ask <- function(name, ...) cross(reticulate::py_get_attr(lending, name), ...)
  lent$at <- lent$ask("address")
  lent$launcher(lent)
}

# The arguments of `lend_work()`, for one more worker.
lent_arguments <- function(lent, silently = FALSE) {
  at <- list(lent$at$host, lent$at$port, lent$ask("invite"))
  list(at, lent$settings, lent$job, silently, this_process())
}

# After the training has gone: collects what idle workers leave with their launcher. What busy ones will leave is
# collected later.
take_back <- function(lent) {
  unbroken({
    the$left <- collected(c(the$left, lent$started), 0.1)
    lent$started <- list()
    if (!length(the$left)) restore_nodes() # what is left may be collected by the user, and its messages come whole
  })
}

# Those of `started` that are not over within so many seconds; the others are collected. For `unbroken()` code.
collected <- function(started, seconds) {
  until <- Sys.time() + seconds
  repeat {
    over <- vapply(started, function(each) !isFALSE(try(each$is_over(), silent = TRUE)), NA)
    for (each in started[over]) try(each$collect(), silent = TRUE)
    started <- started[!over]
    if (!length(started) || Sys.time() > until) return(started)
    waiting(Sys.sleep(0.005)) # nolint: undesirable_function_linter. They need a moment.
  }
}

# -- nodes of a cluster ----------------------------------------------------------------------------

# A node may be dead, or busy with an earlier call. It is asked for a sign first, in a few bytes, and given the
# functions once it has given one: a node that does not read would hold up the session. A call of ours never returns a
# value, which would wait in the connection and be taken for that of the user's next call.
lend_nodes <- function(lent, cl) {
  silently <- !inherits(cl, "miraiCluster") # which keeps the values of calls apart
  cl <- unclass(cl)
  cl <- cl[vapply(cl, is_quiet, NA)]
  knock <- knock_once
  environment(knock) <- baseenv()
  tokens <- character()
  for (node in cl) {
    token <- lent$ask("knock")
    sent <- post(node, knock, list(lent$at$host, lent$at$port, token, silently))
    tokens <- c(tokens, if (sent) token else "")
  }
  answered <- which(tokens %in% answers(lent, sum(nzchar(tokens))))
  for (node in cl[utils::head(answered, lent$at$count)]) post_work(node, lent_arguments(lent, silently))
}

# Whether nothing waits in the connection of a node: neither its end nor the value of another call.
is_quiet <- function(node) {
  con <- if (is.list(node)) node$con
  if (is.null(con)) return(TRUE)
  tryCatch(!socketSelect(list(con), FALSE, 0), error = function(cnd) FALSE)
}

# Has a node call a function, and does not wait. No function that is exported does this. The bytes `more` follow.
post <- function(node, fn, args, more = NULL) {
  send <- utils::getFromNamespace("sendCall", "parallel")
  tryCatch({
    unbroken({ # half a message would make the node useless
      send(whole_node(node), fn, args)
      if (!is.null(more)) send_whole(node$con, more)
    })
    TRUE
  }, error = function(cnd) FALSE)
}

# Has a node work. From a terminal, Ctrl-C reaches nodes of this machine as well, and ends one that reads a message.
# So the message is short, and the node reads the work, which follows, by a function of ours. The work is a message of
# parallel's, too: where Ctrl-C comes between the two, the node has gone back to its loop, which reads it there.
post_work <- function(node, args) {
  work <- portable_code()$lend_work
  by_socket <- inherits(node, c("SOCKnode", "SOCK0node")) && inherits(node$con, "sockconn")
  if (!by_socket) return(post(node, work, args))
  read <- read_work
  environment(read) <- baseenv()
  message <- list(type = "EXEC", data = list(fun = work, args = args, return = TRUE, tag = NULL), tag = NULL)
  bytes <- serialize(message, NULL)
  post(node, read, list(length(bytes)), bytes)
}

# Runs in a node: does the work that is the next bytes in its connection. It waits for them as `receive_whole()` does.
read_work <- function(size) {
  interrupted <- ended <- FALSE
  parts <- list()
  suspendInterrupts({
    for (k in seq_len(sys.nframe())) {
      master <- get0("master", sys.frame(k), inherits = FALSE) # of parallel's loop
      if (is.list(master)) con <- master$con
    }
    waits <- socketTimeout(con, 0L)
    while (size > 0) {
      part <- readBin(con, "raw", min(size, 65536))
      parts <- c(parts, list(part))
      size <- size - length(part)
      if (ended && !length(part)) stop("the session has gone")
      ended <- !length(part) && tryCatch(socketSelect(list(con), FALSE, 1), interrupt = function(cnd) {
        interrupted <<- TRUE
        FALSE
      })
    }
    socketTimeout(con, waits)
  })
  if (interrupted) signalCondition(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
  work <- unserialize(do.call(c, parts))$data
  do.call(work$fun, work$args, quote = TRUE)
}

# Runs in a node: dials once, and goes again.
knock_once <- function(host, port, token, silently) {
  try({
    con <- socketConnection(host, port, open = "r+b", blocking = TRUE, timeout = 10)
    writeBin(829908838L, con, endian = "little")
    writeBin(as.raw(strtoi(substring(token, 2L * 1:16 - 1L, 2L * 1:16), 16L)), con)
    writeBin(Sys.getpid(), con, endian = "little")
    close(con)
  }, silent = TRUE)
  if (silently) signalCondition(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
  NULL
}

# The tokens of the nodes that give a sign. When one of them has, the others have one more second.
answers <- function(lent, knocked) {
  until <- Sys.time() + lent$at$patience
  there <- character()
  while (knocked && Sys.time() < until) {
    before <- length(there)
    there <- as.character(unlist(lent$ask("knocked", slice)))
    take_interrupt()
    if (length(there) >= min(knocked, lent$at$count)) return(there)
    if (before == 0L && length(there)) until <- Sys.time() + 1
  }
  if (length(there)) return(there)
  text <- if (knocked) lent$ask("none_came") else "No worker of the cluster is left, or is free of other calls."
  fg_abort(text, "fitgenerator_worker_error")
}

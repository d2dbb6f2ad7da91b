# The host loop: R's thread waits for requests of the background threads and answers them.
#
# It is R code, so that an interrupt, a restart or a condition that a handler outside takes unwinds R frames
# only; `on.exit()` then stops and joins the threads.

# How long R waits in Python at a time, in seconds: the longest an interrupt has to wait.
slice <- 0.05

# Runs a session to its end and returns what came of it: a list of `failure`, `value` and `warnings`.
#
# `closures` are the R functions behind the sources, a list of lists of `fn`, `name` (the argument), `stream` and
# `shape` (what makes a batch of a value); `tables` the plain lists of callbacks; `timeout` the seconds that one batch
# may take, or `NULL`; `bar`, whether a bar will be shown.
host <- function(session, closures, tables, timeout = NULL, bar = FALSE) {
  calls <- bind_calls(session)
  streams <- new_streams()
  state <- new.env(parent = emptyenv())
  state$drawn <- integer(length(closures))
  state$conditions <- list()
  state$timeout <- timeout
  state$screen <- new_screen(bar)
  forks <- .Call(C_forks_safely, TRUE) # until the end, or that of the call which this one is within
  # Twice: an interrupt that comes just when the first begins ends it, but not the second.
  on.exit(suspendInterrupts(conclude(calls, streams, forks, state$screen)))
  on.exit(suspendInterrupts(conclude(calls, streams, forks, state$screen)), add = TRUE)
  on.exit(shut_all(closures), add = TRUE)
  suspendInterrupts(begin_streams(streams, c(stream_names(closures), table_streams(tables))))
  with_stream(streams, "jobs", cross(calls$start))
  in_time(serve(calls, closures, tables, streams, state), calls, timeout)
  suspendInterrupts(conclude(calls, streams, forks, state$screen))
  on.exit()
  shut_all(closures)
  outcome <- cross(calls$outcome)
  outcome$condition <- if (!is.null(outcome$failure)) failure_condition(outcome$failure, calls, state)
  outcome
}

# Attributes are looked up once: a lookup is a crossing of its own.
bind_calls <- function(session) {
  names <- c("start", "wait", "deliver", "advance", "consumed", "applied", "overdue", "outcome",
             "raise_failure", "stop")
  stats::setNames(lapply(names, function(name) cross(reticulate::py_get_attr, session, name)), names)
}

serve <- function(calls, closures, tables, streams, state) {
  request <- NULL
  repeat {
    if (is.null(request)) request <- cross(calls$wait, slice)
    take_interrupt()
    if (is.null(request)) next
    request <- switch(request[[1L]],
      pull = serve_pulls(calls, closures, streams, state, request),
      job = serve_job(calls, tables, streams),
      apply = serve_apply(calls, request, state$timeout),
      say = show_lines(state$screen, request[[2L]]),
      bar = show_bar(state$screen, request[[2L]], request[[3L]], request[[4L]]),
      end = return(invisible())
    )
  }
}

# Draws batches from a closure, as many as are quickly there, and hands them over; the next request, or `NULL`. What is
# requested: "pull", the number of the closure, how many batches at most, how many of the generator's were used, and,
# where it can begin again, which ones.
serve_pulls <- function(calls, closures, streams, state, request) {
  i <- request[[2L]]
  most <- request[[3L]]
  closure <- closures[[i]]
  if (!is.null(closure$turn)) closure$turn(request[[5L]])
  if (state$drawn[[i]] == 0L) most <- 1L # nobody waits for the first batch longer than it takes
  drawn <- with_stream(streams, closure$stream, draw_lot(calls, closure, streams, state, i, most))
  if (closure$stream == "generator") forget_drawn(streams, request[[4L]])
  end <- 0L
  if (!is.null(drawn$failed)) {
    state$conditions <- c(state$conditions, list(drawn$failed))
    end <- length(state$conditions)
  } else if (drawn$ended) {
    end <- -1L
  }
  cross(calls$deliver, drawn$batches, end, slice)
}

# Batches, and what ended them: `failed`, a condition, or `ended`. One handler for all of them: it costs as much as a
# quick closure.
draw_lot <- function(calls, closure, streams, state, i, most) {
  lot <- new_lot(most)
  overdue <- NULL
  stop_it <- function(calls, n) {
    stands <- where_it_stands(calls, n, closure$name)
    overdue <<- overdue_error(closure$name, state$drawn[[i]] + lot$n + 1L, state$timeout, stands)
    stop(overdue)
  }
  filling <- function() fill_lot(lot, closure, streams, state$drawn[[i]], most)
  failed <- tryCatch(in_time(filling(), calls, state$timeout, stop_it), error = function(cnd) {
    refused <- lot$shaping && inherits(cnd, "fitgenerator_batch_error")
    if (refused || identical(cnd, overdue)) return(cnd)
    generator_error(cnd, closure$name, state$drawn[[i]] + lot$n + 1L)
  })
  if (closure$stream == "generator") mark_drawn(streams, state$drawn[[i]] + lot$n + 1L)
  state$drawn[[i]] <- state$drawn[[i]] + lot$n
  list(batches = batches_of(lot), failed = failed, ended = lot$ended)
}

# Runs `code`, in which a closure may be told that it takes too long: by an interrupt that Python sends, and that is
# not the user's. One that comes when the closure has just returned is passed over.
in_time <- function(code, calls, timeout, stop_it = NULL) {
  if (is.null(timeout)) return(code)
  withCallingHandlers(code, interrupt = function(cnd) {
    if (!cross(calls$overdue, !is.null(stop_it))) return()
    if (is.null(stop_it)) tryInvokeRestart("resume") else stop_it(sys.calls(), sys.nframe())
  })
}

# Runs a job of Python; hooks of plain lists of R functions are called from here, not from Python.
serve_job <- function(calls, tables, streams) {
  repeat {
    hook <- with_stream(streams, "jobs", cross(calls$advance))
    if (is.null(hook)) return(NULL)
    run_hook(tables[[hook[[1L]]]], hook[[2L]], hook[[3L]], streams, table_stream(hook[[1L]]))
  }
}

run_hook <- function(table, hook, args, streams, stream) {
  fn <- table[[hook]]
  args <- hook_arguments(fn, hook, args)
  # Exiting: where R's stack is full, there is no room for a calling handler.
  with_stream(streams, stream, tryCatch(
    do.call(fn, args, quote = TRUE),
    error = function(cnd) stop(callback_error(cnd, hook))
  ))
}

# By name where the hook's arguments are called as in Keras (`function(logs)`), else as many as it takes, in order.
hook_arguments <- function(fn, hook, args) {
  keras <- if (length(args) == 1L) "logs" else c(if (grepl("epoch", hook)) "epoch" else "batch", "logs")
  known <- names(formals(base::args(fn)))
  if (length(known) && all(known %in% keras)) return(stats::setNames(args, keras)[known])
  if ("..." %in% known) args else utils::head(args, length(known))
}

# Stops and joins every thread and puts the session's stream where it belongs. A second interrupt waits until it
# is done; to do it again is harmless.
conclude <- function(calls, streams, forks, screen) {
  .Call(C_forks_safely, forks)
  on.exit(end_streams(streams, cross(calls$consumed)))
  on.exit(close_screen(screen), add = TRUE)
  cross(calls$stop)
}

# Tells generators that were opened for this call that no more batches are wanted.
shut_all <- function(closures) {
  for (closure in closures) {
    if (!is.null(closure$shut)) try(closure$shut())
  }
}

stream_names <- function(closures) setdiff(vapply(closures, function(closure) closure$stream, ""), "generator")

table_stream <- function(i) paste("callback", i)

table_streams <- function(tables) c("jobs", vapply(seq_along(tables), table_stream, ""))

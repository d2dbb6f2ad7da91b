# The host loop: R's thread waits for requests from the background threads and answers them.
#
# Rule 1: the loop is R code. An interrupt, a restart, or a condition that an outer handler takes unwinds R frames
# only, and `on.exit()` then stops and joins the threads. (The rules are those of the section "Threads" of the design.)

# Rule 2: the seconds that R waits inside Python at a time, and thus the longest delay of an interrupt.
slice <- 0.05

# The seconds that R waits outside Python at a time, where interrupts are taken too. Python's pending calls, of which
# there is room for 32, run before and after that only: another thread that drops more values of R meanwhile has to
# wait, with Python's lock. So R does not wait there where code of Python's makes batches, which may drop many.
nap <- 0.2

session_methods <- c(
  "lend", "start", "wait", "listen", "deliver", "advance", "consumed", "applied", "returned", "overdue", "outcome",
  "raise_failure", "stop", "terminate"
)

# The state of one call on R's side, which all functions of the loop share:
#
# * `python`: the methods of the Python session, each looked up once, because a lookup is a crossing of its own;
# * `closures`: the R functions that make batches, as `new_closure()` describes them;
# * `fetched`: the number of batches that each closure has returned;
# * `tables`: the callbacks that are plain lists of R functions;
# * `timeout`: the seconds that one batch may take, or `NULL`;
# * `conditions`: the errors of closures. A condition stays in R; only its position in this list crosses to Python;
# * `streams`: the random number streams; `screen`: what is drawn on the screen;
# * `lent`: workers of the user's, if they make batches;
# * `dozes`: whether R may wait outside Python;
# * `watches`: whether SIGTERM stops the call; `ends`, that it has come; `making`, that a function makes a batch.
new_run <- function(session, methods = session_methods, closures = list(), tables = list(), timeout = NULL,
                    bar = FALSE, lent = NULL, streams = new_streams(), dozes = FALSE) {
  run <- new.env(parent = emptyenv())
  run$python <- lapply(stats::setNames(nm = methods), function(name) cross(reticulate::py_get_attr, session, name))
  run$closures <- closures
  run$fetched <- integer(length(closures))
  run$tables <- tables
  run$timeout <- timeout
  run$conditions <- list()
  run$streams <- streams
  run$screen <- new_screen(bar)
  run$lent <- lent
  run$dozes <- dozes
  run$watches <- run$making <- run$ends <- FALSE
  run
}

# Runs a session to its end. Returns a list of `value`, `warnings`, and, after a failure, `failure` and the `condition`
# to raise.
host <- function(run) {
  run$forked_safely <- .Call(C_forks_safely, TRUE) # what applied before, in the call that this one may be nested in
  # Rule 11: whatever ends the call, no thread survives it. All is registered twice, because an interrupt that arrives,
  # or is taken, as an expression begins ends that expression, but not the next one.
  for (time in 1:2) on.exit(suspendInterrupts(conclude(run)), add = TRUE)
  for (time in 1:2) on.exit(close_all(run$closures), add = TRUE)
  suspendInterrupts(begin_streams(run$streams, stream_names(run)))
  if (!is.null(run$lent)) with_stream(run$streams, "jobs", lend(run$lent, cross(run$python$lend)))
  told <- with_stream(run$streams, "jobs", cross(run$python$start))
  for (warned in told$warnings) warn_of(warned)
  restore_generator(run$streams, told$streams)
  run$watches <- isTRUE(told$watches) && .Call(C_watch_termination, TRUE)
  if (run$watches) for (time in 1:2) on.exit(.Call(C_watch_termination, FALSE), add = TRUE)
  in_time(serve_until_terminated(run), run)
  suspendInterrupts(conclude(run))
  late <- run$watches && end_watch()
  close_all(run$closures)
  on.exit()
  outcome <- cross(run$python$outcome)
  outcome$condition <- if (!is.null(outcome$failure)) failure_condition(outcome$failure, run)
  if (late && is.null(outcome$condition)) {
    outcome$condition <- fg_condition("SIGTERM came when the training had ended.", "fitgenerator_terminated")
  }
  outcome
}

# Serves requests; when SIGTERM comes, only what the end of the training needs. The signal interrupts a function that
# makes batches, but no hook, whose work would be half done.
serve_until_terminated <- function(run) {
  if (!run$watches) return(serve(run))
  left <- withRestarts(
    withCallingHandlers(serve(run), interrupt = function(cnd) {
      if (!.Call(C_terminated)) return()
      if (run$making && !run$ends) invokeRestart("fitgenerator_terminate") else tryInvokeRestart("resume")
    }),
    fitgenerator_terminate = function() TRUE
  )
  if (isTRUE(left)) serve(run, terminate(run))
}

# Requests for which R runs functions that make batches.
making_kinds <- c("fetch", "apply", "call")

# Tells Python that SIGTERM has come. What makes a batch is abandoned. Returns the request that is still to be served:
# the `request` that R has, or the one that has got lost.
terminate <- function(run, request = NULL) {
  run$ends <- TRUE
  run$making <- FALSE
  again <- cross(run$python$terminate)
  if (is.null(request) || request$kind %in% making_kinds) again else request
}

# Puts the handler of SIGTERM back. Returns whether the signal has come; the interrupt that was sent then is taken.
end_watch <- function() {
  .Call(C_watch_termination, FALSE)
  came <- .Call(C_terminated)
  if (came) tryCatch(take_interrupt(), interrupt = function(cnd) NULL)
  came
}

# Serves requests. Each is a list: its `kind`, and what that kind holds (`r/reticulate/host_loop.py` makes it):
#
# * "fetch": `closure`, by its number; `most`, the largest number of batches to fetch; `used`, the number of training
#   batches used so far; and, for a source that can restart, `places`, those of the wanted batches;
# * "job": nothing; Python runs the job when it is told to advance;
# * "apply": a function of images in its `cell`, the `image`, and a `seed`;
# * "call": another function `fn`, whose arguments Python has handed over;
# * "signal": a `condition` that a worker process has told of, and the batch that it belongs to;
# * "say": `text` to print; "bar": a progress bar, as `text`, `done` and `total`; "end": nothing.
serve <- function(run, request = NULL) { # or the next one, where the answer to the last one has brought it
  repeat {
    if (is.null(request)) request <- cross(run$python$wait, slice)
    run$making <- FALSE
    take_interrupt() # rule 2: here, between two crossings, where only R frames are unwound
    if (run$watches && !run$ends && .Call(C_terminated)) request <- terminate(run, request)
    if (is.null(request)) {
      if (run$dozes) doze(run)
      next
    }
    run$making <- request$kind %in% making_kinds
    request <- switch(request$kind,
      fetch = serve_fetch(run, request),
      job = serve_job(run),
      apply = serve_apply(run, request),
      call = serve_call(run, request),
      signal = signal_worker(request),
      say = show_lines(run$screen, request$text),
      bar = show_bar(run$screen, request$text, request$done, request$total),
      end = return(invisible())
    )
  }
}

# Waits outside Python for what may be a request, where nothing has come for a slice.
doze <- function(run) {
  bell <- cross(run$python$listen)
  if (!is.null(bell)) .Call(C_doze, bell, nap)
}

# Fetches batches from a closure, as many as come quickly, and hands them over. Returns the next request or `NULL`.
serve_fetch <- function(run, request) {
  closure <- run$closures[[request$closure]]
  if (!is.null(request$places$ended)) return(serve_end(run, request$closure, request$places$ended))
  if (!is.null(closure$seek)) closure$seek(request$places)
  # The first batch is delivered alone: the model waits for it.
  most <- if (run$fetched[[request$closure]] == 0L) 1L else request$most
  lot <- with_stream(run$streams, closure$stream, fetch_lot(run, request$closure, most)) # rule 8
  if (closure$stream == "generator") forget_states(run$streams, request$used)
  cross(run$python$deliver, batches_of(lot), end_of(run, lot), slice)
}

# Tells closure number `i` that the pass `ended` has ended. Returns the next request or `NULL`.
serve_end <- function(run, i, ended) {
  closure <- run$closures[[i]]
  told <- with_stream(run$streams, closure$stream, { # rule 8
    lot <- fetch_lot(run, i, 0L, function(lot) {
      closure$tell(ended)
      NULL
    })
    # What the function draws at the end of a pass comes before the next batch.
    if (closure$stream == "generator") keep_state(run$streams, run$fetched[[i]])
    lot
  })
  end <- end_of(run, told)
  cross(run$python$deliver, list(), if (is.null(end)) list(kind = "told") else end, slice)
}

# Fetches a lot of at most `most` batches (rule 5) from closure number `i`: calls `fill` with a lot. A lot of no batches
# is a hook that is told of the end of a pass.
fetch_lot <- function(run, i, most, fill = function(lot) fill_lot(lot, closure, run$streams, before, most)) {
  closure <- run$closures[[i]]
  before <- run$fetched[[i]]
  lot <- new_lot(most)
  overdue <- NULL
  at <- function() if (most > 0L) before + lot$n + 1L
  stop_overdue <- function(calls, n) {
    stack <- where_it_stands(calls, n, closure$name)
    overdue <<- overdue_error(closure$name, at(), run$timeout, stack)
    stop(overdue)
  }
  # Handlers for the whole lot: to establish one costs as much as to call a quick closure.
  lot$failed <- with_calls(in_time(fill(lot), run, stop_overdue), closure$name, function(cnd, calls) {
    refused <- lot$converting && inherits(cnd, "fitgenerator_batch_error")
    if (refused || identical(cnd, overdue) || is_time_limit(cnd)) return(cnd)
    generator_error(cnd, closure$name, at(), calls)
  })
  if (closure$stream == "generator") keep_state(run$streams, before + lot$n + 1L)
  run$fetched[[i]] <- before + lot$n
  lot
}

# What ended a lot, as Python is told: `NULL` nothing, else by its kind the end of the closure, or an error, with its
# position in `conditions`.
end_of <- function(run, lot) {
  if (is.null(lot$failed)) return(if (lot$ended) list(kind = "ended"))
  run$conditions <- c(run$conditions, list(lot$failed))
  list(kind = "failed", condition = length(run$conditions), text = without_colours(conditionMessage(lot$failed)))
}

# Evaluates `code`, in which a closure may exceed the timeout. Python then sends R's thread an interrupt, as a user
# would (rule 2). An interrupt that Python sent is not the user's: it calls `stop_overdue`, or, where the closure
# has just returned, has no effect.
in_time <- function(code, run, stop_overdue = NULL) {
  if (is.null(run$timeout)) return(code)
  withCallingHandlers(code, interrupt = function(cnd) {
    if (!cross(run$python$overdue, !is.null(stop_overdue))) return()
    if (is.null(stop_overdue)) tryInvokeRestart("resume") else stop_overdue(sys.calls(), sys.nframe())
  })
}

# Runs a job of Python on R's thread: the tracing of steps (rule 3), Keras's callbacks (rule 4). The hooks of plain
# lists are called from here rather than from Python, so that no Python frame lies between them and the loop.
serve_job <- function(run) {
  repeat {
    wanted <- with_stream(run$streams, "jobs", cross(run$python$advance))
    if (is.null(wanted)) return(take_interrupt()) # before the training goes on with what the job has made
    run_hook(run, wanted$table, wanted$hook, wanted$args)
  }
}

run_hook <- function(run, table, hook, args) {
  fn <- run$tables[[table]][[hook]]
  args <- hook_arguments(fn, hook, args)
  with_stream(run$streams, table_stream(table), with_calls(
    do.call(fn, args, quote = TRUE), hook,
    function(cnd, calls) {
      stop_in_calls(if (is_time_limit(cnd)) cnd else callback_error(cnd, hook, calls = calls))
    }
  ))
}

# By name where the hook names its arguments as Keras does (`function(logs)`), else by position, as many as it takes.
hook_arguments <- function(fn, hook, args) {
  keras <- if (length(args) == 1L) "logs" else c(if (grepl("epoch", hook)) "epoch" else "batch", "logs")
  known <- names(formals(base::args(fn)))
  if (length(known) && all(known %in% keras)) return(stats::setNames(args, keras)[known])
  if ("..." %in% known) args else utils::head(args, length(known))
}

# Rule 11: stops and joins every thread. Rule 8: leaves the session's random numbers where they belong. Can be called
# again.
conclude <- function(run) {
  .Call(C_forks_safely, run$forked_safely)
  on.exit(end_streams(run$streams, cross(run$python$consumed)))
  on.exit(close_screen(run$screen), add = TRUE)
  cross(run$python$stop)
  if (!is.null(run$lent)) take_back(run$lent)
}

# Tells the generators that were opened for this call that no more batches are wanted.
close_all <- function(closures) {
  for (closure in closures) {
    if (!is.null(closure$close)) try(closure$close())
  }
}

# Rule 8: every R function besides the training generator has a random number stream of its own.
stream_names <- function(run) {
  closures <- vapply(run$closures, function(closure) closure$stream, "")
  c(setdiff(closures, "generator"), "jobs", vapply(seq_along(run$tables), table_stream, ""))
}

table_stream <- function(i) paste("callback", i)

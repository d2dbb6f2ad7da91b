# How R calls into Python while it hosts a training.
#
# An interrupt must be taken in R, never in between: a crossing runs with interrupts suspended, and is followed
# by a place to be left by one. And Python may call R again in any crossing: a callback that holds an R function,
# the tracing of a loss written in R, an R function that a background thread calls and that Python then runs here,
# while we wait. A condition that a handler outside takes must not jump over Python's frames: a crossing is
# isolated, and what it signalled is signalled again behind it.

take_interrupt <- function() {
  .Call(C_take_interrupt)
}

# Calls a Python function.
cross <- function(fn, ...) {
  kept <- list()
  value <- failed <- NULL
  keep <- function(cnd) {
    if (inherits(cnd, "warning") && getOption("warn") >= 2) return() # R makes an error of it, here and now
    kept[[length(kept) + 1L]] <<- cnd
    muffle(cnd)
  }
  crossing <- function() {
    withCallingHandlers(
      tryCatch(value <<- fn(...), error = function(cnd) failed <<- cnd),
      condition = keep
    )
  }
  returned <- suspendInterrupts(.Call(C_isolate, crossing))
  for (cnd in kept) signal_again(cnd)
  if (!is.null(failed)) stop(failed)
  if (!returned) abort_jump()
  value
}

muffle <- function(cnd) {
  for (restart in c("muffleWarning", "muffleMessage")) {
    if (!is.null(computeRestarts(cnd)) && !is.null(found <- findRestart(restart, cnd))) invokeRestart(found)
  }
}

signal_again <- function(cnd) {
  if (inherits(cnd, "warning")) {
    warning(cnd)
  } else if (inherits(cnd, "message")) {
    message(cnd)
  } else {
    signalCondition(cnd)
  }
}

abort_jump <- function() {
  fg_abort(
    "R code that Python called (in a callback, a loss or a layer) was left by a restart; that cannot be done there.",
    "fitgenerator_callback_error"
  )
}

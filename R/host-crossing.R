# How R calls into Python while it hosts a training: through `cross()`, in which no interrupt is taken and which no jump
# leaves.
#
# Rule 2, three parts of which are here:
# * An interrupt is taken in R, never inside a crossing: `cross()` runs with interrupts suspended, and the host loop
#   takes them in between, with `take_interrupt()`.
# * Python may call R again within any crossing: a callback that holds an R function, the tracing of a loss written in
#   R, an R function that another thread calls while a job on R's thread waits for that thread. A condition that an
#   outer handler takes must not jump over Python's frames: TensorFlow's thread state would stay broken, or R would
#   crash. So a crossing is evaluated at a top level of its own (`src/isolate.c`), from which outer handlers and
#   restarts cannot be seen.
# * Handlers inside the crossing keep the conditions that were signalled there, and signal them again after it.

# Takes an interrupt that is pending, if there is one.
take_interrupt <- function() {
  .Call(C_take_interrupt)
}

# Whether something else than the batch `value` holds it, or an array in it.
is_held <- function(value) .Call(C_held, value)

# A copy of a batch, with arrays that nothing else holds; `NULL` if it has more than `most` bytes.
own_copy <- function(value, most) .Call(C_copied, value, most)

# Calls a Python function.
cross <- function(fn, ...) {
  kept <- list()
  value <- failed <- NULL
  keep <- function(cnd) {
    if (inherits(cnd, "warning") && getOption("warn") >= 2) return() # R turns the warning into an error at once
    kept[[length(kept) + 1L]] <<- cnd
    muffle(cnd)
  }
  crossing <- function() {
    withCallingHandlers(
      tryCatch(value <<- fn(...), error = function(cnd) failed <<- cnd),
      condition = keep
    )
  }
  before <- geterrmessage()
  returned <- suspendInterrupts(.Call(C_isolate, crossing))
  for (cnd in kept) signal_again(cnd)
  if (!identical(geterrmessage(), before)) raise_time_limit(geterrmessage())
  if (inherits(failed, "Rcpp::exception")) check_all_alive(evaluated(...)) # an error of reticulate's own
  if (!is.null(failed)) stop(failed)
  if (!returned) abort_jump()
  value
}

# The arguments of a call, or none where one of them cannot be evaluated.
evaluated <- function(...) suppressWarnings(tryCatch(list(...), error = function(cnd) NULL))

# Raises the error of a `setTimeLimit()` that expired in a crossing, as `said` tells. reticulate looks for events while
# Python code runs, at a top level of its own: there R prints the error, forgets the limit, and goes on. No field
# says so.
raise_time_limit <- function(said) {
  message <- message_said(said)
  if (!message %in% gettext(time_limits, domain = "R")) return(invisible())
  limit <- simpleError(message)
  try(stop(limit), silent = TRUE) # R's last error is another one now: the next limit can be told from this one
  stop(limit)
}

# Whether an error is that of a `setTimeLimit()` of the caller, which expired while code of the user's ran. It is not a
# fault of that code: the call raises it as it is.
is_time_limit <- function(cnd) {
  inherits(cnd, "simpleError") && conditionMessage(cnd) %in% gettext(time_limits, domain = "R")
}

# The message in what R says of an error: "Error: message" or "Error in call : message", in the language of the session,
# in which the second colon stays as it is.
message_said <- function(said) {
  plain <- gettext("Error: ", domain = "R", trim = FALSE)
  if (startsWith(said, plain)) return(trimws(substring(said, nchar(plain) + 1L)))
  trimws(sub("(?s)^.*? : ", "", said, perl = TRUE))
}

time_limits <- c(
  "reached elapsed time limit", "reached CPU time limit", "reached session elapsed time limit",
  "reached session CPU time limit"
)

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

# Rule 2: a restart that R code below Python invokes cannot be honoured, because it would jump over Python's frames.
abort_jump <- function() {
  fg_abort(
    "R code that Python called (in a callback, a loss or a layer) must not invoke a restart outside of it.",
    "fitgenerator_callback_error"
  )
}

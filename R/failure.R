# What a failed call raises in R: our own condition, with what the user's code signalled as its parent.

failure_condition <- function(failure, calls, state) {
  text <- paste(c(failure$text, unlist(failure$notes)), collapse = "\n")
  switch(failure$kind,
    r = state$conditions[[failure$number]],
    argument = fg_condition(text, "fitgenerator_argument_error"),
    batch = fg_condition(batch_text(failure), "fitgenerator_batch_error"),
    timeout = fg_condition(text, "fitgenerator_timeout_error"),
    setup = fg_condition(text, "fitgenerator_setup_error"),
    python_condition(calls)
  )
}

# The notes say which batch it was: they come first, as R users read messages from the front.
batch_text <- function(failure) {
  place <- sub("^While (.*) was made\\.$", "\\1: ", unlist(failure$notes))
  paste0(paste(place, collapse = ""), failure$text)
}

# An exception of Python. R code that Python called (a callback, a loss) may be behind it: reticulate then gives
# its condition back when the exception is raised.
python_condition <- function(calls) {
  raised <- tryCatch(cross_isolated(calls$raise_failure), error = identity)
  text <- condition_text(raised)
  if (inherits(raised, "simpleError") || !inherits(raised, "python.builtin.Exception")) {
    return(fg_condition(text, "fitgenerator_callback_error", raised))
  }
  python_error(raised)
}

# Raises what failed and warns of what ended early; otherwise returns the value.
resolve <- function(outcome) {
  for (warned in outcome$warnings) {
    class <- if (warned[[2L]] == "EndedEarlyWarning") "fitgenerator_ended_warning" else "fitgenerator_thread_warning"
    fg_warn(warned[[1L]], class)
  }
  if (!is.null(outcome$condition)) stop(outcome$condition)
  outcome$value
}

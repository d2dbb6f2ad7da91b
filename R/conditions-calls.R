# Where R code of the user's failed: the calls that led there, as `traceback()` would show them if the code had been
# called directly. An error is raised again once the batches before it are trained on; R has lost the calls by then.

# Evaluates `code`, which calls R code of the user's under the name `name`. `failed` makes the value from an error and
# the calls that led to it.
with_calls <- function(code, name, failed) {
  calls <- NULL
  # The handler that keeps the calls does not run where R's stack is full; the exiting one does.
  tryCatch(
    withCallingHandlers(code, error = function(cnd) calls <<- calls_to(cnd, sys.nframe(), name)),
    error = function(cnd) failed(cnd, calls)
  )
}

# The calls of the user's code at the time of an error that is handled in frame `n`, without those of ours and of R's
# signalling. The first one is that of the function that we call.
calls_to <- function(cnd, n, name) {
  if (n > 1000L) return(NULL) # endless recursion: to look at each frame would take what is left of the stack
  calls <- sys.calls()[seq_len(n - 1L)]
  homes <- lapply(seq_len(n - 1L), function(frame) environment(sys.function(frame)))
  first <- max(0L, which(vapply(homes, is_ours, NA))) + 1L
  # Between our code and the user's there may be R's own, such as do.call(), and reticulate's.
  foreign <- function(env) environmentName(topenv(env)) %in% c("base", "reticulate")
  while (first < length(calls) && foreign(homes[[first]])) first <- first + 1L
  users_calls(calls[seq_len(n - 1L) >= first], cnd, name)
}

# The same at an error of R code that Python called, from what reticulate has traced of it.
traced_calls <- function(trace, cnd, name = "R_function") {
  calls <- trace$call # `full_call` lacks the last ones where rlang is told to leave out the first (testthat)
  entered <- which(vapply(calls, identical, NA, quote(do.call(fn, c(args, named_args)))))
  if (!length(entered)) return(NULL)
  users_calls(calls[seq_along(calls) > entered[[length(entered)]]], cnd, name)
}

# The calls from that of the function that we call, or Python, as `name`, to the one that failed.
users_calls <- function(calls, cnd, name) {
  calls <- calls[!vapply(calls, is_call_of, NA, c("tryCatchList", "tryCatchOne", "doTryCatch"))]
  signals <- which(vapply(calls, is_call_of, NA, signalling))
  if (length(signals)) calls <- calls[seq_len(signals[[1L]] - 1L)]
  if (!length(calls)) return(NULL)
  last <- conditionCall(cnd)
  # A function that stands in its call was called by do.call(), which is the first one. Calls of code that was read with
  # `keep.source` have attributes, which that of the condition lacks.
  is_last <- function(call) identical(as.call(as.list(call)), as.call(as.list(last)))
  known <- !is.call(last) || is.function(last[[1L]]) || any(vapply(calls, is_last, NA))
  calls[[1L]] <- call(name)
  if (known) calls else c(calls, last)
}

# Whether a function with that environment is of this package, or of what a worker process has of it.
is_ours <- function(env) {
  home <- parent.env(environment())
  while (!is.null(env) && !identical(env, emptyenv())) {
    if (identical(env, home)) return(TRUE)
    env <- parent.env(env)
  }
  FALSE
}

# The functions by which errors are signalled.
signalling <- c(
  "stop", "warning", "abort", "cli_abort", "signalCondition", ".handleSimpleError", ".signalSimpleWarning"
)

is_call_of <- function(call, names) {
  head <- call[[1L]]
  if (is.call(head) && as.character(head[[1L]]) %in% c("::", ":::")) head <- head[[3L]]
  is.symbol(head) && as.character(head) %in% names
}

# The innermost calls, one to a line.
call_lines <- function(calls) {
  text <- vapply(utils::tail(calls, 6L), function(call) deparse(call, 60L, nlines = 1L)[[1L]], "")
  paste0("  ", text)
}

# What a message says of the calls that led to an error: nothing if the function itself failed.
failed_in <- function(calls) {
  if (length(calls) < 2L) return(NULL)
  c("It failed in:", call_lines(calls))
}

# Raises a condition below frames that have its calls, the last fifty, so that `traceback()` shows them: those in which
# the error happened are gone. The arguments of the calls are not evaluated.
stop_in_calls <- function(cnd) {
  raise <- function(...) stop(cnd)
  for (call in rev(utils::tail(cnd$calls, 50L))) {
    if (!is.symbol(call[[1L]])) call[[1L]] <- as.name(deparse(call[[1L]], nlines = 1L)[[1L]])
    frame <- new.env(parent = baseenv())
    assign(as.character(call[[1L]]), raise, envir = frame)
    raise <- as.function(c(alist(... = ), call), frame) # nolint: spaces_inside_linter.
  }
  raise()
}

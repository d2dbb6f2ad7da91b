# R functions that other threads call because a Python source holds R code: a class made in R, or a Python generator
# that calls an R function. Each call is a request, and R's thread runs the function here, between two crossings.

# The arguments of the call that is to be served; Python hands them over through a function of R.
received <- new.env()

# Tells Python what takes the arguments of such a call, as reticulate converts them: a function that wants them
# unconverted, and one that wants them converted.
register_receivers <- function(receive) {
  take <- function(...) {
    received$args <- list(...)
    NULL
  }
  receive(reticulate::r_to_py(take, convert = FALSE), reticulate::r_to_py(take, convert = TRUE))
}

# Answers a request to call an R function. Returns the next request or `NULL`.
serve_call <- function(run, request) {
  args <- received$args
  received$args <- NULL
  answer <- answer_of(function_called(request$fn), args, run) # not within the crossing, as its argument
  cross(run$python$returned, answer, slice)
}

# What Python is told of a call: its `value`, the exception that stands for its failure (`failed`), or, if it exceeded
# the timeout, where it stood (`overdue`).
answer_of <- function(fn, args, run) {
  overdue <- NULL
  call <- function() do.call("fn", args, quote = TRUE)
  stop_overdue <- function(calls, n) {
    overdue <<- where_it_stands(calls, n, "R_function", quote(call()), inner = 2L)
    stop("overdue")
  }
  with_calls({
    value <- in_time(call(), run, stop_overdue)
    list(value = cross(reticulate::r_to_py, value))
  }, "R_function", function(cnd, calls) {
    if (!is.null(overdue)) return(list(overdue = paste(overdue, collapse = "\n")))
    if (is_python(cnd)) return(list(failed = cnd))
    cnd$fitgenerator_calls <- calls
    list(failed = cross(reticulate::r_to_py, cnd))
  })
}

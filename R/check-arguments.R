# Checks of arguments, with messages in the terms of R, before anything crosses to Python. Each function returns the
# value as it crosses.

# A whole number of at least `least`; `null`: whether it may be `NULL`.
check_whole <- function(x, name, least, null = FALSE) {
  if (null && is.null(x)) return(NULL)
  if (!is_whole(x) || as_whole(x) < least) {
    abort_argument(sprintf("`%s` must be a whole number of at least %d, not %s.", name, least, shown(x)), name)
  }
  as_whole(x)
}

# A number of batches, or `NULL`. One that is not whole, such as a number of samples divided by the batch size, is
# rounded down, as in 2017, and if `warn`, with a warning. `consequence` says what a number of batches leaves out, or
# nothing.
check_steps <- function(x, name, consequence = function(steps) "", warn = TRUE) {
  if (is.null(x)) return(NULL)
  if (is_whole(x) && as_whole(x) >= 1L) return(as_whole(x))
  if (!is_number(x) || x < 1 || x > .Machine$integer.max) {
    abort_argument(sprintf("`%s` must be a number of at least 1, not %s.", name, shown(x)), name)
  }
  steps <- as.integer(floor(x))
  if (warn) {
    warn_steps(sprintf("`%s` is %s, which is rounded down to %d%s.", name, shown(x), steps, consequence(steps)), name)
  }
  steps
}

# Whether `x` is a whole number, apart from errors of rounding, as in 0.1 * 3 * 10.
is_whole <- function(x) {
  is_number(x) && abs(x - round(x)) <= 1e-8 * abs(x) && abs(round(x)) <= .Machine$integer.max
}

as_whole <- function(x) as.integer(round(x))

# One finite number. (A factor is not a number, although its codes are.)
is_number <- function(x) {
  is.numeric(x) && !is.factor(x) && length(x) == 1L && is.finite(x)
}

check_seconds <- function(x, name) {
  if (is.null(x)) return(NULL)
  if (!is_number(x) || x <= 0) {
    abort_argument(sprintf("`%s` must be a number of seconds above 0, or NULL, not %s.", name, shown(x)), name)
  }
  as.double(x)
}

check_verbose <- function(x) {
  if (identical(x, "auto")) return(1L)
  level <- if (is_whole(x)) as_whole(x) else x
  if (length(x) != 1L || !(is.numeric(x) || is.logical(x)) || !level %in% 0:2) {
    abort_argument(sprintf("`verbose` must be 0, 1 or 2, not %s.", shown(x)), "verbose")
  }
  as.integer(level)
}

check_jit <- function(x) {
  if (!identical(x, "auto") && !isTRUE(x) && !isFALSE(x)) {
    abort_argument(sprintf("`jit_compile` must be \"auto\", TRUE or FALSE, not %s.", shown(x)), "jit_compile")
  }
  x
}

# The number of epochs from one validation to the next, or, if longer, the epochs to validate after, from 1.
check_frequency <- function(x) {
  if (length(x) < 2L && !is.list(x)) return(check_whole(x, "validation_freq", 1L))
  if (!length(x)) check_whole(x, "validation_freq", 1L)
  lapply(x, check_whole, "validation_freq", 1L)
}

# A named list or vector that maps classes, whole numbers from 0, to weights.
check_class_weight <- function(x) {
  if (is.null(x)) return(NULL)
  if (is.list(x) && any(vapply(x, function(of) !is.null(names(of)), NA))) {
    abort_argument(paste(
      "`class_weight` must have one weight for each class, not a list for each output;",
      "give sample weights of the outputs in the batch instead."
    ), "class_weight")
  }
  named <- is.vector(x) && !is.null(names(x)) && all(grepl("^[0-9]+$", names(x))) && !anyDuplicated(names(x))
  if (!named) {
    abort_argument(sprintf(
      "`class_weight` must name each class once, by its number from 0, as in list(\"0\" = 1, \"1\" = 5), not %s.",
      if (is.null(names(x))) paste(describe(x), "without names") else describe(x)
    ), "class_weight")
  }
  wrong <- which(!vapply(x, is_weight, NA))
  if (length(wrong)) {
    text <- "`class_weight` must be a number of at least 0 for each class, not %s for class %s."
    abort_argument(sprintf(text, shown(x[[wrong[[1L]]]]), cut_text(names(x)[[wrong[[1L]]]])), "class_weight")
  }
  lapply(as.list(x), as.double)
}

is_weight <- function(x) is_number(x) && x >= 0

check_file <- function(x, name) {
  if (!is.character(x) || length(x) != 1L || is.na(x) || !nzchar(x)) {
    abort_argument(sprintf("`%s` must be the name of a file, not %s.", name, shown(x)), name)
  }
  x
}

check_flag <- function(x, name) {
  if (isTRUE(x) || isFALSE(x)) return(x)
  abort_argument(sprintf("`%s` must be TRUE or FALSE, not %s.", name, shown(x)), name)
}

# One of `choices`. The default of the argument is all of them, which stands for the first.
check_choice <- function(x, choices, name) {
  if (identical(x, choices)) return(choices[[1L]])
  if (is.character(x) && length(x) == 1L && x %in% choices) return(x)
  named <- paste0("\"", choices, "\"", collapse = ", ")
  abort_argument(sprintf("`%s` must be one of %s, not %s.", name, named, shown(x)), name)
}

check_function <- function(x, name) {
  if (is.function(x)) return(invisible(x))
  abort_argument(sprintf("`%s` must be a function, not %s.", name, shown(x)), name)
}

# The seed of shuffled orders; without one, a number drawn from the session's random numbers.
check_seed <- function(x, shuffle) {
  if (!is.null(x)) return(check_whole(x, "seed", 0L))
  if (isTRUE(shuffle)) sample.int(.Machine$integer.max, 1L) else 0L
}

# A value as messages show it: itself if it is a single value, else a description.
shown <- function(x) {
  if (is.null(x)) return("NULL")
  if (is.atomic(x) && length(x) == 1L && !is.object(x)) return(cut_text(deparse(unname(x))[[1L]]))
  describe(x)
}

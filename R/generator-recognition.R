# What a user may give as a generator, and what of it crosses to Python: the number of an R closure, fixed arrays, or a
# Python object, unchanged.

# Raises an error unless `x`, given as the argument `name`, can be a generator.
check_source <- function(x, name) UseMethod("check_source")

#' @export
#' @noRd
check_source.default <- function(x, name) {
  # A function may have a class that does not include "function", as those of coro's generators.
  if (is.function(x)) check_source.function(x, name) else refuse_source(x, name)
}

#' @export
#' @noRd
check_source.function <- function(x, name) {
  if (inherits(x, "coro_generator")) {
    abort_argument(sprintf(
      "`%s` is a function that makes coro generators; call it and pass the generator that it returns.", name
    ), name)
  }
  if (inherits(x, "coro_generator_instance")) return(invisible(x))
  required <- required_args(x)
  if (length(required)) {
    abort_argument(sprintf(
      "`%s` must be a function without arguments, not one that needs `%s`; wrap it: function() f(...).",
      name, paste(required, collapse = "`, `")
    ), name)
  }
  invisible(x)
}

#' @export
#' @noRd
check_source.python.builtin.object <- function(x, name) invisible(check_alive(x, name))

#' @export
#' @noRd
check_source.fitgenerator_sequence <- function(x, name) invisible(x)

#' @export
#' @noRd
check_source.fitgenerator_stream <- function(x, name) invisible(x)

# An object of the iterators package, or of a package that builds on it.
#' @export
#' @noRd
check_source.iter <- function(x, name) {
  if (requireNamespace("iterators", quietly = TRUE)) return(invisible(x))
  abort_setup(sprintf(
    "`%s` is an iterator of the package iterators, which is not installed: install.packages(\"iterators\").", name
  ))
}

# An iterator signals its end by an error with the text "StopIteration".
closure_of_iter <- function(x) {
  force(x)
  function() {
    tryCatch(iterators::nextElem(x), error = function(cnd) {
      if (identical(conditionMessage(cnd), "StopIteration")) NULL else stop(cnd)
    })
  }
}

#' @export
#' @noRd
check_source.list <- function(x, name) {
  if (name == "validation_data") return(check_fixed(x, name))
  text <- "`%s` must be a function that returns batches, not %s; pass the function itself, not what it returns."
  abort_argument(paste(sprintf(text, name, describe(x)), "flow_from_data() makes batches of arrays."), name)
}

# Whether a source is fixed arrays, as validation data may be.
is_fixed <- function(source) is.list(source) && !is.object(source)

# (A list of the inputs alone is one for a model without a loss; `fixed_parts()` refuses it for others.)
check_fixed <- function(x, name) {
  if (length(x) %in% 1:3) return(invisible(x))
  abort_argument(sprintf(
    "`%s` as fixed arrays must be list(inputs, targets) or list(inputs, targets, weights), not %s.",
    name, describe(x)
  ), name)
}

refuse_source <- function(x, name) {
  wanted <- "a function without arguments that returns batches, %sor a Python iterator or data set"
  arrays <- if (name == "validation_data") "list(inputs, targets) of arrays, " else ""
  hint <- if (is.data.frame(x)) {
    " flow_from_frame() makes batches of a data frame."
  } else if (is.array(x)) {
    " flow_from_data() makes batches of arrays."
  } else {
    ""
  }
  abort_argument(sprintf("`%s` must be %s, not %s.%s", name, sprintf(wanted, arrays), describe(x), hint), name)
}

# The closures among the sources, and what crosses of each source. Rule 12: a closure that is given twice is one
# closure, with one reader. `name` is the name of the generator's argument; `forms` has the form of the batches of each
# source, and `input_names` is a promise of the names of the model's inputs. `pool`: the workers, if there are any.
collect_sources <- function(sources, name, forms, input_names, pool = NULL) {
  given <- closures <- list()
  foreign <- FALSE # code of Python's makes batches
  crossing <- lapply(names(sources), function(stream) {
    source <- as_iterated(sources[[stream]])
    work <- match(stream, pool$used) # its number among what workers do, if they do anything for it
    if (is_python(source) && !is.na(work)) return(list(flow = source, images = work - 1L))
    foreign <<- foreign || is_python(source)
    if (is.null(source) || is_python(source)) return(source)
    if (!is.na(work)) return(work_of(source, work, pool$seeds[[stream]]))
    if (is_fixed(source)) return(fixed_arrays(source, stream, forms[[stream]]))
    known <- vapply(given, same_source, NA, source)
    if (any(known) && !restarts(source)) return(list(closure = which(known)[[1L]]))
    given <<- c(given, list(source))
    argument <- if (stream == "generator") name else stream
    closures <<- c(closures, list(as_closure(source, argument, stream, converter_of(forms[[stream]], input_names))))
    c(list(closure = length(closures)), crossing_of(source))
  })
  list(closures = closures, crossing = stats::setNames(crossing, names(sources)), foreign = foreign)
}

# Whether two sources are the same object. R may have several references to one iterator of Python.
same_source <- function(x, y) {
  both <- inherits(x, "fitgenerator_iterated") && inherits(y, "fitgenerator_iterated")
  if (both) identical(x$id, y$id) else identical(x, y)
}

# Whether an R source can be read again.
restarts <- function(source) inherits(source, c("fitgenerator_sequence", "fitgenerator_stream"))

# What the host calls for the batches of a source, which was given as the argument `name`.
as_closure <- function(source, name, stream, convert) {
  if (inherits(source, "fitgenerator_sequence")) {
    calls <- indexed_calls(source$fn, source$on_epoch_end, source$seeded)
    return(new_closure(calls$fn, name, stream, convert, seek = calls$seek, tell = calls$tell, ends = never))
  }
  if (inherits(source, "fitgenerator_stream")) {
    calls <- opened_calls(source$open)
    return(new_closure(calls$fn, name, stream, convert, seek = calls$seek, close = calls$close))
  }
  if (inherits(source, "fitgenerator_iterated")) {
    calls <- iterated_calls(source)
    return(new_closure(calls$fn, name, stream, convert, ends = calls$ends))
  }
  if (inherits(source, "iter")) source <- closure_of_iter(source)
  new_closure(source, name, stream, convert)
}

# What crosses of a source that can be read again, in addition to the number of its closure.
crossing_of <- function(source) {
  if (inherits(source, "fitgenerator_stream")) return(list(opens = TRUE))
  if (!inherits(source, "fitgenerator_sequence")) return(NULL)
  list(sequence = passes_of(source), told = !is.null(source$on_epoch_end))
}

fixed_arrays <- function(x, name, form) {
  cross(core_function("Arrays"), fixed_parts(x, name, form))
}

# Fixed arrays are inputs, targets and weights, whatever the model's step takes.
fixed_parts <- function(x, name, form) {
  if (form == "targets") as_batch(x, name, NULL) else as_untargeted(x, name, NULL)
}

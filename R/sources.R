# What may be given as a generator in R, turned into what the core makes a source of: the number of an R closure,
# fixed arrays, or a Python object as it is.

check_source <- function(x, name) UseMethod("check_source")

#' @export
#' @noRd
check_source.default <- function(x, name) {
  # A function may have a class that does not say so, as coro's generators have.
  if (is.function(x)) check_source.function(x, name) else refuse_source(x, name)
}

#' @export
#' @noRd
check_source.function <- function(x, name) {
  if (inherits(x, "coro_generator")) {
    abort_argument(sprintf("`%s` makes generators; call it, and pass what it returns.", name), name)
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
check_source.python.builtin.object <- function(x, name) invisible(x)

#' @export
#' @noRd
check_source.list <- function(x, name) {
  if (name == "validation_data") return(check_fixed(x, name))
  abort_argument(sprintf(
    "`%s` must be a function that returns batches, not %s; pass the function itself, not what it returns.",
    name, describe(x)
  ), name)
}

check_fixed <- function(x, name) {
  if (length(x) %in% 2:3) return(invisible(x))
  abort_argument(sprintf(
    "`%s` as fixed arrays must be list(inputs, targets) or list(inputs, targets, weights), not %s.",
    name, describe(x)
  ), name)
}

refuse_source <- function(x, name) {
  abort_argument(sprintf(
    "`%s` must be a function without arguments that returns batches, or a Python iterator or data set, not %s.",
    name, describe(x)
  ), name)
}

# The closures among the sources, and for each source what crosses. The same closure given twice is one reader.
collect_sources <- function(sources, shape = as_batch) {
  closures <- list()
  crossing <- lapply(names(sources), function(name) {
    source <- sources[[name]]
    if (is.null(source) || inherits(source, "python.builtin.object")) return(source)
    if (is.list(source)) return(fixed_arrays(source, name))
    known <- vapply(closures, function(closure) identical(closure$fn, source), NA)
    if (any(known)) return(list(closure = which(known)))
    stream <- if (name == "generator") "generator" else name
    closures[[length(closures) + 1L]] <<- new_closure(source, name, stream, shape)
    list(closure = length(closures))
  })
  list(closures = closures, crossing = stats::setNames(crossing, names(sources)))
}

fixed_arrays <- function(x, name) {
  cross(core_function("Arrays"), as_batch(x, name, NULL))
}

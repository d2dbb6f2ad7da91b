# Iterators that `reticulate::py_iterator()` made of an R function. reticulate itself calls the function one value at a
# time, and turns its error into a warning and a normal end. Here the function is a closure like any other.

# What `x` was made of, if it is such an iterator; else `x`.
as_iterated <- function(x) {
  if (!inherits(x, "rpytools.generator.RGenerator")) return(x)
  iterated <- iterated_function(cross(core_function("function_of", "r.reticulate.iterators"), x))
  if (is.null(iterated)) return(x)
  structure(c(iterated, list(iterator = x, id = reticulate::py_id(x))), class = "fitgenerator_iterated")
}

# The function `fn` that `py_iterator()` was given, without the handlers that it adds to it in `made`, and `ends`:
# whether a value ends the iterator. `NULL` if `made` is another function.
iterated_function <- function(made) {
  env <- if (is.function(made)) environment(made)
  known <- !is.null(env) && identical(parent.env(env), asNamespace("reticulate"))
  if (!known || !all(c("fn", "completed", "prefetch") %in% names(env))) return(NULL)
  fn <- env$fn
  completed <- env$completed
  list(
    fn = function() tryCatch(fn(), python.builtin.StopIteration = function(cnd) completed),
    ends = function(value) identical(value, completed)
  )
}

# What the host calls for the batches of an iterator: `fn`, and `ends`. Values that the iterator fetched before the call
# come first; only then is it asked, because each crossing costs as much as a quick function. After the call, the
# iterator knows whether it has ended.
iterated_calls <- function(source) {
  python <- lapply(stats::setNames(nm = c("take_fetched", "is_over", "end")), core_function, "r.reticulate.iterators")
  iterator <- source$iterator
  over <- new.env()
  asks <- TRUE
  fn <- function() {
    if (asks) {
      if (!is.null(fetched <- cross(python$take_fetched, iterator))) return(fetched$value)
      if (cross(python$is_over, iterator)) return(over)
      asks <<- FALSE
    }
    value <- source$fn()
    if (!source$ends(value)) return(value)
    cross(python$end, iterator)
    asks <<- TRUE
    over
  }
  list(fn = fn, ends = function(value) identical(value, over))
}

# The function to call if Python code calls `fn`: that of an iterator, which Python code reads, raises its errors.
function_called <- function(fn) {
  iterated <- iterated_function(fn)
  if (is.null(iterated)) return(fn)
  function() {
    value <- iterated$fn()
    if (iterated$ends(value)) signalCondition(reticulate::import_builtins(convert = FALSE)$StopIteration())
    value
  }
}

# Callbacks. Keras's cross unchanged. A plain named list of R functions, a *table* of hooks, stays in R, where the host
# calls the hooks (rule 4). So do the methods of an R6 object of the package keras.

hook_names <- paste0("on_", c(
  "epoch_begin", "epoch_end", "train_begin", "train_end", "test_begin", "test_end", "predict_begin", "predict_end",
  "batch_begin", "batch_end", "train_batch_begin", "train_batch_end", "test_batch_begin", "test_batch_end",
  "predict_batch_begin", "predict_batch_end"
))

# Splits `callbacks` into the tables and what crosses, in order: Python objects, and the numbers of the tables with the
# names of their hooks.
collect_callbacks <- function(callbacks) {
  if (is.null(callbacks)) return(list(tables = list(), crossing = list()))
  callbacks <- several_callbacks(callbacks)
  if (!is.list(callbacks)) refuse_callback(callbacks)
  views <- vapply(callbacks, is_view, NA)
  callbacks <- c(callbacks[!views], unlist(lapply(callbacks[views], parts_of_view), recursive = FALSE))
  tables <- list()
  crossing <- lapply(unname(callbacks), function(callback) {
    if (is_python(callback)) return(check_alive(callback, "callbacks"))
    if (is_keras_object(callback)) callback <- table_of(callback) else check_table(callback)
    tables[[length(tables) + 1L]] <<- callback
    list(table = length(tables), hooks = as.list(names(callback)))
  })
  list(tables = tables, crossing = crossing)
}

# The callbacks as a list, where one may be given by itself.
several_callbacks <- function(callbacks) {
  single <- is_table(callbacks) || is_python(callbacks) || is_keras_object(callbacks) || is_view(callbacks)
  if (single) list(callbacks) else callbacks
}

# Whether `x` is an object of the R6 class `KerasCallback` of keras, or of a class that inherits from it.
is_keras_object <- function(x) inherits(x, "KerasCallback")

# The methods of such an object, as a table. keras calls `set_context` before the first hook, and `on_batch_begin`
# instead of `on_train_batch_begin` where both do something. Methods that do nothing are left out: a hook for every
# batch costs a hand-over between threads.
table_of <- function(object) {
  names <- c("set_context", hook_names)
  table <- stats::setNames(lapply(names, function(name) object[[name]]), names)
  table <- Filter(function(method) is.function(method) && !does_nothing(method), table)
  replaced <- sub("on_batch_", "on_train_batch_", grep("^on_batch_", names(table), value = TRUE))
  table[setdiff(names(table), replaced)]
}

# Whether a function has no body.
does_nothing <- function(fn) {
  code <- body(fn)
  is.null(code) || (is.call(code) && identical(code[[1L]], as.name("{")) && length(code) == 1L)
}

is_table <- function(x) {
  is.list(x) && length(x) && !is.null(names(x)) && all(vapply(x, is.function, NA))
}

check_table <- function(x) {
  if (!is_table(x)) refuse_callback(x)
  if (anyDuplicated(names(x))) {
    abort_argument(sprintf(
      "`callbacks` contains a list with two functions named `%s`; put them into separate lists.",
      names(x)[[anyDuplicated(names(x))]]
    ), "callbacks")
  }
  unknown <- setdiff(names(x), hook_names)
  if (length(unknown)) {
    abort_argument(sprintf(
      "`callbacks` contains a function named `%s`, which is not a hook; the hooks are %s.",
      unknown[[1L]], paste(hook_names, collapse = ", ")
    ), "callbacks")
  }
}

refuse_callback <- function(x) {
  abort_argument(sprintf(
    "`callbacks` must hold Keras callbacks, or named lists of functions such as %s, not %s.",
    "list(on_epoch_end = function(epoch, logs) ...)", describe(x)
  ), "callbacks")
}

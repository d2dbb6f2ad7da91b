# Models for users who have reticulate and Keras, but neither keras3 nor keras: making, compiling and inspecting them.

#' Make a Keras model
#'
#' `keras_model()` makes a model from its inputs and outputs, `keras_model_sequential()` from a sequence of layers. The
#' layers come from Python: `keras <- reticulate::import("keras")`, then `keras$layers$Dense(10L)`.
#'
#' These functions, and those on the pages below, are for users who have reticulate and Keras, but neither keras3 nor
#' keras. If one of these packages is attached, its own functions take precedence over those with the same names here,
#' whichever package was attached first. Models are the same Python objects whichever package made them.
#'
#' @param inputs,outputs The input and the output of the model (`keras$Input(...)`, and what a layer returns for it), or
#'   lists of several.
#' @param ... Further arguments of Keras's `Model`, such as `name`.
#' @param input_shape Shape of one sample, such as `c(28, 28, 1)`; `NA` leaves a length open. `NULL`: the model is built
#'   from the first batch. A list of layers is treated as `layers`.
#' @param name Name of the model. `NULL`: Keras chooses one.
#' @param layers A list of layers.
#'
#' @return A Keras model, a Python object. An invalid `input_shape` raises a `fitgenerator_argument_error`; an error of
#'   Keras, a `fitgenerator_python_error`.
#' @seealso [compile()], [fit()], [evaluate()], [predict()][predict.keras.src.trainers.trainer.Trainer()],
#'   [train_on_batch()], [get_layer()], [fit_generator()]
#' @examplesIf fitgenerator:::has_keras()
#' layers <- reticulate::import("keras")$layers
#' model <- keras_model_sequential(2, layers = list(layers$Dense(4L, "relu"), layers$Dense(1L)))
#' model
#'
#' input <- layers$Input(list(2L))
#' keras_model(input, layers$Dense(1L)(input))
#' @export
keras_model <- function(inputs, outputs, ...) {
  ask(keras_function("Model"), inputs = inputs, outputs = outputs, ...)
}

#' @rdname keras_model
#' @export
keras_model_sequential <- function(input_shape = NULL, name = NULL, layers = list()) {
  if (is_python(input_shape)) input_shape <- list(input_shape)
  if (length(input_shape) && all(vapply(input_shape, is_python, NA))) {
    layers <- c(input_shape, layers)
    input_shape <- NULL
  }
  if (is_python(layers)) layers <- list(layers)
  if (!is.null(input_shape)) layers <- c(ask(keras_function("Input"), shape = as_shape(input_shape)), layers)
  ask(keras_function("Sequential"), layers = unname(layers), name = name)
}

keras_function <- function(name) {
  core()
  reticulate::py_get_attr(reticulate::import("keras", convert = TRUE), name)
}

# A shape in Keras's form: whole numbers, and `NULL` for `NA`.
as_shape <- function(x) {
  lengths <- as.list(x)
  if (!all(vapply(lengths, function(n) length(n) <= 1L && (is.null(n) || is.na(n) || is_whole(n) && n > 0), NA))) {
    abort_argument(sprintf("`input_shape` must be whole numbers of at least 1, or NA, not %s.", shown(x)),
                   "input_shape")
  }
  lapply(lengths, function(n) if (is.null(n) || is.na(n)) NULL else as_whole(n))
}

#' Compile a Keras model
#'
#' Sets the optimizer, the loss and the metrics that a model is trained with. The model itself is changed.
#'
#' @param object A Keras model.
#' @param optimizer Name of an optimizer, or one made in Python: `keras$optimizers$SGD(0.1)`.
#' @param loss Name of a loss, a Python object, or an R function of the targets and the outputs, which are tensors; for
#'   a model with several outputs, a list of these. `NULL`: the model has a loss of its own, or is not trained.
#' @param metrics,weighted_metrics Names of metrics, or a list of names, Python objects and R functions; for a model
#'   with several outputs, a list of these. The metric of an R function has its name in the list,
#'   `list("mae", dice = function(y_true, y_pred) ...)`; without one, Keras names it `python_function`. Of the metrics,
#'   only `weighted_metrics` use sample weights and class weights; the loss always does. `NULL`: none.
#' @param loss_weights Weights of the losses of several outputs: a (named) list or vector. `NULL`: all 1.
#' @param ... Further arguments of Keras's `compile`: `run_eagerly`, `steps_per_execution`, `jit_compile`.
#'
#' @return `object`, invisibly. An error of Keras is raised as a `fitgenerator_python_error`.
#' @seealso [keras_model()], [fit()]
#' @examplesIf fitgenerator:::has_keras()
#' layers <- reticulate::import("keras")$layers
#' model <- keras_model_sequential(2, layers = list(layers$Dense(1L, "sigmoid")))
#' compile(model, "adam", "binary_crossentropy", metrics = "accuracy")
#' @importFrom generics compile
#' @rawNamespace export(compile)
#' @name compile
NULL

#' @rdname compile
#' @method compile keras.src.trainers.trainer.Trainer
#' @export
compile.keras.src.trainers.trainer.Trainer <- function( # nolint: object_length_linter, object_name_linter.
  object, optimizer = "rmsprop", loss = NULL, metrics = NULL, loss_weights = NULL, weighted_metrics = NULL, ...
) {
  check_model(object)
  arguments <- list(optimizer = optimizer, loss = as_several(loss), metrics = as_metrics(metrics, object),
                    loss_weights = if (!is.null(loss_weights)) as.list(loss_weights),
                    weighted_metrics = as_metrics(weighted_metrics, object), ...)
  if (!is.null(arguments$steps_per_execution)) {
    arguments$steps_per_execution <- check_whole(arguments$steps_per_execution, "steps_per_execution", 1L)
  }
  do.call(ask, c(object$compile, arguments), quote = TRUE)
  invisible(object)
}

#' @method compile tf_keras.src.utils.version_utils.ModelVersionSelector
#' @export
#' @noRd
compile.tf_keras.src.utils.version_utils.ModelVersionSelector <- # nolint: object_length_linter, object_name_linter.
  compile.keras.src.trainers.trainer.Trainer

# Several names become a list, because reticulate converts a character vector of length one to a string.
as_several <- function(x) if (is.character(x) && length(x) > 1L) as.list(x) else x

as_metrics <- function(x, object) {
  if (is.function(x) || is_python(x)) return(list(x))
  if (is.character(x)) return(as.list(x))
  outputs <- outputs_of(object)
  unnamed <- is.null(outputs) && any(names(x) == "") # so that the names cannot be those of outputs
  x <- lapply(x, function(metric) if (is_plain_list(metric)) unname(named_metrics(metric)) else as_several(metric))
  x <- named_metrics(x, outputs)
  # Keras takes a named list for one by output.
  one <- length(outputs) == 1L && !any(setdiff(names(x), "") %in% outputs)
  if (unnamed || one) unname(x) else x
}

is_plain_list <- function(x) is.list(x) && !is_python(x)

# The names of a model's outputs; "" for one without a name, `NULL` where they are not known.
outputs_of <- function(object) {
  names <- if (reticulate::py_has_attr(object, "output_names")) object$output_names
  if (!is.null(names)) return(unlist(if (is_python(names)) reticulate::iterate(names) else names))
  if (reticulate::py_has_attr(object, "pop")) "" # a sequential model
}

# Keras shows R functions as metrics of the names that they have in the list, unless these are names of `outputs`.
# reticulate gives a function the name in this attribute, which `custom_metric()` of keras sets too.
named_metrics <- function(x, outputs = NULL) {
  for (i in which(!names(x) %in% c("", outputs))) {
    if (is.function(x[[i]]) && !is_python(x[[i]]) && is.null(attr(x[[i]], "py_function_name"))) {
      attr(x[[i]], "py_function_name") <- names(x)[[i]]
    }
  }
  x
}

#' Layers and configuration of a Keras model
#'
#' Find a layer, remove the last one, and show what a model consists of.
#'
#' @param object A Keras model; for `get_config()`, any Keras object with a configuration.
#' @param name Name of a layer. Give either `name` or `index`.
#' @param index Number of a layer, counted from 1; negative numbers count from the last layer.
#'
#' @return `get_layer()`: the layer. `pop_layer()` removes the last layer of a sequential model and returns the model,
#'   invisibly. `get_config()`: the configuration, a named list. `summary()` prints the layers with their shapes and
#'   numbers of weights, and returns the printed text, invisibly. A layer that does not exist is an error, of class
#'   `fitgenerator_argument_error` for `index` and `fitgenerator_python_error` for `name`.
#' @seealso [keras_model()]
#' @examplesIf fitgenerator:::has_keras()
#' layers <- reticulate::import("keras")$layers
#' model <- keras_model_sequential(2, layers = list(layers$Dense(4L), layers$Dense(1L, name = "last")))
#' get_layer(model, "last")
#' get_config(get_layer(model, index = 1))$units
#' summary(pop_layer(model))
#' @export
get_layer <- function(object, name = NULL, index = NULL) {
  check_model(object)
  if (is.null(name) == is.null(index)) {
    abort_argument("`get_layer()` needs either the `name` of a layer or its `index`.", "name")
  }
  if (is.numeric(name)) {
    index <- name
    name <- NULL
  }
  if (is.null(index)) return(ask(object$get_layer, name = name))
  count <- length(object$layers)
  if (!is_whole(index) || !abs(as_whole(index)) %in% seq_len(count)) {
    abort_argument(sprintf(
      "`index` must be a whole number from 1 to %d, the number of layers, or from -%d to -1, not %s.",
      count, count, shown(index)
    ), "index")
  }
  index <- as_whole(index)
  object$layers[[if (index < 0L) count + 1L + index else index]]
}

#' @rdname get_layer
#' @export
pop_layer <- function(object) {
  check_model(object)
  if (!reticulate::py_has_attr(object, "pop")) {
    abort_argument(sprintf("`object` must be a sequential model, not %s.", describe(object)), "object")
  }
  ask(object$pop)
  invisible(object)
}

#' @rdname get_layer
#' @export
get_config <- function(object) {
  check_model(object)
  ask(object$get_config)
}

#' @rdname get_layer
#' @param ... Further arguments of Keras's `summary`, such as `expand_nested = TRUE`.
#' @param width Number of characters per line, at least 20.
#' @method summary keras.src.trainers.trainer.Trainer
#' @export
summary.keras.src.trainers.trainer.Trainer <- function( # nolint: object_length_linter, object_name_linter.
  object, ..., width = getOption("width")
) {
  check_model(object)
  text <- ask(core("steps.single_batch")$summary, object, check_whole(width, "width", 20L), ...)
  cat(text)
  invisible(text)
}

#' @method summary tf_keras.src.utils.version_utils.ModelVersionSelector
#' @export
#' @noRd
summary.tf_keras.src.utils.version_utils.ModelVersionSelector <- # nolint: object_length_linter, object_name_linter.
  summary.keras.src.trainers.trainer.Trainer

#' Train, test or predict on one batch
#'
#' Runs a single step of the model. The loss and the metrics are those of this batch alone.
#'
#' @inheritParams fit
#' @param object A compiled Keras model. For `predict_on_batch()`, it need not be compiled.
#' @param x Inputs: an array, matrix, data frame or sparse `Matrix` whose first dimension is the rows, or a list of
#'   several, by position or by name.
#' @param y Targets, in the same form, with the same number of rows. `NULL` if the model needs none.
#' @param sample_weight Weights of the rows; for several outputs, a list. `NULL`: all 1.
#'
#' @return `train_on_batch()` and `test_on_batch()`: a named list of numbers, the loss, then the metrics.
#'   `predict_on_batch()`: an array whose first dimension is the rows, or, for a model with several outputs, a (named)
#'   list of arrays. Data that does not fit the model raises a `fitgenerator_batch_error`.
#' @seealso [fit()], [fit_generator()]
#' @examplesIf fitgenerator:::has_keras()
#' model <- keras_model_sequential(2, layers = list(reticulate::import("keras")$layers$Dense(1L)))
#' compile(model, "sgd", "mse")
#' x <- matrix(rnorm(64), ncol = 2)
#' train_on_batch(model, x, rowSums(x))
#' test_on_batch(model, x, rowSums(x))
#' predict_on_batch(model, x[1:3, ])
#' @export
train_on_batch <- function(object, x, y = NULL, sample_weight = NULL, class_weight = NULL) {
  check_model(object)
  check_targets(object, x, y, "fit")
  on_batch("train", object, data_of(x, y, sample_weight), check_class_weight(class_weight))
}

#' @rdname train_on_batch
#' @export
test_on_batch <- function(object, x, y = NULL, sample_weight = NULL) {
  check_model(object)
  check_targets(object, x, y, "evaluate")
  on_batch("test", object, data_of(x, y, sample_weight))
}

#' @rdname train_on_batch
#' @export
predict_on_batch <- function(object, x) on_batch("predict", object, inputs_of(x))

data_of <- function(x, y, sample_weight) {
  parts <- inputs_of(x)
  if (!is.null(y)) parts[[2L]] <- as_part(y, "y", NULL, NULL)
  if (!is.null(sample_weight)) parts[[3L]] <- as_part(sample_weight, "sample_weight", NULL, NULL)
  parts
}

on_batch <- function(mode, object, parts, class_weight = NULL) {
  check_model(object)
  ask(core("steps.single_batch")$run, mode, object, parts, class_weight)
}

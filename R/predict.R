#' Predict for the inputs of batches from a generator
#'
#' The generator runs in parallel to the model, as in [fit_generator()]. A batch may be inputs alone, `list(inputs)`,
#' or what [fit_generator()] takes, whose targets and weights are ignored.
#'
#' @inheritParams fit_generator
#' @param steps Number of batches to predict, at least 1. Missing or `NULL`: the generator's length, where it has
#'   one (closures have none).
#' @param callbacks A list of callbacks with `on_predict_*` hooks; see [fit_generator()].
#'
#' @return The predictions for all rows, in the order of the batches: an array, or the model's (named) list of arrays.
#' @seealso [fit_generator()]; its sections say what a generator may return and which errors there are.
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' model <- keras$Sequential(list(keras$layers$Input(list(2L)), keras$layers$Dense(1L)))
#' dim(predict_generator(model, function() matrix(rnorm(64), ncol = 2), steps = 5))
#' @export
predict_generator <- function(object, generator, steps, max_queue_size = 10, verbose = 0, workers = 1,
                              callbacks = NULL, timeout = NULL, jit_compile = "auto") {
  check_model(object)
  check_source(generator, "generator")
  arguments <- common_arguments(max_queue_size, workers, timeout, jit_compile, verbose)
  steps <- if (!missing(steps)) steps
  arguments <- c(arguments, list(steps = check_whole(steps, "steps", 1L, null = TRUE)))
  run_session("predict", object, list(generator = generator), callbacks, arguments, shape = as_inputs)
}

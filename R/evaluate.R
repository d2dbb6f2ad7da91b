#' Evaluate a model on batches from a generator
#'
#' The generator runs in parallel to the model, as in [fit_generator()].
#'
#' @inheritParams fit_generator
#' @param steps Number of batches to evaluate on, at least 1. Missing or `NULL`: the generator's length, where it
#'   has one (closures have none).
#' @param callbacks A list of callbacks with `on_test_*` hooks; see [fit_generator()].
#'
#' @return A named list of numbers: the loss and the metrics over all rows of the batches.
#' @seealso [fit_generator()]; its sections say what a generator may return and which errors there are.
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' model <- keras$Sequential(list(keras$layers$Input(list(2L)), keras$layers$Dense(1L)))
#' model$compile(loss = "mse")
#' evaluate_generator(model, function() list(matrix(rnorm(64), ncol = 2), rnorm(32)), steps = 5)
#' @export
evaluate_generator <- function(object, generator, steps, max_queue_size = 10, workers = 1, callbacks = NULL,
                               timeout = NULL, jit_compile = "auto", verbose = 0) {
  check_model(object)
  check_source(generator, "generator")
  arguments <- common_arguments(max_queue_size, workers, timeout, jit_compile, verbose)
  steps <- if (!missing(steps)) steps
  arguments <- c(arguments, list(steps = check_whole(steps, "steps", 1L, null = TRUE)))
  scores <- run_session("evaluate", object, list(generator = generator), callbacks, arguments)
  as.list(scores)
}

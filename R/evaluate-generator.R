#' Evaluate a model on batches from a generator
#'
#' Evaluates a Keras model on `steps` batches that a generator supplies, in parallel with the model. The page
#' [generators] describes what a generator may be and return. The next call with the same R function continues with the
#' next batch.
#'
#' @inheritParams fit_generator
#' @inheritSection fit_generator Errors and interrupts
#' @param object A compiled Keras model, as for [fit_generator()].
#' @param steps Number of batches to evaluate on, at least 1. A number that is not whole is rounded down, with a
#'   warning. Missing or `NULL`: the length of the generator, or all of its batches if it can be read again. Required
#'   for R functions and iterators.
#' @param callbacks A list of Keras callbacks and of named lists of R functions, with the hooks `on_test_begin`,
#'   `on_test_end`, `on_test_batch_begin` and `on_test_batch_end`; see [fit_generator()]. `NULL`: none.
#' @param verbose 0: silent. 1: a progress bar where output can be overwritten, elsewhere one line. 2: one line.
#'
#' @return A named list of numbers: the loss, then the metrics in the order of `compile()`, over all samples of all
#'   batches. Each sample (or its weight) counts equally, whatever the size of its batch. If the generator ended too
#'   early, the numbers are those of the batches that came, with a warning of class `fitgenerator_ended_warning`.
#' @seealso [fit_generator()], [predict_generator()], [generators], [fitgenerator_conditions]
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' layers <- keras$layers
#' model <- keras$Sequential(list(layers$Input(list(2L)), layers$Dense(1L)))
#' model$compile(loss = "mse", metrics = list("mae"))
#'
#' evaluate_generator(model, function() list(matrix(rnorm(64), ncol = 2), rnorm(32)), steps = 5)
#' @export
evaluate_generator <- function(object, generator, steps, max_queue_size = 10, workers = NULL, callbacks = NULL,
                               timeout = NULL, jit_compile = "auto", verbose = 0) {
  size <- if (!missing(max_queue_size)) check_whole(max_queue_size, "max_queue_size", 0L)
  arguments <- common_arguments(verbose, size, workers, timeout, jit_compile)
  as.list(run_round("evaluate", object, generator, if (!missing(steps)) steps, callbacks, arguments))
}

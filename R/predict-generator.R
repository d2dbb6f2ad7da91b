#' Predict for the inputs of batches from a generator
#'
#' The generator runs in parallel to the model, as in [fit_generator()], whose page says what a generator is. A batch
#' may be inputs alone, an array or `list(inputs)`, or what [fit_generator()] takes, whose targets and weights are
#' ignored. Several inputs are a list of their own, `list(list(a, b))`, or a named list.
#'
#' The generator is called once for each of `steps` batches; the next call goes on with the next batch. So begin anew
#' where row 1 of the result is to be row 1 of your data, as in the example.
#'
#' @inheritParams fit_generator
#' @param object A Keras model on TensorFlow; it need not be compiled.
#' @param steps Number of batches to predict, a whole number of at least 1. Missing or `NULL`: the generator's length,
#'   or until it ends (R functions have no length: for them it is needed).
#' @param callbacks A list of Keras callbacks and of named lists of R functions, with the hooks `on_predict_begin`,
#'   `on_predict_end`, `on_predict_batch_begin` and `on_predict_batch_end`. `NULL`: none.
#' @param verbose 0: silent. 1: a progress bar where output can be overwritten, else one line. 2: one line.
#'
#' @return The predictions for all samples, in the order of the batches: an array whose first dimension is the samples,
#'   or the model's (named) list of such arrays. If the generator ended early, those of the batches that came, with a
#'   warning.
#' @seealso [fit_generator()], [evaluate_generator()], [generators], [fitgenerator_conditions]
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' layers <- keras$layers
#' model <- keras$Sequential(list(layers$Input(list(2L)), layers$Dense(1L)))
#'
#' # All rows of `x` once, in batches of 32; the last one is smaller.
#' x <- matrix(rnorm(200), ncol = 2)
#' in_turn <- function(x, size = 32) {
#'   at <- 0
#'   function() {
#'     rows <- seq.int(at + 1, min(at + size, nrow(x)))
#'     at <<- at + size
#'     x[rows, , drop = FALSE]
#'   }
#' }
#' dim(predict_generator(model, in_turn(x), steps = ceiling(nrow(x) / 32)))
#' @export
predict_generator <- function(object, generator, steps, max_queue_size = 10, verbose = 0, workers = 1,
                              callbacks = NULL, timeout = NULL, jit_compile = "auto") {
  arguments <- common_arguments(verbose, max_queue_size, workers, timeout, jit_compile)
  steps <- if (!missing(steps)) steps
  run_round("predict", object, generator, steps, callbacks, arguments, convert = as_inputs)
}

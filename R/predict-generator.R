#' Predict from batches of a generator
#'
#' Predicts for the inputs of `steps` batches that a generator supplies, in parallel with the model. A batch may be the
#' inputs alone, as an array or as `list(inputs)`; several inputs are a list within that list, `list(list(a, b))`, or a
#' named list. It may also be a batch for [fit_generator()], whose targets and weights are ignored; so is a list with
#' names such as `x` and `y`, or `inputs` and `targets`, unless these are the names of the model's inputs. If the names
#' of the inputs are not known (a model of a class of your own), all names of the list must be such names. The page
#' [generators] describes what else a generator may be and return.
#'
#' The next call with the same R function continues with the next batch. Create a new generator if row 1 of the result
#' is to be row 1 of your data, as in the example.
#'
#' @inheritParams fit_generator
#' @inheritSection fit_generator Errors and interrupts
#' @param object A Keras model, as for [fit_generator()]. It need not be compiled.
#' @param steps Number of batches to predict, at least 1. A number that is not whole is rounded down, with a warning
#'   that states how many rows are left out, where that is known. Missing or `NULL`: the length of the generator, or all
#'   of its batches if it can be read again. Required for R functions and iterators.
#' @param callbacks A list of Keras callbacks and of named lists of R functions, with the hooks `on_predict_begin`,
#'   `on_predict_end`, `on_predict_batch_begin` and `on_predict_batch_end`; see [fit_generator()]. `NULL`: none.
#' @param verbose 0: silent. 1: a progress bar where output can be overwritten, elsewhere one line. 2: one line.
#'
#' @return The predictions for all samples, in the order of the batches: an array whose first dimension is the samples,
#'   or, for a model with several outputs, a (named) list of such arrays. Of several processes (see
#'   `vignette("replicas")`), each gets the rows of its own batches. If the generator ended too early, the rows are
#'   those of the batches that came, with a warning of class `fitgenerator_ended_warning`. A generator that shuffles
#'   raises a warning of class `fitgenerator_shuffled_warning`.
#' @seealso [fit_generator()], [evaluate_generator()], [generators], [fitgenerator_conditions]
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' layers <- keras$layers
#' model <- keras$Sequential(list(layers$Input(list(2L)), layers$Dense(1L)))
#'
#' # All rows of `x` once, in batches of 32; the last batch is smaller.
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
predict_generator <- function(object, generator, steps, max_queue_size = 10, verbose = 0, workers = NULL,
                              callbacks = NULL, timeout = NULL, jit_compile = "auto") {
  size <- if (!missing(max_queue_size)) check_whole(max_queue_size, "max_queue_size", 0L)
  arguments <- common_arguments(verbose, size, workers, timeout, jit_compile)
  steps <- if (!missing(steps)) steps
  run_round("predict", object, generator, steps, callbacks, arguments)
}

#' Batches that a function makes by their number
#'
#' A generator for [fit_generator()] and its kin that, unlike a closure, has a length, can be read again, and can be
#' shuffled. `steps_per_epoch` can be left out; as validation data it begins with its first batch each time; and a
#' training that a [checkpoint()] or `initial_epoch` resumes goes on with the batches that it would have got.
#'
#' @section Random numbers:
#' With `seed`, the random numbers that `fn` draws for a batch follow from the seed, the number of the epoch and that of
#' the batch alone, whenever the batch is made: each is made after a `set.seed()` of its own, which the session does not
#' notice. Without, `fn` draws as a closure does, see [fit_generator()].
#'
#' @param fn A function of the number of a batch, from 1 to `length`; or, where it needs two arguments, of that and the
#'   number of the epoch, which counts from 0, as for callbacks. It returns what a closure returns, see
#'   [fit_generator()], and runs on R's own thread.
#' @param length Number of batches of a pass, at least 1.
#' @param shuffle Whether the batches come in a new order in each pass. The orders follow from `seed` and the number of
#'   the pass.
#' @param seed A whole number of at least 0; `NULL`: the orders follow from the session's random numbers.
#' @param on_epoch_end `NULL`, or a function that is called when a pass has been drawn and the next one begins, with the
#'   number of the one that ended, from 0, where it takes an argument. It is not called after the last pass.
#'
#' @return An object of class `fitgenerator_sequence`.
#' @seealso [flow_from_data()], which makes batches of arrays by itself.
#' @examplesIf fitgenerator:::has_keras()
#' x <- matrix(rnorm(320), ncol = 2)
#' y <- x %*% c(1, -1)
#'
#' # Noise that differs from epoch to epoch, and is the same when the training is resumed.
#' noisy <- batch_sequence(function(i) {
#'   rows <- 16 * (i - 1) + 1:16
#'   list(x[rows, ] + rnorm(32, sd = 0.1), y[rows, , drop = FALSE])
#' }, length = 10, shuffle = TRUE, seed = 1)
#'
#' keras <- reticulate::import("keras")
#' model <- keras$Sequential(list(keras$layers$Input(list(2L)), keras$layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse")
#' fit_generator(model, noisy, epochs = 3, verbose = 2)
#' @export
batch_sequence <- function(fn, length, shuffle = FALSE, seed = NULL, on_epoch_end = NULL) {
  check_function(fn, "fn")
  if (!is.null(on_epoch_end)) check_function(on_epoch_end, "on_epoch_end")
  takes <- index_args(fn)
  if (!takes %in% 1:2) {
    abort_argument(sprintf(
      "`fn` must take the number of a batch, or that and the number of the epoch, not %d arguments.", takes
    ), "fn")
  }
  structure(class = "fitgenerator_sequence", list(
    fn = fn,
    length = check_whole(length, "length", 1L),
    shuffle = check_flag(shuffle, "shuffle"),
    seed = check_seed(seed, shuffle),
    seeded = !is.null(seed),
    on_epoch_end = on_epoch_end
  ))
}

#' @export
#' @noRd
print.fitgenerator_sequence <- function(x, ...) {
  cat(sprintf("A sequence of %d batches%s\n", x$length, if (x$shuffle) ", shuffled" else ""))
  invisible(x)
}

#' @export
#' @noRd
length.fitgenerator_sequence <- function(x) unclass(x)$length

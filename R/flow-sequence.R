#' Batches that a function makes from their numbers
#'
#' Makes a generator for [fit_generator()], [evaluate_generator()] and [predict_generator()] from a function of the
#' number of a batch, or from a function of nothing that draws random numbers. Unlike a closure, it has a length, can be
#' read again, and can be shuffled: the number of steps can be omitted, each validation starts with the first batch, and
#' a training that is resumed by a [checkpoint()] or `initial_epoch` continues with the same batches as if it had not
#' stopped. Any other training goes on after the passes that earlier trainings have read of this object: calls of one
#' epoch each read the same batches as one call of all epochs. Evaluation, prediction and validation do not count.
#'
#' @section Random numbers:
#' With a `seed`, the random numbers that `fn` draws for a batch follow from the seed, the number of the epoch and the
#' number of the batch alone, whenever the batch is made. The random numbers of the session are not affected. Without a
#' `seed`, `fn` draws like any other generator (see [generators]) on R's own thread; with `workers` above 1, each call
#' draws a seed from the session's random numbers, so that the batches differ from those of R's own thread.
#'
#' @param fn A function of the number of a batch, from 1 to `length`. If it needs two arguments, the second is the
#'   number of the epoch, counted from 0 as for callbacks. Or a function without arguments. It returns a batch, see
#'   [generators], and runs on R's own thread, or with `workers` above 1 in other processes (see [workers]).
#' @param length Number of batches per pass, at least 1. `Inf`: passes have no end. The numbers of steps must then be
#'   given, each epoch begins with batch 1, and `shuffle` and `on_epoch_end` are errors.
#' @param shuffle Whether each pass has a new order of the batches, which follows from `seed` and the number of the
#'   pass.
#' @param seed A whole number of at least 0. `NULL`: the orders follow from R's random numbers.
#' @param on_epoch_end A function that is called after all batches of a pass have been fetched, before the next pass
#'   begins and before the call returns, with the number of the finished pass, counted from 0, if it takes an argument.
#'   A pass that is broken off is not reported. `NULL`: none.
#'
#' @return An object of class `fitgenerator_sequence`, whose `length()` is the number of batches per pass. An argument
#'   that is set later, as in `x$length <- 5`, makes another sequence, whose passes begin anew. Invalid arguments raise
#'   a `fitgenerator_argument_error`.
#' @seealso [flow_from_data()], which makes batches from arrays.
#' @examplesIf fitgenerator:::has_keras()
#' x <- matrix(rnorm(320), ncol = 2)
#' y <- x %*% c(1, -1)
#'
#' # Noise that differs from epoch to epoch, and is the same when a training is resumed.
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
  if (takes > 2L) {
    abort_argument(sprintf(
      "`fn` must take no argument, 1 (the number of a batch) or 2 (also the number of the epoch), not %d.", takes
    ), "fn")
  }
  endless <- identical(length, Inf)
  if (endless && (!isFALSE(shuffle) || !is.null(on_epoch_end))) {
    name <- if (isFALSE(shuffle)) "on_epoch_end" else "shuffle"
    text <- "`%s` must not be given with `length = Inf`: passes without an end have no order."
    abort_argument(sprintf(text, name), name)
  }
  structure(class = "fitgenerator_sequence", list(
    fn = fn,
    length = if (endless) Inf else check_whole(length, "length", 1L),
    shuffle = check_flag(shuffle, "shuffle"),
    seed = check_seed(seed, shuffle),
    seeded = !is.null(seed),
    on_epoch_end = on_epoch_end,
    share = c(0L, 1L), # the process that reads it, of how many
    state = new.env(parent = emptyenv())
  ))
}

# Sets `name` of a sequence, as in `x$length <- 5`. The result is another sequence, whose passes begin anew.
set_of_sequence <- function(x, name, value) {
  given <- unclass(x)
  if (!given$seeded) given["seed"] <- list(NULL)
  settings <- names(formals(batch_sequence))
  check_setting(name, settings)
  given[name] <- list(value)
  made <- do.call(batch_sequence, given[settings], quote = TRUE)
  if (given$share[[2L]] > 1L) share_of(made, given$share[[1L]], given$share[[2L]]) else made
}

check_setting <- function(name, settings) {
  if (is.character(name) && length(name) == 1L && name %in% settings) return(invisible(name))
  text <- "A sequence has no setting `%s`; its settings are `%s`."
  abort_argument(sprintf(text, cut_text(as.character(name)[1L]), paste(settings, collapse = "`, `")))
}

#' @export
#' @noRd
`$<-.fitgenerator_sequence` <- set_of_sequence # nolint: object_name_linter.

#' @export
#' @noRd
`[[<-.fitgenerator_sequence` <- set_of_sequence

#' @export
#' @noRd
`[<-.fitgenerator_sequence` <- function(x, i, value) {
  for (k in seq_along(i)) x[[i[[k]]]] <- value[[k]]
  x
}

# The passes of a sequence, as Python counts them. They know where the next training goes on, so that all calls share
# them. What was saved with an earlier session is gone.
passes_of <- function(x) {
  x <- unclass(x)
  state <- x$state
  if (is.null(state$passes) || reticulate::py_is_null_xptr(state$passes)) {
    length <- if (is.finite(x$length)) x$length
    state$passes <- cross(core_function("sequence"), length, x$shuffle, x$seed, as.list(x$share))
  }
  state$passes
}

#' @export
#' @noRd
print.fitgenerator_sequence <- function(x, ...) {
  count <- if (is.finite(unclass(x)$length)) sprintf("%d", length(x)) else "endless"
  cat(sprintf("A sequence of %s batches%s\n", count, if (x$shuffle) ", shuffled" else ""))
  invisible(x)
}

#' @export
#' @noRd
length.fitgenerator_sequence <- function(x) {
  x <- unclass(x)
  if (is.finite(x$length)) x$length %/% x$share[[2L]] else .Machine$integer.max # R has no longer length
}

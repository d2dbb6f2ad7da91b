# Arrays instead of a generator: `fit()`, `evaluate()` and `predict()` on the rows of arrays, by the same engine.

#' Train a model on arrays
#'
#' Trains on the rows of arrays, in batches. It is [fit_generator()] with a generator that takes its batches from the
#' arrays; a generator may be given as well. Callbacks, interrupts, errors and the history are therefore the same.
#'
#' @inheritParams fit_generator
#' @param object A compiled Keras model.
#' @param x Inputs: an array, matrix, data frame or sparse `Matrix` whose first dimension is the rows, or a list of
#'   several, by position or by name. Or what [fit_generator()] takes as `generator`.
#' @param y Targets, likewise. `NULL` where `x` is a generator, or the model has a loss without targets.
#' @param batch_size Rows of a batch. `NULL`: 32. Generators make batches by themselves.
#' @param validation_split Share of the rows, the last ones, to validate with instead of training on them; 0: none.
#' @param validation_data A list of arrays, `list(x, y)` or `list(x, y, sample_weight)`, or a generator. `NULL`: none,
#'   or what `validation_split` says.
#' @param shuffle Whether the rows are put in another order for each epoch, which follows from `set.seed()`.
#'   Generators have their own order.
#' @param sample_weight Weights of the rows, as many as there are rows; a list for several outputs. `NULL`: all 1.
#' @param steps_per_epoch Batches of one epoch. `NULL`: all of them. With a number the next epoch goes on where the
#'   last one ended.
#' @param validation_steps Batches of one validation. `NULL`: all of them.
#' @param validation_batch_size Rows of a batch in validation. `NULL`: as `batch_size`.
#' @param ... Not used; `view_metrics`, which keras has, is passed over.
#'
#' @return The history, invisibly, as from [fit_generator()].
#' @seealso [fit_generator()], [keras_model()], [compile()]
#' @examplesIf fitgenerator:::has_keras()
#' model <- keras_model_sequential(2, layers = list(reticulate::import("keras")$layers$Dense(1L)))
#' compile(model, "sgd", "mse")
#' x <- matrix(rnorm(200), ncol = 2)
#' history <- fit(model, x, x %*% c(1, -1), epochs = 5, validation_split = 0.2, verbose = 0)
#' history
#' evaluate(model, x, x %*% c(1, -1))
#' dim(predict(model, x))
#' @importFrom generics fit
#' @rawNamespace export(fit)
#' @name fit
NULL

#' @rdname fit
#' @method fit keras.src.trainers.trainer.Trainer
#' @export
fit.keras.src.trainers.trainer.Trainer <- function( # nolint: object_length_linter, object_name_linter.
  object, x, y = NULL, batch_size = NULL, epochs = 1, verbose = 1, callbacks = NULL, validation_split = 0,
  validation_data = NULL, shuffle = TRUE, class_weight = NULL, sample_weight = NULL, initial_epoch = 0,
  steps_per_epoch = NULL, validation_steps = NULL, validation_batch_size = NULL, validation_freq = 1, ...,
  max_queue_size = 10, workers = 1, timeout = NULL, jit_compile = "auto"
) {
  check_rest(..., but = "view_metrics")
  check_model(object)
  train <- as_rows(x, y, sample_weight, batch_size, seed_of_order(shuffle))
  if (is.null(validation_data) && check_share(validation_split) > 0) {
    halves <- split_rows(train, validation_split)
    train <- halves[[1L]]
    validation_data <- halves[[2L]]
  } else if (is.list(validation_data)) {
    check_fixed(validation_data, "validation_data")
    if (is.null(validation_batch_size)) validation_batch_size <- batch_size
    parts <- as_batch(validation_data, "validation_data", NULL)
    validation_data <- make_rows(parts, validation_batch_size, argument = "validation_data")
  }
  train_on(object, train, steps_per_epoch, epochs, verbose, callbacks, validation_data, validation_steps,
           class_weight, max_queue_size, initial_epoch, workers, validation_freq, timeout, jit_compile, name = "x")
}

#' Evaluate a model on arrays
#'
#' @inheritParams fit
#' @inheritParams evaluate_generator
#' @param object A compiled Keras model. Other objects are passed on to [generics::evaluate()].
#' @param steps Number of batches. `NULL`: all of them.
#'
#' @return A named list of numbers: the loss and the metrics over all rows.
#' @seealso [evaluate_generator()], [fit()]
#' @examplesIf fitgenerator:::has_keras()
#' model <- keras_model_sequential(2, layers = list(reticulate::import("keras")$layers$Dense(1L)))
#' compile(model, loss = "mse", metrics = "mae")
#' evaluate(model, matrix(rnorm(64), ncol = 2), rnorm(32))
#' @export
evaluate <- function(object, ...) UseMethod("evaluate")

# The generic of generics calls its first argument `x`, by which evaluate(model, x = , y = ) would look at the data.
# Not named as a method: that generic would find it from here.
#' @rawNamespace S3method(evaluate, default, evaluate_other)
#' @noRd
evaluate_other <- function(object, ...) generics::evaluate(object, ...)

#' @rdname evaluate
#' @method evaluate keras.src.trainers.trainer.Trainer
#' @export
evaluate.keras.src.trainers.trainer.Trainer <- function( # nolint: object_length_linter, object_name_linter.
  object, x, y = NULL, batch_size = NULL, verbose = 0, sample_weight = NULL, steps = NULL, callbacks = NULL, ...
) {
  check_rest(...)
  check_model(object)
  source <- as_rows(x, y, sample_weight, batch_size)
  as.list(run_round("evaluate", object, source, steps, callbacks, common_arguments(verbose), "x"))
}

#' Predict for arrays
#'
#' `predict_proba()` is `predict()`: what the model's last layer gives are probabilities where it is a softmax or a
#' sigmoid.
#'
#' @inheritParams fit
#' @inheritParams predict_generator
#' @param object A Keras model.
#' @param x Inputs: an array, matrix, data frame or sparse `Matrix` whose first dimension is the rows, or a list of
#'   several, by position or by name. Or what [predict_generator()] takes as `generator`.
#' @param steps Number of batches. `NULL`: all of them.
#'
#' @return The predictions for all rows, in order: an array, or the model's (named) list of arrays.
#' @seealso [predict_generator()], [fit()]
#' @examplesIf fitgenerator:::has_keras()
#' model <- keras_model_sequential(2, layers = list(reticulate::import("keras")$layers$Dense(1L)))
#' predict(model, matrix(rnorm(6), ncol = 2))
#' @method predict keras.src.trainers.trainer.Trainer
#' @export
predict.keras.src.trainers.trainer.Trainer <- function( # nolint: object_length_linter, object_name_linter.
  object, x, batch_size = NULL, verbose = 0, steps = NULL, callbacks = NULL, ...
) {
  check_rest(...)
  check_model(object)
  source <- if (is_source(x)) as_rows(x, NULL, NULL, batch_size) else make_rows(inputs_of(x), batch_size)
  run_round("predict", object, source, steps, callbacks, common_arguments(verbose), "x", as_inputs)
}

#' @rdname predict.keras.src.trainers.trainer.Trainer
#' @export
predict_proba <- function(object, x, batch_size = NULL, verbose = 0, steps = NULL) {
  stats::predict(object, x, batch_size = batch_size, verbose = verbose, steps = steps)
}

#' @method fit tf_keras.src.utils.version_utils.ModelVersionSelector
#' @export
#' @noRd
fit.tf_keras.src.utils.version_utils.ModelVersionSelector <- # nolint: object_length_linter, object_name_linter.
  fit.keras.src.trainers.trainer.Trainer

#' @method evaluate tf_keras.src.utils.version_utils.ModelVersionSelector
#' @export
#' @noRd
evaluate.tf_keras.src.utils.version_utils.ModelVersionSelector <- # nolint: object_length_linter, object_name_linter.
  evaluate.keras.src.trainers.trainer.Trainer

#' @method predict tf_keras.src.utils.version_utils.ModelVersionSelector
#' @export
#' @noRd
predict.tf_keras.src.utils.version_utils.ModelVersionSelector <- # nolint: object_length_linter, object_name_linter.
  predict.keras.src.trainers.trainer.Trainer

# Batches of rows, or the generator that `x` is.
as_rows <- function(x, y, sample_weight, batch_size, seed = NULL) {
  if (is.null(y) && is.null(sample_weight) && is_source(x)) {
    if (is.null(batch_size)) return(x)
    abort_argument("`batch_size` is for arrays; `x` gives batches by itself.", "batch_size")
  }
  parts <- c(inputs_of(x), list(if (!is.null(y)) as_part(y, "y", NULL, NULL)))
  if (!is.null(sample_weight)) parts[[3L]] <- as_part(sample_weight, "sample_weight", NULL, NULL)
  make_rows(parts, batch_size, seed)
}

inputs_of <- function(x) list(as_part(x, "x", NULL, NULL))

make_rows <- function(parts, batch_size, seed = NULL, argument = "") {
  size <- if (is.null(batch_size)) 32L else check_whole(batch_size, "batch_size", 1L)
  ask(reticulate::py_get_attr(core("flows.rows"), "rows"), parts, size, seed, argument)
}

split_rows <- function(rows, share) {
  if (is.function(rows) || !reticulate::py_has_attr(rows, "split")) {
    abort_argument("`validation_split` is for arrays; give `x` that makes batches by itself a `validation_data`.",
                   "validation_split")
  }
  ask(rows$split, share)
}

# Whether `x` makes batches by itself: a function, an object of R that does, or one of Python that is no array.
is_source <- function(x) {
  if (is_python(x)) return(!reticulate::py_has_attr(x, "shape"))
  is.function(x) || restarts(x) || inherits(x, c("coro_generator_instance", "iter"))
}

# The seed of the order of the rows, from the session's random numbers; `NULL` for the order that they have.
seed_of_order <- function(shuffle) {
  if (!isTRUE(shuffle) && !isFALSE(shuffle)) {
    abort_argument(sprintf("`shuffle` must be TRUE or FALSE, not %s.", shown(shuffle)), "shuffle")
  }
  if (shuffle) sample.int(.Machine$integer.max, 1L)
}

check_share <- function(x) {
  if (is_number(x) && x >= 0 && x < 1) return(x)
  abort_argument(sprintf("`validation_split` must be a number from 0 to below 1, not %s.", shown(x)),
                 "validation_split")
}

# Refuses what a method's `...` would swallow: most often a misspelt name.
check_rest <- function(..., but = character()) {
  rest <- setdiff(names(list(...)), but)
  if (...length() && is.null(names(list(...)))) rest <- "(without a name)"
  if (!length(rest)) return(invisible())
  today <- former_names[rest[[1L]]]
  advice <- if (!is.na(today)) sprintf(" It is `%s` now.", today) else ""
  abort_argument(sprintf("There is no argument `%s` here.%s", rest[[1L]], advice), rest[[1L]])
}

former_names <- c(nb_epoch = "epochs", max_q_size = "max_queue_size", nb_worker = "workers",
                  samples_per_epoch = "steps_per_epoch", nb_val_samples = "validation_steps")

# `fit()`, `evaluate()` and `predict()` on the rows of arrays, by the engine of `fit_generator()`.

#' Train a model on arrays
#'
#' Trains a Keras model on the rows of arrays, in batches. The function is [fit_generator()] with a generator that takes
#' its batches from the arrays. Callbacks, interrupts, errors and the history are therefore the same.
#'
#' @inheritParams fit_generator
#' @inheritSection fit_generator Callbacks
#' @inheritSection fit_generator Errors and interrupts
#' @param object A compiled Keras model.
#' @param x Inputs: an array, matrix, data frame or sparse `Matrix` whose first dimension is the rows, or a list of
#'   several, by position or by name. Or a generator, see [generators].
#' @param y Targets, in the same form, with the same number of rows. `NULL` if `x` is a generator, or if the loss of the
#'   model needs no targets.
#' @param batch_size Number of rows per batch, at least 1. `NULL`: 32, or what makes as many batches as are asked for.
#'   Must be `NULL` for a generator.
#' @param validation_split Fraction of the rows, from 0 to below 1, that are used for validation rather than for
#'   training: the last ones.
#' @param validation_data A list of arrays, `list(x, y)` or `list(x, y, sample_weight)`, or `list(x)` if the model needs
#'   no targets; or a generator. `NULL`: the rows that `validation_split` selects, if any.
#' @param shuffle Whether each epoch has a new order of the rows, which follows from R's random numbers. Does not apply
#'   to a generator.
#' @param sample_weight Weights of the rows, one per row; for several outputs, a list. `NULL`: all 1.
#' @param steps_per_epoch Number of batches per epoch, at least 1. `NULL`: all batches. If `batch_size` is `NULL` and
#'   `x` is data, the rows are cut into so many batches; otherwise, each epoch continues where the last one ended.
#' @param validation_steps Number of batches per validation, at least 1. `NULL`: all batches. If neither `batch_size`
#'   nor `validation_batch_size` is given, the rows of arrays are cut into so many batches.
#' @param validation_batch_size Number of rows per batch in a validation. `NULL`: `batch_size`.
#' @param ... Not used. `view_metrics`, an argument of keras, is ignored; other arguments are errors.
#'
#' @return The history, invisibly, as [fit_generator()] returns it.
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
  object, x, y = NULL, batch_size = NULL, epochs = 1, verbose = getOption("keras.fit_verbose", default = 1),
  callbacks = NULL, validation_split = 0,
  validation_data = NULL, shuffle = TRUE, class_weight = NULL, sample_weight = NULL, initial_epoch = 0,
  steps_per_epoch = NULL, validation_steps = NULL, validation_batch_size = NULL, validation_freq = 1, ...,
  max_queue_size = 10, workers = NULL, timeout = NULL, jit_compile = "auto"
) {
  check_rest(..., but = "view_metrics")
  check_model(object)
  steps_per_epoch <- check_steps(steps_per_epoch, "steps_per_epoch")
  steps <- if (is.null(batch_size)) steps_per_epoch
  check_targets(object, x, y, "fit")
  train <- as_rows(x, y, sample_weight, batch_size, steps, seed_of_order(shuffle))
  if (is.null(validation_batch_size)) validation_batch_size <- batch_size
  if (is.null(validation_data) && check_share(validation_split) > 0) {
    validation_steps <- check_steps(validation_steps, "validation_steps")
    halves <- split_rows(train, validation_split, steps, validation_batch_size, validation_steps)
    train <- halves[[1L]]
    validation_data <- halves[[2L]]
  } else if (is_fixed(validation_data)) {
    check_fixed(validation_data, "validation_data")
    validation_steps <- check_steps(validation_steps, "validation_steps")
    parts <- fixed_parts(validation_data, "validation_data", batch_forms_of("fit", object)$validation_data)
    validation_data <- make_rows(parts, validation_batch_size, validation_steps, argument = "validation_data")
  }
  size <- if (!missing(max_queue_size)) check_whole(max_queue_size, "max_queue_size", 0L)
  first <- if (!missing(initial_epoch)) initial_epoch
  train_on(object, train, steps_per_epoch, epochs, verbose, callbacks, validation_data, validation_steps,
           class_weight, size, first, workers, validation_freq, timeout, jit_compile, name = "x")
}

#' Evaluate a model on arrays
#'
#' Computes the loss and the metrics of a Keras model on the rows of arrays.
#'
#' @inheritParams fit
#' @inheritParams evaluate_generator
#' @param object A compiled Keras model. Other objects are passed on to [generics::evaluate()].
#' @param steps Number of batches, at least 1. `NULL`: all batches. If `batch_size` is `NULL` and `x` is data, the rows
#'   are cut into so many batches.
#'
#' @return A named list of numbers: the loss, then the metrics in the order of `compile()`, over all rows.
#' @seealso [evaluate_generator()], [fit()]
#' @examplesIf fitgenerator:::has_keras()
#' model <- keras_model_sequential(2, layers = list(reticulate::import("keras")$layers$Dense(1L)))
#' compile(model, loss = "mse", metrics = "mae")
#' evaluate(model, matrix(rnorm(64), ncol = 2), rnorm(32))
#' @export
evaluate <- function(object, ...) UseMethod("evaluate")

# The generic of the generics package names its first argument `x`, so that evaluate(model, x = , y = ) would dispatch
# on the data. The function has no method's name, because that generic would find it here.
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
  steps <- check_steps(steps, "steps")
  check_targets(object, x, y, "evaluate")
  source <- as_rows(x, y, sample_weight, batch_size, steps)
  as.list(run_round("evaluate", object, source, steps, callbacks, common_arguments(verbose), "x"))
}

#' Predict for arrays
#'
#' Computes the outputs of a Keras model for the rows of arrays. `predict_proba()` does the same: the outputs are
#' probabilities if the last layer of the model is a softmax or a sigmoid.
#'
#' @inheritParams fit
#' @inheritParams predict_generator
#' @param object A Keras model.
#' @param x Inputs: an array, matrix, data frame or sparse `Matrix` whose first dimension is the rows, or a list of
#'   several, by position or by name. Or a generator, see [generators].
#' @param steps Number of batches, at least 1. `NULL`: all batches. If `batch_size` is `NULL` and `x` is data, the rows
#'   are cut into so many batches.
#'
#' @return The predictions for all rows, in order: an array whose first dimension is the rows, or, for a model with
#'   several outputs, a (named) list of arrays.
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
  if (is.null(batch_size) && !is_source(x)) steps <- check_steps(steps, "steps")
  source <- if (is_source(x)) as_rows(x, NULL, NULL, batch_size) else make_rows(inputs_of(x), batch_size, steps)
  run_round("predict", object, source, steps, callbacks, common_arguments(verbose), "x")
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

# A source of batches of rows, or `x` itself if it is a generator.
as_rows <- function(x, y, sample_weight, batch_size, steps = NULL, seed = NULL) {
  if (is.null(y) && is.null(sample_weight) && is_source(x)) {
    if (is.null(batch_size)) return(x)
    abort_argument("`batch_size` must be NULL if `x` is a generator.", "batch_size")
  }
  parts <- c(inputs_of(x), list(if (!is.null(y)) as_part(y, "y", NULL, NULL)))
  if (!is.null(sample_weight)) parts[[3L]] <- as_part(sample_weight, "sample_weight", NULL, NULL)
  make_rows(parts, batch_size, steps, seed)
}

inputs_of <- function(x) list(as_part(x, "x", NULL, NULL))

# Refuses data without targets, if the model needs some in a call of `kind`.
check_targets <- function(object, x, y, kind) {
  if (!is.null(y) || is_source(x) || batch_forms_of(kind, object)$generator != "targets") return(invisible())
  abort_argument("`y` must be given: the model was compiled with a loss, which needs targets.", "y")
}

# Without a `batch_size`, the rows are cut into as many batches as there are `steps`, as in Keras; without both, into
# batches of 32.
make_rows <- function(parts, batch_size, steps = NULL, seed = NULL, argument = "") {
  size <- check_whole(batch_size, "batch_size", 1L, null = TRUE)
  ask(reticulate::py_get_attr(core("flows.rows"), "rows"), parts, size, seed, argument, steps)
}

# `steps` are those of the rows to train on, if they say how these are cut.
split_rows <- function(rows, share, steps, validation_batch_size, validation_steps) {
  if (is.function(rows) || !reticulate::py_has_attr(rows, "split")) {
    abort_argument("`validation_split` must be 0 if `x` is a generator; use `validation_data`.", "validation_split")
  }
  size <- check_whole(validation_batch_size, "validation_batch_size", 1L, null = TRUE)
  ask(rows$split, share, steps, size, validation_steps)
}

# Whether `x` is a generator rather than data: a function, a generator object of R, or a Python object that is no array.
is_source <- function(x) {
  if (is_python(x)) return(!reticulate::py_has_attr(check_alive(x, "x"), "shape"))
  is.function(x) || restarts(x) || inherits(x, c("coro_generator_instance", "iter"))
}

# The seed of the order of the rows, drawn from the session's random numbers; `NULL` if the order is not changed.
seed_of_order <- function(shuffle) {
  if (check_flag(shuffle, "shuffle")) sample.int(.Machine$integer.max, 1L)
}

check_share <- function(x) {
  if (is_number(x) && x >= 0 && x < 1) return(x)
  abort_argument(sprintf("`validation_split` must be a number from 0 to below 1, not %s.", shown(x)),
                 "validation_split")
}

# Raises an error for an argument that `...` of a method would otherwise swallow, usually a misspelt name.
check_rest <- function(..., but = character()) {
  rest <- setdiff(names(list(...)), but)
  if (...length() && is.null(names(list(...)))) rest <- "(without a name)"
  if (!length(rest)) return(invisible())
  new_name <- former_names[rest[[1L]]]
  advice <- if (!is.na(new_name)) sprintf(" It is now called `%s`.", new_name) else ""
  abort_argument(sprintf("There is no argument `%s`.%s", rest[[1L]], advice), rest[[1L]])
}

# The names of arguments before 2017, and their names since.
former_names <- c(nb_epoch = "epochs", max_q_size = "max_queue_size", nb_worker = "workers",
                  samples_per_epoch = "steps_per_epoch", nb_val_samples = "validation_steps")

#' Train a model on batches that a generator yields while the model trains
#'
#' Training runs on a background thread; the R session draws the next batches from your generator meanwhile, and
#' runs callbacks and everything else that is written in R. A closure as slow as a training step therefore costs
#' next to nothing.
#'
#' @section The generator:
#' A closure is called without arguments and returns one batch: `list(inputs, targets)` or
#' `list(inputs, targets, weights)`. Inputs, targets and weights are arrays whose first dimension is the rows
#' (samples) of the batch, the same number in all, or lists of arrays, by position or by name, where the model has
#' several. Doubles become the model's float type, integers `int32`, logicals `bool`, raw `uint8`, strings strings,
#' factors their codes from 0; a vector is an array of one dimension; a data frame of one type and a sparse `Matrix`
#' are matrices. The batches need not have the same number of rows. A closure that returns `NULL` (or the end value
#' of a coro generator) is finished.
#'
#' It runs on R's own thread, always, and may use the model (`predict_on_batch()`), Python and `gc()`. It is called
#' exactly `steps_per_epoch * (epochs - initial_epoch)` times, a validation closure `validation_steps` times per
#' validation, so that the next call goes on with the next batch. It runs at most `max_queue_size + 1` batches
#' ahead of the training; validation closures are drawn when the training queue is full or the epoch's training
#' batches are all drawn.
#'
#' @section Parallel R and other trainings:
#' The closure, and hooks, may use a PSOCK cluster, run other programs, and fork (`parallel::mclapply()`, doMC): the
#' child may do all that R does, but must not use the model or TensorFlow, whose threads it does not have. A closure
#' that Python calls through rpy2 cannot fork; that is an error. A closure or hook may call [fit_generator()] on
#' another model; on the model that is being trained this is an error. A closure may predict with
#' that model, but should not evaluate it: evaluating and training count in the same metrics.
#'
#' @section Random numbers:
#' The training closure draws from the session's random numbers; every other R function that the call runs has a
#' stream of its own, derived from the session's. So after the same `set.seed()` the history is the same, whatever
#' the queue and the load, and after the call the session's stream is where it was right after the last batch that
#' was trained on had been drawn. R functions that share other state (a counter, a file) see an order that timing
#' decides, unless `max_queue_size = 0`.
#'
#' @section Errors:
#' An error in the closure is raised when training reaches its batch, as a condition of class
#' `fitgenerator_generator_error` followed by the classes of the closure's own condition, which is its `parent`. A
#' value that is no batch is a `fitgenerator_batch_error`, a callback's error a `fitgenerator_callback_error`, a bad
#' argument a `fitgenerator_argument_error`, an exception of Python a `fitgenerator_python_error`; all are
#' `fitgenerator_error`s. A generator that ends early gives the warning `fitgenerator_ended_warning` and a history
#' that is marked incomplete. The model keeps the weights of the last finished step. An interrupt stops within one
#' step; [last_history()] then has the finished epochs.
#'
#' @param object A compiled model of Keras 3 or Keras 2 (`tf_keras`), made with reticulate, keras3 or keras.
#' @param generator A function without arguments that returns batches; a coro generator or an iterator of the package
#'   iterators; what [flow_from_data()], [flow_from_frame()], [flow_from_chunks()], [timeseries_generator()] or
#'   [batch_sequence()] return; or any Python iterator, data set (`tf.data.Dataset`), loader (PyTorch's `DataLoader`) or
#'   indexed source (`keras.utils.PyDataset`, image flows).
#' @param steps_per_epoch Number of batches of one epoch, at least 1. Missing or `NULL`: the generator's length,
#'   where it has one, or until it ends, where it can be read again (closures and iterators have neither).
#' @param epochs Number of the last epoch, counted from 1: `epochs - initial_epoch` epochs are trained.
#' @param verbose 0: silent. 1: a progress bar where it can be overwritten (a terminal, the console of RStudio or
#'   Positron), drawn with cli where that is installed; otherwise, as in a file or a knitted page, one line per epoch.
#'   2: one line per epoch.
#' @param callbacks A list of Keras callbacks and of plain named lists of R functions, such as
#'   `list(on_epoch_end = function(epoch, logs) ...)`; `epoch` and `batch` count from 0.
#' @param validation_data What `generator` may be, or a list of arrays `list(inputs, targets)` or
#'   `list(inputs, targets, weights)`, which is evaluated in batches of 32 rows. `NULL`: no validation.
#' @param validation_steps Number of batches of one validation. `NULL`: the length of `validation_data`.
#' @param class_weight Named list or vector, class (a whole number from 0) to weight, as in
#'   `list("0" = 1, "1" = 5)`. Multiplied with the weights in the batch. A class in the targets without a weight is
#'   an error.
#' @param max_queue_size Number of batches that may wait for the model. 0: each batch is drawn when its step needs
#'   it, and nothing runs in parallel.
#' @param initial_epoch Number of epochs that were trained before, to resume from; 0 for none. A [checkpoint()]
#'   among `callbacks` goes on by itself.
#' @param workers Number of threads that read an indexed Python source, its order kept; closures and iterators have
#'   one reader. 0 is the same as `max_queue_size = 0`.
#' @param validation_freq Validate every so many epochs; or, as a vector of two or more, after these epochs (from 1).
#' @param timeout Seconds to wait for one batch before it is an error, which shows where the generator stands; `NULL`:
#'   for ever. A closure is stopped like by an interrupt: where it waits in foreign code (`system()`, a data base),
#'   the error comes when that returns.
#' @param jit_compile Whether calls that run several steps are compiled by XLA, which is faster and changes the last
#'   digits: `"auto"`, for small models (up to 100,000 weights) without random layers and 10,000 steps or more;
#'   `TRUE`, always, random numbers then differ; `FALSE`, never. `pipeline` shows what was done.
#'
#' @return The training history, invisibly: a list of class `fitgenerator_history` and `keras_training_history` with
#'   `params`, `metrics` (one number per finished epoch), `epoch` (from 0), `incomplete` and `pipeline` (where the
#'   time went). It has methods for `print()`, `plot()` and `as.data.frame()`.
#' @seealso [evaluate_generator()], [predict_generator()], [last_history()], [checkpoint()]
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' model <- keras$Sequential(list(keras$layers$Input(list(2L)), keras$layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse")
#'
#' generator <- function() {
#'   x <- matrix(rnorm(64), ncol = 2)
#'   list(x, x %*% c(1, -1))
#' }
#' history <- fit_generator(model, generator, steps_per_epoch = 20, epochs = 3, verbose = 2)
#' history
#' @export
fit_generator <- function(object, generator, steps_per_epoch, epochs = 1, verbose = 1, callbacks = NULL,
                          validation_data = NULL, validation_steps = NULL, class_weight = NULL,
                          max_queue_size = 10, initial_epoch = 0, workers = 1, validation_freq = 1,
                          timeout = NULL, jit_compile = "auto") {
  check_model(object)
  check_source(generator, "generator")
  if (!is.null(validation_data)) check_source(validation_data, "validation_data")
  arguments <- common_arguments(max_queue_size, workers, timeout, jit_compile, verbose)
  steps <- if (!missing(steps_per_epoch)) steps_per_epoch
  arguments <- c(arguments, list(
    steps_per_epoch = check_whole(steps, "steps_per_epoch", 1L, null = TRUE),
    epochs = check_whole(epochs, "epochs", 0L),
    validation_steps = check_whole(validation_steps, "validation_steps", 1L, null = TRUE),
    class_weight = check_class_weight(class_weight),
    initial_epoch = check_whole(initial_epoch, "initial_epoch", 0L),
    validation_freq = check_frequency(validation_freq)
  ))
  sources <- list(generator = generator, validation_data = validation_data)
  parts <- run_session("fit", object, sources, callbacks, arguments)
  invisible(as_history(parts))
}

#' The history of the last call
#'
#' What [fit_generator()] returned last, or would have returned: after an error or an interrupt it holds the epochs
#' that were finished.
#'
#' @return A history as [fit_generator()] returns it; `NULL` before any call.
#' @examples
#' last_history()
#' @export
last_history <- function() {
  if (is.null(the$modules)) return(NULL)
  as_history(cross(core_function("last")))
}

as_history <- function(parts) {
  if (is.null(parts)) return(NULL)
  new_history(
    params = parts$params,
    metrics = lapply(parts$metrics, function(values) as.numeric(unlist(values))),
    pipeline = new_pipeline(parts$pipeline),
    incomplete = parts$incomplete,
    epochs = as.integer(unlist(parts$epoch))
  )
}

# For the examples and vignettes: whether there is something to train with.
has_keras <- function() {
  reticulate::py_available(initialize = TRUE) && reticulate::py_module_available("tensorflow") &&
    reticulate::py_module_available("keras")
}

#' Train a model on batches that a generator yields while the model trains
#'
#' The generator runs in parallel to the model, for efficiency: while the model trains on one batch, R makes the next
#' ones. So images, say, can be varied in R, on the CPU, while a GPU or the other cores train on those before, and a
#' generator that takes as long as a training step costs next to nothing.
#'
#' The generator is expected to go through its data again and again. An epoch is over when the model has seen
#' `steps_per_epoch` batches; validation follows, and then the next epoch.
#'
#' @section What a generator returns:
#' An R generator is a function without arguments. Each call returns one batch, `list(inputs, targets)` or
#' `list(inputs, targets, weights)`. Inputs, targets and weights (of the samples) are arrays whose first dimension is
#' the samples of the batch, the same number in all of them; or lists of such arrays, by position or by name, where
#' the model has several inputs or outputs. The list of two or three itself is taken by position; names that say
#' another order are an error. Weights may be `NULL`.
#'
#' * Doubles become the model's float type, integers `int32`, logicals `bool`, raw `uint8`, strings strings, factors
#'   their codes from 0.
#' * A vector is an array of one dimension, also one of length 1. A matrix or array keeps its dimensions. `x[i, ]` loses
#'   one where `i` is a single row: write `x[i, , drop = FALSE]`.
#' * A data frame whose columns are all numeric, all logical, all text or all factors is a matrix.
#' * A sparse matrix of the Matrix package feeds a sparse input of the model as it is, and others as a dense one.
#' * `NA` in doubles is NaN. In other types it has no value in Python, and is an error.
#' * Arrays and tensors of Python pass through unchanged, and so does a tuple of them as the batch.
#'
#' The batches need not have the same number of samples, nor the same lengths in other dimensions that the model leaves
#' open. For [predict_generator()] a batch may be inputs alone.
#'
#' [generators] lists what may be given besides R functions.
#'
#' @section How a generator ends:
#' A function that returns `NULL` is finished, and is not called again. Where that comes before the last of the batches
#' that were asked for, the training stops there, with the warning `fitgenerator_ended_warning`; the history has the
#' finished epochs and is marked `incomplete`. If no batch came at all, it is an error.
#'
#' @section When it is called, and where:
#' An R generator always runs on R's own thread, the one that called `fit_generator()`; so do callbacks, and losses,
#' metrics and layers written in R. Conversion of the batches and the steps of the model run on threads of their own.
#'
#' It is called once for each step that is asked for, `steps_per_epoch * (epochs - initial_epoch)` times, and never
#' once more, so that the next call that gets the same generator goes on with the next batch. (Only if a callback stops
#' the training early are batches lost that were drawn ahead.) Batch k is trained on in step k. The generator runs at
#' most `max_queue_size + 1` batches ahead of the training.
#'
#' A generator as `validation_data` goes on in the same way: each validation takes the next `validation_steps`
#' batches. It is first called for an epoch's validation when that epoch has begun, and only while the training does
#' not want a batch: the queue is full, or the epoch's batches are all drawn. One function given as both gives an
#' epoch's training batches, then its validation batches, and is not called across that border.
#'
#' @section What it may use:
#' The session, `gc()`, Python, and the model: it may predict with it (`model$predict_on_batch()`), but not evaluate it,
#' because evaluating and training count in the same metrics. The model's weights change meanwhile; where a batch is to
#' depend on them, take `max_queue_size = 0`.
#'
#' It may train another model with `fit_generator()`; to train the same one is an error. It may use a PSOCK cluster, run
#' other programs, and fork (`parallel::mclapply()`, doMC): a forked process may do all that R does, but must not use
#' the model or TensorFlow, whose threads it does not have. All this holds for callbacks, too.
#'
#' @section Random numbers:
#' The training generator draws from the session's random numbers. Every other R function that the call runs
#' (a validation generator, callbacks, R code in the model) has a stream of its own, derived from the session's. So
#' after the same `set.seed()` an R generator gives the same batches, whatever the queue and the load, and when the call
#' is over the session's stream is where it was right after the last trained batch was drawn. The model's own random
#' numbers (initial weights, dropout) are Keras's: `keras$utils$set_random_seed()`.
#'
#' R functions that share other state, such as a counter or a file, see an order that timing decides, unless
#' `max_queue_size = 0`.
#'
#' @section Callbacks:
#' A callback is an object of Keras (`keras$callbacks$EarlyStopping()`), or a plain named list of R functions. Their
#' names are Keras's hooks: `on_train_begin`, `on_train_end`, `on_epoch_begin`, `on_epoch_end`, `on_train_batch_begin`,
#' `on_train_batch_end` (also `on_batch_begin` and `on_batch_end`), and the same with `test` (validation, evaluation)
#' and `predict` for `train`. The functions take `epoch` or `batch`, counted from 0, and `logs`, a named list of
#' numbers; those without a number take `logs` alone; either may be left out. `model$stop_training <- TRUE` ends the
#' training behind the running step. A hook for every batch costs a hand-over between threads in each step, some 2 ms.
#'
#' @section Errors and interrupts:
#' An error in the generator is raised when the training reaches its batch, with the number of the batch and the
#' generator's own text in the message; it can be caught by the class of the generator's own condition. Errors of
#' callbacks and of R code in the model are treated alike. A value that is no batch is refused before the model sees
#' it. All errors are of class `fitgenerator_error`; [fitgenerator_conditions] lists them.
#'
#' An interrupt (Ctrl-C, Esc) stops within a step, also while the generator computes. After an error or an interrupt
#' no thread is left behind, the model keeps the weights of the last finished step, [last_history()] has the finished
#' epochs, and the model can be trained on at once.
#'
#' @param object A compiled model of Keras 3 on TensorFlow, or of Keras 2 (`tf_keras`): made with [keras_model()],
#'   reticulate, keras3 or keras.
#' @param generator A function without arguments that returns batches, see below, or another source of batches: a coro
#'   generator or an iterator of the package iterators; what [flow_from_data()], [flow_from_frame()],
#'   [flow_from_chunks()], [flow_images_from_directory()] and its kin, [timeseries_generator()] or [batch_sequence()]
#'   return; or any Python iterator, data set, loader or indexed source. See [generators].
#' @param steps_per_epoch Number of batches of one epoch, a whole number of at least 1; typically the number of samples
#'   of your data divided by that of a batch. Missing or `NULL`: the generator's length, or until it ends, where it can
#'   be read again (R functions and iterators have neither: for them it is needed).
#' @param epochs Number of the last epoch, counted from 1: `epochs - initial_epoch` epochs are trained, with the default
#'   one. 0, or not more than `initial_epoch`: none, and the generator is not called.
#' @param verbose 0: silent. 1: a progress bar where it can be overwritten (a terminal, the console of RStudio or
#'   Positron), drawn with cli where that is installed; otherwise, as in a file or a knitted page, one line per epoch.
#'   2: one line per epoch.
#' @param callbacks A list of Keras callbacks and of named lists of R functions, such as
#'   `list(on_epoch_end = function(epoch, logs) ...)`, called in this order; see below. `NULL`: none.
#' @param validation_data What `generator` may be; or fixed arrays, `list(inputs, targets)` or
#'   `list(inputs, targets, weights)`, which are evaluated in batches of 32 rows. `NULL`: no validation.
#' @param validation_steps Number of batches of one validation, at least 1; needed where `validation_data` is an R
#'   function. `NULL`: all of `validation_data`, where it has an end.
#' @param class_weight Named list or vector, class (a whole number from 0) to weight (a number of at least 0), as in
#'   `list("0" = 1, "1" = 5)`; the loss of a sample counts that much. Multiplied with the weights in the batch. A class
#'   that occurs in the targets and has no weight is an error. `NULL`: all count alike.
#' @param max_queue_size Number of batches that may wait for the model, at least 0. Each costs its memory; more than a
#'   few help only where the generator is slow now and then. 0: each batch is drawn when its step needs it, and nothing
#'   runs in parallel.
#' @param initial_epoch Number of epochs that were trained before, when a training is resumed; 0 for none. A
#'   [checkpoint()] among `callbacks` goes on by itself.
#' @param workers Number of threads that read an indexed Python source, its order kept; R functions and iterators have
#'   one reader whatever it says. 0 is the same as `max_queue_size = 0`.
#' @param validation_freq Validate after every so many epochs; or, as a vector of two or more, after these epochs
#'   (counted from 1).
#' @param timeout Seconds, above 0, to wait for one batch before it is an error, which shows where the generator stands.
#'   `NULL`: for ever. An R function is stopped like by an interrupt: where it waits in foreign code (`system()`, a data
#'   base's driver), the error comes when that returns.
#' @param jit_compile Whether calls that run several steps are compiled by XLA, which is faster and changes the last
#'   digits: `"auto"`, for small models (up to 100,000 weights) without random layers and 10,000 steps or more;
#'   `TRUE`, always, random numbers then differ; `FALSE`, never. `pipeline` shows what was done.
#'
#' @return The training history, invisibly: a list of class `fitgenerator_history` and `keras_training_history` with
#'   `params`, `metrics` (a named list, one number per finished epoch), `epoch` (from 0), `incomplete` (`TRUE` where the
#'   generator ended too early) and `pipeline` (where the time went). See [fitgenerator_history].
#' @seealso [evaluate_generator()] and [predict_generator()]; [generators]; [last_history()]; [checkpoint()]; for models
#'   [keras_model()], [compile()], [fit()], [evaluate()], [train_on_batch()], [get_layer()];
#'   `vignette("fitgenerator")` to begin with, `vignette("generators")` for more generators.
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' layers <- keras$layers
#' model <- keras$Sequential(list(layers$Input(list(2L)), layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse")
#'
#' # A batch: 32 samples of two numbers, and their difference.
#' generator <- function() {
#'   x <- matrix(rnorm(64), ncol = 2)
#'   list(x, x %*% c(1, -1))
#' }
#' history <- fit_generator(model, generator, steps_per_epoch = 20, epochs = 3, verbose = 2)
#' history
#'
#' # With validation, and a callback of R functions that ends the training.
#' good_enough <- list(on_epoch_end = function(epoch, logs) {
#'   if (logs$val_loss < 0.1) model$stop_training <- TRUE
#' })
#' history <- fit_generator(
#'   model, generator, steps_per_epoch = 20, epochs = 50, verbose = 0,
#'   validation_data = generator, validation_steps = 5, callbacks = list(good_enough)
#' )
#' length(history$epoch)
#' history$pipeline
#'
#' # An error in the generator is an error of the call.
#' failing <- function() stop("there is no file 7")
#' tryCatch(
#'   fit_generator(model, failing, steps_per_epoch = 20, verbose = 0),
#'   fitgenerator_generator_error = conditionMessage
#' )
#' @export
fit_generator <- function(object, generator, steps_per_epoch, epochs = 1, verbose = 1, callbacks = NULL,
                          validation_data = NULL, validation_steps = NULL, class_weight = NULL,
                          max_queue_size = 10, initial_epoch = 0, workers = 1, validation_freq = 1,
                          timeout = NULL, jit_compile = "auto") {
  steps <- if (!missing(steps_per_epoch)) steps_per_epoch
  train_on(object, generator, steps, epochs, verbose, callbacks, validation_data, validation_steps, class_weight,
           max_queue_size, initial_epoch, workers, validation_freq, timeout, jit_compile)
}

# `name`: what the caller calls the generator.
train_on <- function(object, generator, steps_per_epoch, epochs, verbose, callbacks, validation_data,
                     validation_steps, class_weight, max_queue_size, initial_epoch, workers, validation_freq,
                     timeout, jit_compile, name = "generator") {
  check_model(object)
  check_source(generator, name)
  if (!is.null(validation_data)) check_source(validation_data, "validation_data")
  arguments <- common_arguments(verbose, max_queue_size, workers, timeout, jit_compile)
  arguments <- c(arguments, list(
    steps_per_epoch = check_whole(steps_per_epoch, "steps_per_epoch", 1L, null = TRUE),
    epochs = check_whole(epochs, "epochs", 0L),
    validation_steps = check_whole(validation_steps, "validation_steps", 1L, null = TRUE),
    class_weight = check_class_weight(class_weight),
    initial_epoch = check_whole(initial_epoch, "initial_epoch", 0L),
    validation_freq = check_frequency(validation_freq)
  ))
  sources <- list(generator = generator, validation_data = validation_data)
  parts <- run_session("fit", object, sources, callbacks, arguments, name)
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
  as_history(cross(core_function("last", "r.reticulate.results")))
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

#' Train a model on batches from a generator
#'
#' Trains a Keras model on batches that a generator supplies. While the model trains on one batch, the generator
#' prepares the next ones, in parallel with the model: R can augment images on the CPU, for example, while a GPU or the
#' other cores train. A generator that takes no longer than a training step adds almost no time to the training.
#'
#' A generator is usually an R function without arguments that returns `list(inputs, targets)`, the next batch, on each
#' call. It is expected to go through its data again and again: an epoch ends when the model has seen `steps_per_epoch`
#' batches; validation follows, and then the next epoch. The page [generators] describes what a generator may be and
#' return, when it is called, and how it ends.
#'
#' @section Callbacks:
#' A callback is a Keras object (`keras$callbacks$EarlyStopping()`), a plain named list of R functions, or an object of
#' the R6 class `KerasCallback` of the package keras. The names in a list are Keras's hooks: `on_train_begin`,
#' `on_train_end`, `on_epoch_begin`, `on_epoch_end`, `on_train_batch_begin`, `on_train_batch_end` (or `on_batch_begin`
#' and `on_batch_end`), and the same names with `test` (validation, evaluation) or `predict` in place of `train`. The
#' functions of epochs and batches take `epoch` or `batch`, counted from 0, and `logs`, a named list of numbers; the
#' others take `logs` alone. A function may leave arguments out.
#' `model$stop_training <- TRUE` ends the training after the current step. A hook for every batch costs one hand-over
#' between threads per step, about 2 ms.
#'
#' All callbacks run on R's own thread, one after the other, in the given order, as do losses, metrics and layers
#' written in R.
#'
#' @section Errors and interrupts:
#' All errors have the class `fitgenerator_error`. An error in R code of yours (a generator, a callback, a loss) keeps
#' the classes of its own condition in addition, so that [tryCatch()] finds it by either; see
#' [fitgenerator_conditions]. Invalid arguments are reported before the generator is called.
#'
#' An interrupt (Ctrl-C, Esc) takes effect within a step, also while the generator computes. After an error or an
#' interrupt, no thread is left behind, the model keeps the weights of the last finished step, [last_history()] returns
#' the finished epochs, and the model can be used again at once.
#'
#' @section Runs of tfruns:
#' Within `tfruns::training_run()` and `tfruns::tuning_run()`, the run records what `fit()` of keras3 records there: the
#' metrics after each epoch, `epochs`, `steps_per_epoch`, the summary of the model, the loss, the optimizer, the
#' learning rate at the beginning, and the logs of TensorBoard in the folder `logs` of the run. `steps_per_epoch` is not
#' called `steps`, because tfruns would then count the finished epochs as steps. The figures of the pipeline are the
#' properties `pipeline_*`, and `tfruns.d/pipeline.txt` in the run's folder holds the printed pipeline. A run of several
#' trainings holds the metrics of the last one. [evaluate_generator()] and [evaluate()] record their result as well. See
#' `vignette("tracking")`.
#'
#' @param object A compiled model of Keras 3 on TensorFlow, JAX or PyTorch, or of Keras 2 (`tf_keras`), made with
#'   [keras_model()], reticulate, keras3 or keras.
#' @param generator A function without arguments that returns batches, or another source of batches: a coro generator,
#'   an iterator of the iterators package, a sequence or flow of this package, or a Python iterator, data set, loader or
#'   indexed source. See [generators].
#' @param steps_per_epoch Number of batches per epoch, at least 1; usually the number of samples divided by the batch
#'   size. A number that is not whole is rounded down, with a warning. Missing or `NULL`: the length of the generator,
#'   or all of its batches if it can be read again. Required for R functions and iterators, which have no length and
#'   cannot be read again.
#' @param epochs Number of the last epoch, counted from 1, at least 0. The call trains `epochs - initial_epoch` epochs;
#'   if that is 0 or less, it trains nothing and does not call the generator.
#' @param verbose 0: silent. 1: a progress bar where output can be overwritten (in a terminal, or in the console of
#'   RStudio or Positron), drawn with cli if that is installed; elsewhere, as in a file or a knitted page, one line per
#'   epoch. 2: one line per epoch. The default is the option `keras.fit_verbose`, as in keras, or 1.
#' @param callbacks A list of Keras callbacks, of named lists of R functions, such as
#'   `list(on_epoch_end = function(epoch, logs) ...)`, and of R6 objects that inherit from `KerasCallback`. They are
#'   called in this order; see below. `NULL`: none.
#' @param validation_data Anything that `generator` may be, or fixed arrays, `list(inputs, targets)` or
#'   `list(inputs, targets, weights)`, or `list(inputs)` if the model needs no targets, which are evaluated in batches
#'   of 32 rows. `NULL`: no validation.
#' @param validation_steps Number of batches per validation, at least 1, rounded down like `steps_per_epoch`. Required
#'   if `validation_data` is an R function or an iterator. `NULL`: all of `validation_data`. Does not apply to fixed
#'   arrays, all of whose rows are used.
#' @param class_weight Named list or vector that maps classes (whole numbers from 0) to weights (numbers of at least 0),
#'   as in `list("0" = 1, "1" = 5)`. The loss of a sample is multiplied by the weight of its class, and by its weight in
#'   the batch. A class that occurs in the targets but has no weight is an error. `NULL`: all classes have weight 1.
#' @param max_queue_size Maximum number of batches that wait for the model, at least 0. Each one takes up memory; more
#'   than a few help only if the generator is slow from time to time. 0: each batch is fetched when its step needs it,
#'   and nothing runs in parallel. If missing, a `keras.utils.PyDataset` decides; other generators have 10.
#' @param initial_epoch Number of epochs that were trained before, if a training is resumed; at least 0. Flows and
#'   [batch_sequence()] then begin with the pass of that number; if it is missing, they go on after the passes that
#'   earlier trainings have read. A [checkpoint()] among the `callbacks` resumes without this argument.
#' @param workers A whole number, whose meaning depends on the source. For a [batch_sequence()], and for the R function
#'   of an image flow, a number above 1 is that of R processes, see [workers]. For an indexed Python source, it is the
#'   number of threads that read the source, in order. Other R functions and iterators always have one reader. 0 is the
#'   same as `max_queue_size = 0`. `NULL`: as many as a `keras.utils.PyDataset` says, else 1. In place of a number:
#'   processes of yours, which are a cluster of the package parallel, `"future"` or `"mirai"`.
#' @param validation_freq Number of epochs from one validation to the next; or, as a vector of at least two numbers, the
#'   epochs to validate after, counted from 1.
#' @param timeout Seconds, above 0, to wait for one batch; after that, the call fails with an error that shows where the
#'   generator stands. `NULL`: no limit. An R function is stopped as by an interrupt; if it waits in foreign code
#'   (`system()`, the driver of a database), the error comes when that code returns.
#' @param jit_compile Whether calls that run several steps are compiled with XLA, which is faster but changes the last
#'   digits. `"auto"`: only for 10,000 steps or more (on JAX 3,000) of a model with up to 100,000 weights and only
#'   operations that mean the same in XLA (dense and convolutional layers with the usual activations, losses, metrics
#'   and optimizers). Steps in which a number is not finite, or an index or label is out of range, run again without
#'   XLA, with TensorFlow's numbers or its error. `TRUE`: for all models. Models with other operations then lose
#'   TensorFlow's run-time checks: an index or label out of range gives a plausible number or NaN and no error,
#'   `tf$debugging` assertions and `check_numerics` are not evaluated, NaN and infinities may be treated differently,
#'   random numbers (dropout) are others, and layers that compute in 16-bit floats (mixed precision) differ by up to the
#'   rounding of such a float. `FALSE`: no calls of several steps are compiled; single steps follow the `jit_compile` of
#'   `compile()`. On a CPU, calls of steps with more than a few convolutions or much pooling are never compiled, because
#'   such steps take several times as long in a loop of XLA's. The `pipeline` of the history shows what was done.
#' @param view_metrics Whether the training is shown on a page while it runs, as by a [live_view()] among the
#'   `callbacks`. `"auto"`: if the session is interactive and has a viewer (RStudio, Positron), `epochs` is above 1,
#'   `verbose` is above 0, and the call is neither in a knitted page nor in a hook or generator of another call. `TRUE`:
#'   always. `FALSE`: never. The default is the option `keras.view_metrics`, as in keras, or `"auto"`.
#'
#' @return The training history, invisibly: a list of class `fitgenerator_history` and `keras_training_history` with the
#'   elements `params`, `metrics` (a named list with one number per finished epoch), `epoch` (from 0), `incomplete`
#'   (`TRUE` if the generator ended too early) and `pipeline` (where the time went). See [fitgenerator_history].
#' @seealso [generators]; [evaluate_generator()] and [predict_generator()]; [last_history()]; [checkpoint()];
#'   [live_view()]; for models, [keras_model()], [compile()], [fit()], [evaluate()], [train_on_batch()] and
#'   [get_layer()];
#'   `vignette("fitgenerator")` for an introduction, `vignette("generators")` for more generators.
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
#' # With validation, and a callback of R functions that stops the training.
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
fit_generator <- function(object, generator, steps_per_epoch, epochs = 1,
                          verbose = getOption("keras.fit_verbose", default = 1), callbacks = NULL,
                          validation_data = NULL, validation_steps = NULL, class_weight = NULL,
                          max_queue_size = 10, initial_epoch = 0, workers = NULL, validation_freq = 1,
                          timeout = NULL, jit_compile = "auto",
                          view_metrics = getOption("keras.view_metrics", "auto")) {
  steps <- if (!missing(steps_per_epoch)) steps_per_epoch
  size <- if (!missing(max_queue_size)) check_whole(max_queue_size, "max_queue_size", 0L)
  first <- if (!missing(initial_epoch)) initial_epoch
  train_on(object, generator, steps, epochs, verbose, callbacks, validation_data, validation_steps, class_weight,
           size, first, workers, validation_freq, timeout, jit_compile, view_metrics = view_metrics)
}

# `name` is the name of the generator's argument, for messages.
train_on <- function(object, generator, steps_per_epoch, epochs, verbose, callbacks, validation_data,
                     validation_steps, class_weight, max_queue_size, initial_epoch, workers, validation_freq,
                     timeout, jit_compile, name = "generator", view_metrics = FALSE) {
  check_model(object)
  check_source(generator, name)
  if (!is.null(validation_data)) check_source(validation_data, "validation_data")
  arguments <- common_arguments(verbose, max_queue_size, workers, timeout, jit_compile)
  arguments <- c(arguments, list(
    steps_per_epoch = check_steps(steps_per_epoch, "steps_per_epoch"),
    epochs = check_whole(epochs, "epochs", 0L),
    validation_steps = check_steps(validation_steps, "validation_steps", warn = !is_fixed(validation_data)),
    class_weight = check_class_weight(class_weight),
    initial_epoch = check_whole(initial_epoch, "initial_epoch", 0L, null = TRUE),
    validation_freq = check_frequency(validation_freq)
  ))
  callbacks <- with_view(callbacks, view_metrics, arguments$epochs, arguments$verbose)
  record <- run_record(object, arguments)
  on.exit(conclude_record(record))
  callbacks <- with_record(callbacks, record)
  sources <- list(generator = generator, validation_data = validation_data)
  parts <- run_session("fit", object, sources, callbacks, arguments, name)
  invisible(as_history(parts))
}

#' The history of the last call
#'
#' Returns the history of the last call of [fit_generator()] or [fit()]. After an error or an interrupt, it holds the
#' epochs that were finished.
#'
#' @return A history, as [fit_generator()] returns it; `NULL` before the first call.
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
    metrics = parts$metrics,
    pipeline = new_pipeline(parts$pipeline),
    incomplete = parts$incomplete,
    epochs = as.integer(unlist(parts$epoch))
  )
}

# Whether Keras and its backend are available, for examples and vignettes.
has_keras <- function() {
  reticulate::py_available(initialize = TRUE) && reticulate::py_module_available(keras_backend()) &&
    reticulate::py_module_available("keras")
}

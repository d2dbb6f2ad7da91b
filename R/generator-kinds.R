#' Generators: where batches come from
#'
#' A generator supplies the batches for [fit_generator()], [evaluate_generator()] and [predict_generator()]. In the
#' simplest case it is an R function without arguments that returns the next batch whenever it is called. This page
#' describes what a generator may be, what a batch is, when a generator is called, how it ends, and how its errors are
#' reported.
#'
#' @section What a generator may be:
#'
#' \describe{
#'   \item{An R function without arguments:}{It returns the next batch. A coro generator (the value of a function that
#'     `coro::generator()` made), an iterator of the iterators package and one of `reticulate::py_iterator()` are used
#'     in the same way. All of them *continue*: no batch is used twice and none is skipped, so that each epoch, each
#'     validation, and the next call begin with the batch after the last one. They have no length; `steps_per_epoch`,
#'     `validation_steps` or `steps` is required.}
#'   \item{A sequence or a flow:}{[batch_sequence()] makes batches from their numbers, [flow_from_data()] from arrays,
#'     [flow_from_frame()] from a data frame, and [timeseries_generator()] from a time series. An epoch is one pass,
#'     in a new order if the source shuffles; with `steps_per_epoch`, a pass continues across epochs and restarts when
#'     exhausted. Each validation starts with the first batch. The default number of steps is the length of the source.}
#'   \item{A flow of images:}{[flow_images_from_directory()], [flow_images_from_data()] and
#'     [flow_images_from_dataframe()] read images, which [image_data_generator()] augments. They are used like the
#'     flows above.}
#'   \item{Data that is read in parts:}{[flow_from_chunks()] and [flow_from_query()] are used in the same way, but have
#'     no length: without `steps_per_epoch`, an epoch ends when the data ends.}
#'   \item{A Python iterator or generator:}{It continues, as an R function does.}
#'   \item{An indexed Python source:}{An object with `__getitem__` and `__len__`, such as a `keras.utils.PyDataset`. It
#'     is used like a flow.}
#'   \item{A Python data set:}{An object that can be iterated over more than once, such as a `tf.data.Dataset` or
#'     torch's `DataLoader`. It is used like a flow; if it has no length, an epoch ends when the data set does.}
#'   \item{Fixed arrays:}{`list(inputs, targets)` or `list(inputs, targets, weights)`, or `list(inputs)` if the model
#'     needs no targets, for `validation_data` only. All of their rows are evaluated, in batches of 32.}
#' }
#'
#' Python sources are read on a separate thread, without R; an indexed source is read by `workers` threads. If it has a
#' method `on_epoch_end()`, the method is called after each pass, at the latest before the call returns. R code in a
#' Python source (a class made by `reticulate::PyClass()`, a Python generator that calls an R function) runs on R's
#' thread as an R generator does, while the model trains.
#'
#' @section What a batch is:
#' An R function returns `list(inputs, targets)` or `list(inputs, targets, weights)`. For
#' [predict_generator()] it may also return the inputs alone. Inputs, targets and sample weights are arrays whose first
#' dimension is the samples of the batch: at least one, and equally many in all arrays. For a model with several inputs
#' or outputs, use a list of arrays, in the order of the model or with the model's names. The outer list is read by
#' position; names that contradict this order are an error. Weights may be `NULL`. For [predict_generator()], a named
#' list holds the inputs of a model with several inputs, unless its names are those of parts, such as `x` and `y`, and
#' not those of the inputs.
#'
#' Two kinds of model take other batches too. A model that is compiled without a loss, because it adds its losses
#' itself, needs no targets: a batch may be the inputs alone, `list(inputs)` or `list(inputs, NULL)`. A model with a
#' step of its own (`train_step`; `test_step` in evaluations and validations; `predict_step`) takes any list of arrays,
#' which may differ in their numbers of samples: a list reaches the step as a tuple, a named list as a dict (unless its
#' names only state the order, as in `list(x = , y = )`), and `NULL` as `None`. `class_weight` still needs the usual
#' form.
#'
#' * Doubles become the model's float type, usually `float32`. Integers become `int32`, logicals `bool`, raw vectors
#'   `uint8`, character vectors strings, and factors their codes, counted from 0.
#' * A vector becomes an array with one dimension, even if its length is 1. A matrix or array keeps its dimensions. Note
#'   that `x[i, ]` drops a dimension if `i` is a single row; write `x[i, , drop = FALSE]`.
#' * A data frame whose columns are all numeric, all logical, all text or all factors becomes a matrix.
#' * A sparse matrix of the Matrix package stays sparse for a sparse input of the model, and becomes dense for other
#'   inputs.
#' * `NA` becomes NaN in doubles. In other types it has no equivalent in Python and is an error.
#' * Python arrays and tensors are passed on unchanged, as is a Python tuple of them in place of the list.
#'
#' The number of samples may differ from batch to batch, and so may other dimensions that the model leaves open.
#'
#' @section When a generator is called:
#' An R generator always runs on R's own thread, the one that called [fit_generator()]. Only the conversion of batches
#' and the steps of the model run on other threads.
#'
#' A generator is called once for each step that you ask for, `steps_per_epoch * (epochs - initial_epoch)` times, and
#' never more often; the next call with the same generator continues with the next batch. (Prefetched batches are lost
#' only if a callback stops the training early.) Step k trains on batch k. The generator runs at most
#' `max_queue_size + 1` batches ahead of the training.
#'
#' For `validation_data`, a generator continues as well: each validation uses the next `validation_steps` batches. It is
#' first called for the validation of an epoch after this epoch has begun, and only while the training does not need a
#' batch, because the queue is full or because all batches of the epoch have been fetched. If the same function is given
#' as `generator` and as `validation_data`, it supplies the training batches of an epoch, then the batches of its
#' validation, and is not called ahead across that border.
#'
#' @section How a generator ends:
#' An R function ends by returning `NULL`, and is not called again. If it ends before all batches that you asked for
#' were fetched, the call ends there with a warning of class `fitgenerator_ended_warning`. The history of a training
#' then holds the finished epochs and is marked `incomplete`; scores and predictions are those of the batches that came.
#' If there was no batch at all, the call fails with a `fitgenerator_batch_error`.
#'
#' @section Errors in a generator:
#' An error in a generator is raised when the training reaches the batch that it occurred at, after the steps before it.
#' Its class is `fitgenerator_generator_error`, followed by the classes of the generator's own condition, so that
#' [tryCatch()] catches it by either; the message states the number of the batch and the generator's own message.
#' An invalid batch raises a `fitgenerator_batch_error`, which states what was expected and what was received, before
#' the model sees the batch. A generator that exceeds `timeout` raises a `fitgenerator_timeout_error`. See
#' [fitgenerator_conditions].
#'
#' @section What a generator may do:
#' It may use the R session, `gc()`, Python, and the model: it may predict with the model that is being trained
#' (`model$predict_on_batch()`), but not evaluate it, because evaluation and training share the metrics. The weights
#' change in the meantime; if a batch depends on them, set `max_queue_size = 0`.
#'
#' It may train another model with [fit_generator()]; training the same model is an error. It may use a PSOCK cluster,
#' the package callr, futures, and other programs, and, on Linux, it may fork (`parallel::mclapply()`, doMC). Windows
#' has no forks; on macOS, a fork may crash in Apple's libraries. A forked process may do whatever R does, but not
#' use the model, because it does not have TensorFlow's threads; a process that callr, a PSOCK cluster or
#' `future::plan("multisession")` starts can make a model of its own. All of this applies to callbacks too. For servers
#' such as Shiny, see `vignette("servers")`.
#'
#' @section Random numbers:
#' The training generator uses the random numbers of the session. Every other R function that the call runs (a
#' validation generator, callbacks, R code in the model) has a random number stream of its own, derived from the
#' session's. After the same `set.seed()`, an R generator therefore returns the same batches, whatever the size of the
#' queue and the load of the machine. When the call ends, the session's stream is where it was immediately after the
#' last batch that was trained on. The random numbers of the model (initial weights, dropout) are Keras's; set them with
#' `keras$utils$set_random_seed()`.
#'
#' If R functions share other state, such as a counter or a file, they see each other's changes in an order that depends
#' on timing, unless `max_queue_size = 0`.
#'
#' @section Generators that need arguments:
#' A generator is called without arguments. To give it data, create it inside another function: `function() f(x, y)`, or
#' a function that returns generators, as `batches()` does in the example. Such a *closure* also remembers its place.
#'
#' @seealso `vignette("generators")` for random numbers, sparse matrices, several inputs, files and databases;
#'   `vignette("images")` for augmentation.
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' layers <- keras$layers
#' model <- keras$Sequential(list(layers$Input(list(2L)), layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse")
#' x <- matrix(rnorm(400), ncol = 2)
#' y <- x %*% c(1, -1)
#'
#' # A function that makes generators: all rows in order, again and again.
#' batches <- function(x, y, size = 20) {
#'   at <- 0
#'   function() {
#'     rows <- at + seq_len(size)
#'     at <<- (at + size) %% nrow(x)
#'     list(x[rows, , drop = FALSE], y[rows, , drop = FALSE])
#'   }
#' }
#' fit_generator(model, batches(x, y), steps_per_epoch = 10, epochs = 2, verbose = 2)
#'
#' # A generator that ends: each row once.
#' once <- function(x, size = 30) {
#'   at <- 0
#'   function() {
#'     if (at >= nrow(x)) return(NULL)
#'     rows <- seq.int(at + 1, min(at + size, nrow(x)))
#'     at <<- at + size
#'     x[rows, , drop = FALSE]
#'   }
#' }
#' dim(predict_generator(model, once(x), steps = 7))
#'
#' # A data set of TensorFlow, which has a length.
#' tf <- reticulate::import("tensorflow")
#' data <- tf$data$Dataset$from_tensor_slices(reticulate::tuple(x, y))$batch(50L)
#' fit_generator(model, data, epochs = 2, verbose = 2)
#' @name generators
NULL

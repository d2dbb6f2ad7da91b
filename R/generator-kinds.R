#' What may be given as a generator
#'
#' [fit_generator()], [evaluate_generator()] and [predict_generator()] take their batches from functions written in R
#' and from what Python has for the purpose. They differ in whether they can begin again, and in whether they know how
#' many batches they have.
#'
#' @section Sources:
#'
#' \describe{
#'   \item{An R function without arguments;}{a coro generator (what the function returns that `coro::generator()`
#'     makes); an iterator of the package iterators. They go on across epochs, and as `validation_data`. They have no
#'     length, so that `steps_per_epoch`, `validation_steps` or `steps` are needed.}
#'   \item{Batches by their number,}{[batch_sequence()], and flows, [flow_from_data()] of arrays, [flow_from_frame()] of
#'     a data frame, [timeseries_generator()] of a series. An epoch is a pass, in an order of its own; a validation
#'     begins with the first batch. Steps that are missing are their length.}
#'   \item{Images,}{[flow_images_from_directory()], [flow_images_from_data()] and [flow_images_from_dataframe()], varied
#'     as [image_data_generator()] says. They are treated likewise.}
#'   \item{Data that is read in parts,}{[flow_from_chunks()] and [flow_from_query()]. They are treated likewise, but an
#'     epoch ends when the data does.}
#'   \item{A Python iterator or generator.}{It goes on as an R function does.}
#'   \item{An indexed source of Python,}{which has `__getitem__` and `__len__`: `keras.utils.PyDataset`. An epoch is one
#'     pass over it; with `steps_per_epoch`, it goes on where the last epoch ended, and begins again when used up. A
#'     validation begins with its first batch. Steps that are missing are its length.}
#'   \item{A data set of Python}{that can be iterated over more than once, such as `tf.data.Dataset` and torch's
#'     `DataLoader`. It is treated like an indexed source; where it has no length an epoch ends when it does.}
#'   \item{Fixed arrays,}{`list(inputs, targets)` or `list(inputs, targets, weights)`. They are for `validation_data`
#'     alone, and evaluated in batches of 32 rows.}
#' }
#'
#' *Goes on* means that nothing is drawn twice and nothing is left out: each epoch, each validation, and the next call
#' too, begin with the batch behind the last one.
#'
#' Python sources are read on a thread of their own, without R, an indexed source by as many as `workers` says. What an
#' R function returns, and what the rest of the contract is, is in the sections of [fit_generator()].
#'
#' @section Functions that need arguments:
#' A generator is called without arguments. Give it what it needs by making it in another function, a *closure*:
#' `function() f(x, y)`, or as in the example, where `batches()` makes generators that remember their place.
#'
#' @seealso `vignette("generators")`: random numbers, sparse matrices, several inputs, files and data bases;
#'   `vignette("images")`: augmentation.
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' layers <- keras$layers
#' model <- keras$Sequential(list(layers$Input(list(2L)), layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse")
#' x <- matrix(rnorm(400), ncol = 2)
#' y <- x %*% c(1, -1)
#'
#' # A function that makes generators: all rows in turn, again and again.
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
#' # One that ends: each row once.
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
#' # A data set of TensorFlow: it knows its length.
#' tf <- reticulate::import("tensorflow")
#' data <- tf$data$Dataset$from_tensor_slices(reticulate::tuple(x, y))$batch(50L)
#' fit_generator(model, data, epochs = 2, verbose = 2)
#' @name generators
NULL

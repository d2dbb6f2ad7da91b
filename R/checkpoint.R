#' Crash and resume
#'
#' A callback that keeps the training in one file after every epoch, and goes on from it. Make the same call of
#' [fit_generator()] again, in a new session and with a new model, and the training goes on behind the last epoch
#' that was finished: with its weights, the state of the optimizer and of the model's random layers, and with the
#' history so far, which the call's own continues. However the process ended, the file is complete: it is written
#' beside the old one and renamed. Where there is no file, the training begins with its first epoch.
#'
#' The file stays when the training is over. A call with the same `epochs` then trains nothing, and gives the trained
#' model and the full history; one with more goes on. An epoch that a callback stopped before its last step is not
#' kept. Remove the file to begin anew; only one training at a time can use it.
#'
#' What Keras's `EarlyStopping`, `ReduceLROnPlateau` and `ModelCheckpoint` remember is kept as well. Other callbacks
#' begin anew, and so do the random numbers of R, Python, NumPy and `tf$random`. Wherever the checkpoint stands in
#' `callbacks`, the others come first.
#'
#' Keras's own `BackupAndRestore` can be given instead. It keeps neither the history nor the state of random layers,
#' and writes the weights and the number of the epoch into two files, over the old ones: a process that is killed
#' while it writes leaves a file that cannot be read, so that the next call fails, or the weights of one epoch with
#' the number of another, so that an epoch is trained twice. `initial_epoch` resumes by hand; where there is a
#' checkpoint, that counts.
#'
#' @section The same batches:
#' A training that was resumed equals one that was never disturbed, to the last digit, if both get the same batches;
#' XLA (`jit_compile`) may change last digits. Nobody can rewind a generator. So make the batches a function of a seed
#' and the number of the epoch, and begin with the epoch that the checkpoint knows before the call, `saved$epoch`, as
#' in the example. `set.seed()` at the begin of each epoch is all that a closure needs, for the order of the rows and
#' for anything else that it draws. The same holds for a closure that is validation data, unless it gives the same
#' batches in each epoch.
#'
#' [flow_from_data()] and its kin and [batch_sequence()] do this by themselves, with a `seed` or after the same
#' `set.seed()`. A source that is read from its first batch in each epoch, always in one order, needs nothing.
#'
#' @param path The file; its folder is made where it does not exist. The usual ending is `.npz`, which is what the
#'   file is: arrays and a JSON entry. It is an error if it exists and is no checkpoint.
#'
#' @return A Keras callback for `callbacks`. Its `epoch` is the number of epochs that the file holds, 0 where there is
#'   none. It is an error of [fit_generator()] if the file does not fit the model.
#' @seealso [fit_generator()]
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' new_model <- function() {
#'   model <- keras$Sequential(list(keras$layers$Input(list(2L)), keras$layers$Dense(1L)))
#'   model$compile(optimizer = "adam", loss = "mse")
#'   model
#' }
#' x <- matrix(rnorm(640), ncol = 2)
#' y <- x %*% c(1, -1)
#'
#' # All rows in each epoch, in an order that follows from `seed` and the number of the epoch; it
#' # begins with `epoch`.
#' batches <- function(epoch, steps = 10, seed = 1) {
#'   step <- 0
#'   rows <- NULL
#'   function() {
#'     if (step == 0) {
#'       set.seed(seed + epoch)
#'       rows <<- matrix(sample(nrow(x)), ncol = steps)
#'     }
#'     step <<- step + 1
#'     now <- rows[, step]
#'     if (step == steps) {
#'       epoch <<- epoch + 1
#'       step <<- 0
#'     }
#'     list(x[now, , drop = FALSE], y[now, , drop = FALSE])
#'   }
#' }
#'
#' saved <- checkpoint(file.path(tempdir(), "training.npz"))
#' fit_generator(
#'   new_model(), batches(saved$epoch), 10, epochs = 3, verbose = 0, callbacks = list(saved)
#' )
#'
#' # In another session, perhaps: goes on with epoch 4.
#' saved <- checkpoint(file.path(tempdir(), "training.npz"))
#' saved$epoch
#' history <- fit_generator(
#'   new_model(), batches(saved$epoch), 10, epochs = 5, verbose = 2, callbacks = list(saved)
#' )
#' history
#' @export
checkpoint <- function(path) {
  if (!is.character(path) || length(path) != 1L || is.na(path) || !nzchar(path)) {
    abort_argument(sprintf("`path` must be the name of a file, not %s.", shown(path)), "path")
  }
  made(cross(core_function("checkpoint"), path.expand(path)))
}

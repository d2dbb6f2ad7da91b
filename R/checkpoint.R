#' Resume a training after a crash
#'
#' Creates a callback that saves the training in one file after every epoch, and resumes from this file. To resume after
#' a crash, repeat the same call of [fit_generator()], in a new session and with a new model: the training continues
#' after the last finished epoch, with the weights of the model, the state of the optimizer and of random layers, and
#' the history so far, to which the call adds. The file is complete no matter how the process ended, because a new file
#' is written and then renamed. If there is no file, the training begins with its first epoch.
#'
#' The file remains after the end of the training. A call with the same `epochs` then trains nothing, and returns the
#' trained model and the full history; a call with more `epochs` continues, and so does a training that a callback other
#' than `EarlyStopping` has stopped. An epoch that a callback stopped before its last step is not saved as a whole. To
#' start again, remove the file. A second training that would use the file at the same time is refused; the file with
#' `.lock` after its name is for that, and means nothing if no training runs.
#'
#' The memory of Keras's `EarlyStopping`, `ReduceLROnPlateau`, `ModelCheckpoint` and `SwapEMAWeights` is saved as well.
#' Other callbacks start afresh, as do the random numbers of Python, NumPy, `tf$random` and PyTorch (of an unseeded
#' `Dropout` there), and, after an epoch, those of R. Wherever the checkpoint stands in `callbacks`, it runs after the
#' others.
#'
#' Keras's own `BackupAndRestore` also works, but saves neither the history nor the state of random layers. It
#' overwrites two files, one with the weights and one with the number of the epoch: if the process is killed meanwhile,
#' the next call may fail because a file cannot be read, or may train an epoch twice because the files do not match.
#' `initial_epoch` resumes a training by hand; if there is a checkpoint, the epoch of the checkpoint is used.
#'
#' @section Within an epoch: With `every` or `seconds`, the file is also written within an epoch, between two calls of
#' steps. It then holds the sums of the metrics, the place of the next batch, and the states of R's random numbers as
#' well. The state is copied, and written while the training goes on. An error of writing is an error of the call at the
#' next step.
#'
#' This needs a source that can be read from any batch on: [batch_sequence()], an indexed object of Python, or a flow
#' other than [flow_from_chunks()] and [flow_from_query()]. With any other source, such as a function without arguments,
#' files are written after epochs only, and a `fitgenerator_checkpoint_warning` says so before the first step.
#'
#' With `on_signal = TRUE`, SIGTERM stops the training. Schedulers such as Slurm, `docker stop`, and the owners of
#' borrowed machines send this signal before they end a process. The file is written as soon as the running call of
#' steps has ended, without a wait for a batch. An error of class `fitgenerator_terminated` follows; if a script does
#' not handle it, its exit status is 143. A second SIGTERM acts as it would have without `on_signal`. Windows has no
#' such signal.
#'
#' @section The same batches: A resumed training equals an undisturbed one to the last digit if both get the same
#' batches (XLA, see `jit_compile`, may change last digits). Since a generator cannot be rewound, make the batches a
#' function of a seed and the number of the epoch, counted from 0, and begin with epoch number `saved$epoch`, read
#' before the call: so many epochs are finished. The example does this. `set.seed()` at the beginning of each epoch is
#' sufficient for everything that a closure draws at random, including the order of the rows. The same applies to a
#' closure that is `validation_data`, unless it returns the same batches in each epoch.
#'
#' [flow_from_data()] and the other flows, and [batch_sequence()], do this by themselves if they have a `seed` or if
#' `set.seed()` is called with the same value beforehand. Nothing is required of a source that is read from its first
#' batch in each epoch and always in the same order.
#'
#' @param path Path of the file, usually with the ending `.npz`, the format of the file (arrays and one JSON entry). Its
#'   folder is created if it does not exist. An existing file that is not a checkpoint is an error of class
#'   `fitgenerator_argument_error`.
#'
#' @param every Number of steps, or `NULL`: the file is also written when at least `every` steps were done since it was
#'   last written.
#' @param seconds Number of seconds, or `NULL`: the file is also written when so much time has passed since it was last
#'   written. With both, whichever comes first counts.
#' @param on_signal Whether SIGTERM saves the training and stops it.
#'
#' @return A Keras callback for `callbacks`. Its `epoch` is the number of epochs that the file holds, 0 if there is no
#'   file. If the file does not fit the model, [fit_generator()] raises a `fitgenerator_argument_error`.
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
#' # All rows in each epoch, beginning with epoch number `epoch`, in an order that follows from `seed`
#' # and the number of the epoch.
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
#' # In another session, for example: continues with epoch 4.
#' saved <- checkpoint(file.path(tempdir(), "training.npz"))
#' saved$epoch
#' history <- fit_generator(
#'   new_model(), batches(saved$epoch), 10, epochs = 5, verbose = 2, callbacks = list(saved)
#' )
#' history
#' @export
checkpoint <- function(path, every = NULL, seconds = NULL, on_signal = FALSE) {
  path <- path.expand(check_file(path, "path"))
  every <- check_whole(every, "every", 1L, null = TRUE)
  seconds <- check_seconds(seconds, "seconds")
  made(cross(core_function("checkpoint"), path, every, seconds, check_flag(on_signal, "on_signal")))
}

# Every condition that this package signals is made here.

#' Errors and warnings
#'
#' Every error of this package is a condition of class `fitgenerator_error`, every warning one of class
#' `fitgenerator_warning`; a more specific class precedes it. If code of yours failed (a generator, a callback, a loss
#' written in R), the error also has the classes of your own condition, and holds this condition as its element
#' `parent`: `tryCatch()` finds the error by either class. The messages name the argument, state what was expected, and
#' what was received.
#'
#' @section Errors:
#'
#' \describe{
#'   \item{`fitgenerator_argument_error`}{An argument is invalid. Nothing was trained. Element `argument`: the name of
#'     the argument, if a single one is invalid.}
#'   \item{`fitgenerator_batch_error`}{A generator returned an invalid batch, a batch that does not fit the inputs of
#'     the model, or no batch at all. Elements `place` and `batch`, if there was a batch.}
#'   \item{`fitgenerator_generator_error`}{The code of an R generator failed, or that of an R function of images.
#'     Elements `parent`, `calls`, `place` and `batch` (without `batch` for `on_epoch_end`); for a function of images
#'     also `image`, and its name, `argument`.}
#'   \item{`fitgenerator_callback_error`}{The code of a callback failed. Elements `parent`, `calls`, `hook` and, if it
#'     is a Keras callback, its class, `callback`.}
#'   \item{`fitgenerator_model_error`}{R code in the model failed: a loss, a metric, a layer. Elements `parent`,
#'     `calls`, and `place`, `batch` and `stage` of the batch.}
#'   \item{`fitgenerator_python_error`}{Python raised an exception that R code did not cause, for example in a Python
#'     generator. Elements `parent` and `exception`, both the exception; and those of `place`, `batch`, `stage`,
#'     `image`, `callback` and `hook` that apply.}
#'   \item{`fitgenerator_timeout_error`}{A batch took longer than `timeout` seconds, or an `on_epoch_end` of the source.
#'     Elements `place` and `batch` (without `batch` for `on_epoch_end`).}
#'   \item{`fitgenerator_worker_error`}{Processes that make batches (see [workers]) died too often, or could not be set
#'     up. The message says how the last one ended. Elements `place` and `batch`.}
#'   \item{`fitgenerator_process_error`}{Another process of a training on several machines has failed, was interrupted,
#'     or is lost. The message names it, and says why.}
#'   \item{`fitgenerator_terminated`}{The process was asked to end (SIGTERM), and a [checkpoint()] with
#'     `on_signal = TRUE` has saved the training. In a script, R ends with status 143 if nothing handles this error.}
#'   \item{`fitgenerator_setup_error`}{Python, or a package that is needed, is missing or too old, and the message says
#'     how to install it; or the process is a fork (`parallel::mclapply()`) of one in which TensorFlow ran, which would
#'     wait for ever for threads that a fork does not have.}
#' }
#'
#' `place` is the name of the argument, `"generator"` or `"validation_data"` (`"x"` in [fit()], [evaluate()] and
#' `predict()`). `batch` is the number of the batch, counted from 1; if Python ran several batches at once, the first
#' and the last number. `stage` is what happened to the batch: it was `"made"`, `"trained on"`, `"evaluated"` or
#' `"predicted"`. `image` is the path of the image's file, or the number of the image in the flow, counted from 1.
#' `hook` is a name such as `"on_epoch_end"`. `calls` has the calls of your code that led to the error, the innermost
#' last; the message shows the last six. An error is raised when the batches before it have been trained on, and the
#' frames in which it happened are gone by then. `traceback()` shows the call of [fit_generator()] and, below it, the
#' last fifty of `calls`. `options(error = )` runs there, too: the frames of `calls` that `recover()` and
#' `dump.frames()` offer hold no variables. To look at these, call `browser()` in your code, or `recover()` in a
#' `withCallingHandlers(..., error = function(e) recover())` within your code.
#'
#' Warnings, messages and other conditions that your code signals reach the handlers around the call, and restarts work,
#' as if you had called the code yourself. The exception is R code that Python calls (a loss, or a Keras callback that
#' holds an R function), which cannot be left through a restart.
#'
#' @section Warnings:
#'
#' \describe{
#'   \item{`fitgenerator_ended_warning`}{The generator ended before all batches that you asked for were fetched. The
#'     history is marked `incomplete`; scores and predictions are those of the batches that came.}
#'   \item{`fitgenerator_thread_warning`}{A Python generator did not return from foreign code within five seconds after
#'     the end of the call. Its thread was detached and left behind.}
#'   \item{`fitgenerator_shuffled_warning`}{The predictions are those of a source that shuffles, so that their order is
#'     unknown.}
#'   \item{`fitgenerator_steps_warning`}{A number of batches is not used as it was given: it is not whole, and is
#'     rounded down; or it is the `validation_steps` of fixed arrays, all of whose rows are used. Element `argument`:
#'     its name, if it was rounded.}
#'   \item{`fitgenerator_trainable_warning`}{Layers were frozen or unfrozen without [compile()], which has no effect:
#'     the training goes on with the weights that were trainable before.}
#'   \item{`fitgenerator_image_warning`}{Images are left out (their files cannot be read, are missing or have another
#'     format), classes are without images, or a setting of images has no effect, is changed by another one, or does not
#'     fit the images.}
#'   \item{`fitgenerator_former_warning`}{A setting of Keras has no effect here: `use_multiprocessing` of a data set.}
#'   \item{`fitgenerator_checkpoint_warning`}{A [checkpoint()] saves after epochs only, although it was to save within
#'     them, because the generator cannot be resumed there.}
#'   \item{`fitgenerator_live_view_warning`}{The page of a [live_view()] could not be saved.}
#'   \item{`fitgenerator_run_warning`}{The files of a run of tfruns could not be written; the training went on.}
#' }
#'
#' @section Interrupts:
#' An interrupt is R's own condition `interrupt`, so that scripts stop; `tryCatch(interrupt = )` catches it.
#'
#' @seealso [fit_generator()], [last_history()]
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' layers <- keras$layers
#' model <- keras$Sequential(list(layers$Input(list(1L)), layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse")
#'
#' calls <- 0
#' generator <- function() {
#'   calls <<- calls + 1
#'   if (calls == 8) stop(errorCondition("No answer.", class = "no_signal"))
#'   list(matrix(rnorm(4)), rnorm(4))
#' }
#'
#' # The error is caught by your own class; the history holds the epoch that was finished.
#' error <- tryCatch(
#'   fit_generator(model, generator, 5, epochs = 2, verbose = 0),
#'   no_signal = identity
#' )
#' class(error)
#' conditionMessage(error)
#' error$batch
#' last_history()
#'
#' # An invalid batch.
#' error <- tryCatch(
#'   fit_generator(model, function() list(1:4), 5, verbose = 0),
#'   fitgenerator_batch_error = identity
#' )
#' cat(strwrap(conditionMessage(error), 70), sep = "\n")
#' @name fitgenerator_conditions
NULL

# Builds a condition of `class`, followed by the package's common class and the classes of the `parent` condition, so
# that a handler for any of them takes it. The arguments in `...` (`argument`) and the elements of the list `where`
# (`place`, `batch`) become its fields.
fg_condition <- function(message, class, parent = NULL, ..., where = NULL, call = NULL,
                         type = c("error", "warning")) {
  type <- match.arg(type)
  classes <- c(class, paste0("fitgenerator_", type), parent_classes(parent), type, "condition")
  structure(
    class = unique(classes),
    c(list(message = paste(message, collapse = "\n"), call = call, parent = parent, ...), where)
  )
}

fg_abort <- function(message, class, parent = NULL, ..., call = NULL) {
  stop(fg_condition(message, class, parent, ..., call = call, type = "error"))
}

fg_warn <- function(message, class, parent = NULL, ..., call = NULL) {
  warning(fg_condition(message, class, parent, ..., call = call, type = "warning"))
}

warn_steps <- function(message, argument) {
  fg_warn(message, "fitgenerator_steps_warning", argument = argument)
}

abort_argument <- function(message, argument = NULL, ...) {
  fg_abort(message, "fitgenerator_argument_error", argument = argument, ...)
}

abort_batch <- function(message, place = "generator", batch = NULL, ...) {
  fg_abort(message, "fitgenerator_batch_error", ..., where = list(place = place, batch = batch, stage = "made"))
}

# The elements of a condition about batch `batch` of `place`, or, without a batch, about the end of a pass.
made_at <- function(place, batch) c(list(place = place), if (!is.null(batch)) list(batch = batch, stage = "made"))

# The condition for R code of the user that failed with `parent` when it made batch `batch` of `place`, or, without a
# batch, when a pass began or ended.
generator_error <- function(parent, place = "generator", batch = NULL, calls = NULL) {
  which <- if (is.null(batch)) "" else sprintf(" at batch %d", as.integer(batch))
  message <- sprintf("The code of `%s` failed%s: %s", place, which, condition_text(parent))
  message <- c(message, failed_in(calls))
  fg_condition(message, "fitgenerator_generator_error", parent, calls = calls, where = made_at(place, batch))
}

# The condition for a function of images, the argument `name`, that failed with `parent`. The list `where` has the
# `image`, and the `batch` and its `place`, if they are known.
function_error <- function(parent, name, where = NULL, calls = NULL) {
  which <- c(
    if (!is.null(where$batch)) sprintf(" at batch %d of `%s`", where$batch, where$place),
    if (!is.null(where$image)) paste(" on", image_words(where$image))
  )
  message <- sprintf("The code of `%s` failed%s: %s", name, paste(which, collapse = ","), condition_text(parent))
  message <- c(message, failed_in(calls))
  fg_condition(message, "fitgenerator_generator_error", parent, argument = name, calls = calls, where = where)
}

# An image by its number in the flow, or by the path of its file.
image_words <- function(image) {
  if (is.numeric(image)) sprintf("image %d of the flow", as.integer(image)) else paste("the file", image)
}

# The condition for a callback whose method `hook` ("on_epoch_end") failed with `parent`.
callback_error <- function(parent, hook, callback = NULL, calls = NULL) {
  whose <- if (is.null(callback)) "a callback" else sprintf("the callback `%s`", callback)
  message <- sprintf("`%s` of %s failed: %s", hook, whose, condition_text(parent))
  where <- list(hook = hook, callback = callback)
  fg_condition(c(message, failed_in(calls)), "fitgenerator_callback_error", parent, calls = calls, where = where)
}

# The condition for a Python exception. Its text includes the notes that were added to the exception.
python_error <- function(exception, text = shortened(condition_text(exception)), where = NULL) {
  fg_condition(text, "fitgenerator_python_error", exception, exception = exception, where = where)
}

# The condition for a closure that did not return within `timeout` seconds; `stack` is where it stood. Without a batch,
# the closure is a hook that is told of the end of a pass.
overdue_error <- function(place, batch, timeout, stack) {
  what <- if (is.null(batch)) "did not return from on_epoch_end()" else sprintf("gave no batch %d", batch)
  message <- sprintf("`%s` %s within %g seconds (`timeout`). It stands at:", place, what, timeout)
  fg_condition(c(message, stack), "fitgenerator_timeout_error", where = made_at(place, batch))
}

# Returns a Python object, given as the argument `name`, if it lives in this process.
check_alive <- function(x, name = "") {
  if (!reticulate::py_is_null_xptr(x)) return(x)
  what <- if (nzchar(name)) sprintf("`%s`", name) else "An argument"
  abort_argument(paste(
    what, "must hold a Python object of this session, not what R has kept of one: no saved workspace, no page of knitr",
    "with `cache = TRUE`, and no value of callr or of a future can hold it. Save a model there with",
    "model$save(\"model.keras\") and load it here; make other objects here; in knitr, set `cache = FALSE`."
  ), if (nzchar(name)) name)
}

# The same for the Python objects among the arguments `x` of a call that has failed.
check_all_alive <- function(x, name = "") {
  if (is_python(x)) return(check_alive(x, name))
  if (!is.list(x)) return(invisible())
  names <- names(x)
  for (i in seq_along(x)) {
    check_all_alive(x[[i]], if (is.null(names) || !nzchar(names[[i]])) name else names[[i]])
  }
}

abort_setup <- function(message, ...) {
  fg_abort(message, "fitgenerator_setup_error", ...)
}

# The message of our conditions is complete. Without these methods, those of a parent's class, such as rlang's, would
# build another message from fields that our condition may not have.
#' @export
#' @noRd
conditionMessage.fitgenerator_error <- function(c) unclass(c)$message

#' @export
#' @noRd
conditionMessage.fitgenerator_warning <- function(c) unclass(c)$message

# The classes of a parent that our condition has as well. The classes for which reticulate has methods for `$` are left
# out: they would treat our condition, a list, as a Python object.
parent_classes <- function(parent) {
  common <- c("NULL", "error", "warning", "message", "condition")
  setdiff(class(parent), c(common, "python.builtin.object", "python.builtin.BaseException"))
}

# Keras prints parts of its messages in bold.
without_colours <- function(text) gsub("\033\\[[0-9;]*m", "", text)

# Shortens messages into which TensorFlow has written its own stack. The beginning states what failed; the end, where
# our notes are, states at which batch. The parent has the whole message.
shortened <- function(text, longest = 1500L) {
  if (nchar(text, "bytes") <= longest) return(text)
  paste0(substr(text, 1L, longest - 500L), "\n[...]\n", substring(text, nchar(text) - 400L))
}

# The message of a condition, without the advice that reticulate adds to each exception.
condition_text <- function(cond) {
  text <- without_colours(paste(conditionMessage(cond), collapse = "\n"))
  sub("\n+Run `?reticulate::py_last_error\\(\\)`?.*$", "", text)
}

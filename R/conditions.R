# Every condition this package signals is made here, one sentence per class in the page below.

#' Errors and warnings
#'
#' Every error of this package is a condition of class `fitgenerator_error`, every warning one of class
#' `fitgenerator_warning`, besides the class that says which. Where code of yours failed (a generator, a callback, a
#' loss written in R), the error has the classes of your own condition too, and the condition itself as the element
#' `parent`: `tryCatch()` finds it by either. The messages are in the words of R: they name the argument, the rule, and
#' what came.
#'
#' @section Errors:
#'
#' \describe{
#'   \item{`fitgenerator_argument_error`}{An argument is not what it must be; nothing was trained. Element `argument`:
#'     its name, where one is to blame.}
#'   \item{`fitgenerator_batch_error`}{The generator returned something that is no batch, or that does not fit the
#'     model's inputs; or it gave no batch at all. Elements `place` and `batch`, where R saw it.}
#'   \item{`fitgenerator_generator_error`}{The code of an R generator failed. Elements `parent`, `place` and `batch`.}
#'   \item{`fitgenerator_callback_error`}{The code of a callback failed. Elements `parent` and, if it is a plain list,
#'     `hook`.}
#'   \item{`fitgenerator_model_error`}{R code in the model failed: a loss, a metric, a layer. Element `parent`.}
#'   \item{`fitgenerator_python_error`}{Python raised an exception that no R code caused, in a Python generator perhaps.
#'     Elements `parent` and `exception`, both the exception.}
#'   \item{`fitgenerator_timeout_error`}{A batch took longer than `timeout` seconds. Elements `place` and `batch`, for
#'     an R function.}
#'   \item{`fitgenerator_setup_error`}{Python, or a package that is needed, is missing or too old; the message says how
#'     to install it.}
#' }
#'
#' `place` is the name of the argument, `"generator"` or `"validation_data"` (`"x"` in [fit()], [evaluate()] and
#' `predict()`); `batch` counts from 1; `hook` is a name such as `"on_epoch_end"`.
#'
#' Warnings, messages and other conditions that your code signals reach handlers around the call, and restarts work,
#' as if you had called the code yourself; but R code that is called by Python (a loss, a callback of Keras that holds
#' an R function) cannot be left through a restart.
#'
#' @section Warnings:
#'
#' \describe{
#'   \item{`fitgenerator_ended_warning`}{The generator ended before all batches were drawn that were asked for. The
#'     history is marked `incomplete`; scores and predictions are those of the batches that came.}
#'   \item{`fitgenerator_thread_warning`}{A Python generator did not return from foreign code within five seconds after
#'     the end of the call; its thread was cut off and left behind.}
#'   \item{`fitgenerator_shuffled_warning`}{Predictions of a flow that shuffles: nobody knows which row is whose.}
#'   \item{`fitgenerator_image_warning`}{Images are left out, because their files cannot be read.}
#' }
#'
#' @section Interrupts:
#' An interrupt is R's own condition `interrupt`, so that scripts stop; `tryCatch(interrupt = )` takes it.
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
#' # By your own class; the epoch that was finished is in the history.
#' error <- tryCatch(
#'   fit_generator(model, generator, 5, epochs = 2, verbose = 0),
#'   no_signal = identity
#' )
#' class(error)
#' conditionMessage(error)
#' error$batch
#' last_history()
#'
#' # What is no batch is refused.
#' error <- tryCatch(
#'   fit_generator(model, function() list(1:4), 5, verbose = 0),
#'   fitgenerator_batch_error = identity
#' )
#' cat(strwrap(conditionMessage(error), 70), sep = "\n")
#' @name fitgenerator_conditions
NULL

# Builds a condition of `class`, followed by our own common class, then by the classes of the `parent`
# condition, so that a handler for either takes it. What is in `...` (`argument`) becomes an element, and so does what
# the list `where` has (`place`, `batch`).
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

abort_argument <- function(message, argument = NULL, ...) {
  fg_abort(message, "fitgenerator_argument_error", argument = argument, ...)
}

abort_batch <- function(message, place = "generator", batch = NULL, ...) {
  fg_abort(message, "fitgenerator_batch_error", ..., where = list(place = place, batch = batch, stage = "made"))
}

# The condition for R code of the user that failed with `parent` while it made batch `batch` of `place`.
generator_error <- function(parent, place = "generator", batch = NULL) {
  which <- if (is.null(batch)) "" else sprintf(" at batch %d", as.integer(batch))
  message <- sprintf("The code of `%s` failed%s: %s", place, which, condition_text(parent))
  where <- list(place = place, batch = batch, stage = "made")
  fg_condition(message, "fitgenerator_generator_error", parent, where = where)
}

# The condition for a function of images, given as the argument `name`, that failed with `parent`. `where` has the
# `image`, and the `batch` and its `place`, where they are known.
function_error <- function(parent, name, where = NULL) {
  which <- c(
    if (!is.null(where$batch)) sprintf(" at batch %d of `%s`", where$batch, where$place),
    if (!is.null(where$image)) paste(" on", image_words(where$image))
  )
  message <- sprintf("The code of `%s` failed%s: %s", name, paste(which, collapse = ","), condition_text(parent))
  fg_condition(message, "fitgenerator_generator_error", parent, argument = name, where = where)
}

# An image by its number in the flow, or by the path of its file.
image_words <- function(image) {
  if (is.numeric(image)) sprintf("image %d of the flow", as.integer(image)) else paste("the file", image)
}

# The condition for a callback whose method `hook` ("on_epoch_end") failed with `parent`.
callback_error <- function(parent, hook, callback = NULL) {
  whose <- if (is.null(callback)) "a callback" else sprintf("the callback `%s`", callback)
  message <- sprintf("`%s` of %s failed: %s", hook, whose, condition_text(parent))
  fg_condition(message, "fitgenerator_callback_error", parent, where = list(hook = hook, callback = callback))
}

# The condition for an exception of Python. Its text holds the notes that Python code has put on it.
python_error <- function(exception, text = shortened(condition_text(exception)), where = NULL) {
  fg_condition(text, "fitgenerator_python_error", exception, exception = exception, where = where)
}

# The condition for a closure that did not return within `timeout` seconds; `stack` is where it stood.
overdue_error <- function(place, batch, timeout, stack) {
  message <- sprintf("`%s` gave no batch %d within %g seconds (`timeout`). It stands at:", place, batch, timeout)
  where <- list(place = place, batch = batch, stage = "made")
  fg_condition(c(message, stack), "fitgenerator_timeout_error", where = where)
}

abort_setup <- function(message, ...) {
  fg_abort(message, "fitgenerator_setup_error", ...)
}

# Our message is complete as it is. Without these methods the ones of a parent's class (rlang's among them)
# would be taken, and build another text from fields that our condition may not have.
#' @export
#' @noRd
conditionMessage.fitgenerator_error <- function(c) unclass(c)$message

#' @export
#' @noRd
conditionMessage.fitgenerator_warning <- function(c) unclass(c)$message

# The classes of a parent that its child carries as well. Those under which reticulate has methods for `$` are
# left out: our condition is a list, and they would take it for a Python object.
parent_classes <- function(parent) {
  common <- c("NULL", "error", "warning", "message", "condition")
  setdiff(class(parent), c(common, "python.builtin.object", "python.builtin.BaseException"))
}

# Keras writes parts of its messages in bold.
without_colours <- function(text) gsub("\033\\[[0-9;]*m", "", text)

# TensorFlow writes its own stack into some of its messages. The beginning says what failed, and the end, where our
# notes are, at which batch; all of it is in the parent.
shortened <- function(text, longest = 1500L) {
  if (nchar(text, "bytes") <= longest) return(text)
  paste0(substr(text, 1L, longest - 500L), "\n[...]\n", substring(text, nchar(text) - 400L))
}

# What a condition says, without the advice that reticulate adds to each exception.
condition_text <- function(cond) {
  text <- without_colours(paste(conditionMessage(cond), collapse = "\n"))
  sub("\n+Run `?reticulate::py_last_error\\(\\)`?.*$", "", text)
}

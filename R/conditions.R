# Every condition this package signals is made here, one sentence per class:
#
# fitgenerator_argument_error   an argument of a function is not what it must be.
# fitgenerator_batch_error      the generator returned something that is no batch.
# fitgenerator_generator_error  the generator's own code failed; the parent is its condition.
# fitgenerator_callback_error   a callback's own code failed; the parent is its condition.
# fitgenerator_model_error      R code in the model (a loss, metric, layer) failed; the parent is its condition.
# fitgenerator_python_error     Python raised an exception that no R code caused.
# fitgenerator_timeout_error    a batch took longer than `timeout` seconds.
# fitgenerator_setup_error      Python, or a package that is needed, is missing or too old.
# fitgenerator_ended_warning    the generator ended before all its batches were drawn.
# fitgenerator_shuffled_warning predictions came in the order of a generator that shuffles.
# fitgenerator_thread_warning   a Python generator did not return; its thread was left behind.
# fitgenerator_shuffled_warning predictions of a flow that shuffles: nobody knows which row is whose.
# fitgenerator_image_warning    images are left out, because their files cannot be read.
#
# All errors are also `fitgenerator_error`, all warnings `fitgenerator_warning`.

# Builds a condition of `class`, followed by our own common class, then by the classes of the `parent`
# condition, so that a handler for either takes it. What is in `...` (`batch`, `place`) becomes a field.
fg_condition <- function(message, class, parent = NULL, ..., call = NULL, type = c("error", "warning")) {
  type <- match.arg(type)
  classes <- c(class, paste0("fitgenerator_", type), parent_classes(parent), type, "condition")
  structure(
    class = unique(classes),
    list(message = paste(message, collapse = "\n"), call = call, parent = parent, ...)
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
  fg_abort(message, "fitgenerator_batch_error", place = place, batch = batch, ...)
}

# The condition for R code of the user that failed with `parent` while it made batch `batch` of `place`.
generator_error <- function(parent, place = "generator", batch = NULL) {
  which <- if (is.null(batch)) "" else sprintf(" at batch %d", as.integer(batch))
  message <- sprintf("The code of `%s` failed%s: %s", place, which, condition_text(parent))
  fg_condition(message, "fitgenerator_generator_error", parent, place = place, batch = batch)
}

# The condition for a function of images, given as the argument `name`, that failed with `parent` in a batch of `place`.
function_error <- function(parent, name, place = "generator", batch = NULL) {
  which <- if (is.null(batch)) "" else sprintf(" at batch %d of `%s`", batch, place)
  message <- sprintf("The code of `%s` failed%s: %s", name, which, condition_text(parent))
  fg_condition(message, "fitgenerator_generator_error", parent, place = name, batch = batch)
}

# The condition for a callback whose method `hook` ("on_epoch_end") failed with `parent`.
callback_error <- function(parent, hook, callback = NULL) {
  whose <- if (is.null(callback)) "a callback" else sprintf("the callback `%s`", callback)
  message <- sprintf("`%s` of %s failed: %s", hook, whose, condition_text(parent))
  fg_condition(message, "fitgenerator_callback_error", parent, hook = hook, callback = callback)
}

# The condition for an exception of Python. Its text holds the notes that Python code has put on it.
python_error <- function(exception) {
  text <- with_advice(shortened(condition_text(exception)))
  fg_condition(text, "fitgenerator_python_error", exception, exception = exception)
}

# The condition for a closure that did not return within `timeout` seconds; `stack` is where it stood.
overdue_error <- function(place, batch, timeout, stack) {
  message <- sprintf("`%s` gave no batch %d within %g seconds (`timeout`). It stands at:", place, batch, timeout)
  fg_condition(c(message, stack), "fitgenerator_timeout_error", place = place, batch = batch)
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

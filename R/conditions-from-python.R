# Converts failures of the Python side into R conditions: conditions of this package, whose parent is the condition that
# the user's code signalled.
#
# `failure` says in fields what failed (`failure_of()` in results.py makes it): its `kind`; its `text` and the `notes`
# below; the `argument` to blame; where it happened; and, for an error of R code, where the condition is kept: `number`
# among those of `run`, or `cell`. Nothing is parsed out of texts.

# The fields that say where a failure happened. Conditions have elements of the same names.
places <- c("place", "batch", "stage", "image", "callback", "hook")

# `raised` is the exception as reticulate signals it, `NULL` if there is none; a call that R hosts raises its failure.
failure_condition <- function(failure, run = NULL,
                              raised = tryCatch(cross(run$python$raise_failure), condition = identity)) {
  where <- lapply(Filter(Negate(is.null), failure[places]), unlist)
  text <- paste(c(failure$text, unlist(failure$notes)), collapse = "\n")
  switch(failure$kind,
    r = run$conditions[[failure$number]],
    elsewhere = worker_failure(failure$condition, where),
    `function` = failure$cell$condition(where),
    argument = fg_condition(text, "fitgenerator_argument_error", argument = failure$argument, where = where),
    batch = fg_condition(batch_text(failure), "fitgenerator_batch_error", where = where),
    timeout = fg_condition(text, "fitgenerator_timeout_error", where = where),
    setup = fg_condition(text, "fitgenerator_setup_error", where = where),
    worker = fg_condition(text, "fitgenerator_worker_error", where = where),
    process = fg_condition(text, "fitgenerator_process_error"),
    terminated = fg_condition(text, "fitgenerator_terminated"),
    interrupt = structure(class = c("interrupt", "condition"), list(message = "interrupted", call = NULL)),
    python_condition(failure, where, raised)
  )
}

# The text of a batch error. The number of the batch comes first, because R users read a message from the front.
batch_text <- function(failure) {
  opening <- if (!is.null(failure$batch)) {
    batches <- if (length(failure$batch) > 1L) "Batches" else "Batch"
    sprintf("%s %s of `%s`: ", batches, paste(unlist(failure$batch), collapse = " to "), failure$place)
  }
  with_advice(paste0(opening, failure$text), failure)
}

# Adds advice to messages about a missing dimension, whose usual cause is `x[i, ]` with a single row or column.
with_advice <- function(text, failure) {
  if (!isTRUE(failure$vector_inputs)) return(text)
  paste(text, "A matrix loses a dimension in x[i, ]; x[i, , drop = FALSE] keeps it.", sep = "\n")
}

# The condition for a Python exception. If R code that Python called (in a callback, a loss, a layer) caused the
# exception, the condition of this code is the parent.
python_condition <- function(failure, where, raised) {
  text <- paste(c(failure$text, unlist(failure$notes)), collapse = "\n")
  if (!inherits(raised, "error")) raised <- NULL
  fields <- r_fields(attr(raised, "py_object"))
  if (is.null(fields)) {
    text <- if (is.null(raised)) paste0(failure$type, ": ", text) else condition_text(raised)
    return(python_error(raised, with_advice(shortened(text), failure), where))
  }
  own <- c("r_class", "trace", "__notes__", "fitgenerator_context", "fitgenerator_calls")
  parent <- structure(fields[setdiff(names(fields), own)], class = fields$r_class)
  if (is_time_limit(parent)) return(parent)
  calls <- fields$fitgenerator_calls
  if (is.null(calls)) calls <- traced_calls(fields$trace, parent)
  text <- c(shortened(without_colours(text)), failed_in(calls))
  if (!is.null(where$hook)) {
    return(fg_condition(text, "fitgenerator_callback_error", parent, calls = calls, where = where))
  }
  # Without a stage, it is a hook of the source that is told of passes.
  of_source <- !is.null(where$place) && (is.null(where$stage) || where$stage == "made")
  if (of_source) return(generator_error(parent, where$place, where$batch, calls))
  text[[1L]] <- paste("R code in the model (a loss, a metric or a layer) failed:", text[[1L]])
  fg_condition(text, "fitgenerator_model_error", parent, calls = calls, where = where)
}

# The fields of the R condition that reticulate has stored in an exception, or in one that caused it; `NULL` if there is
# none. reticulate stores each field as an attribute, the class as `r_class`, and the calls within `trace`.
r_fields <- function(exception) {
  while (inherits(exception, "python.builtin.BaseException")) {
    fields <- reticulate::py_to_r(reticulate::py_get_attr(exception, "__dict__"))
    if (!is.null(fields$r_class)) return(fields)
    cause <- reticulate::py_get_attr(exception, "__cause__")
    exception <- if (inherits(cause, "python.builtin.BaseException")) {
      cause
    } else {
      reticulate::py_get_attr(exception, "__context__")
    }
  }
  NULL
}

# The classes of our warnings, by the class of the Python warning.
warning_classes <- c(
  EndedEarlyWarning = "fitgenerator_ended_warning",
  AbandonedThreadWarning = "fitgenerator_thread_warning",
  ShuffledWarning = "fitgenerator_shuffled_warning",
  StepsWarning = "fitgenerator_steps_warning",
  TrainableWarning = "fitgenerator_trainable_warning",
  ImageWarning = "fitgenerator_image_warning",
  FormerArgumentWarning = "fitgenerator_former_warning",
  LiveViewWarning = "fitgenerator_live_view_warning",
  CheckpointWarning = "fitgenerator_checkpoint_warning"
)

# Signals the warnings of a call and raises its condition, if it failed; else returns its value.
resolve <- function(outcome) {
  for (warned in outcome$warnings) warn_of(warned)
  if (inherits(outcome$condition, "fitgenerator_terminated")) stop_terminated(outcome$condition)
  if (!is.null(outcome$condition)) stop_in_calls(outcome$condition)
  outcome$value
}

# Signals a warning of Python's, a text and a class.
warn_of <- function(warned) fg_warn(warned[[1L]], warning_classes[[warned[[2L]]]])

# Raises the error of a training that SIGTERM has stopped. If nothing handles it in a script, R ends with the status of
# a process that SIGTERM has ended.
stop_terminated <- function(cnd) {
  if (interactive() || !is.null(getOption("error"))) stop(cnd)
  signalCondition(cnd)
  cat("Error: ", conditionMessage(cnd), "\n", sep = "", file = stderr())
  quit("no", status = 143L, runLast = FALSE)
}

# Calls Python outside of a training. An exception becomes a condition of this package.
ask <- function(fn, ...) {
  tryCatch(cross(fn, ...), error = function(cnd) stop(asked_error(cnd)))
}

asked_error <- function(cnd) {
  if (!inherits(cnd, "python.builtin.BaseException")) return(cnd)
  failure <- cross(core_function("failure_of", "r.reticulate.results"), attr(cnd, "py_object"))
  failure_condition(failure, raised = cnd)
}

# Returns what Python made, or raises the error of a failure.
made <- function(value) {
  if (is.list(value)) stop(failure_condition(value, raised = NULL))
  value
}

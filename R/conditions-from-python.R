# What a failed call raises in R: our own condition, with what the user's code signalled as its parent.

#
# Python says what failed in fields (`failure_of()` in results.py): `kind`, what the error says (`text`, in R's words,
# and `notes`, sentences below it), `argument`, and where it happened. Nothing is read out of a text.

# The fields that say where, which conditions have as elements of the same names.
places <- c("place", "batch", "stage", "image", "callback", "hook")

# The condition for a failure. `raised` is the exception as reticulate signals it, `NULL` where there is none; a call
# that R hosts can raise its failure again.
failure_condition <- function(failure, run = NULL,
                              raised = tryCatch(cross(run$python$raise_failure), condition = identity)) {
  where <- lapply(Filter(Negate(is.null), failure[places]), unlist)
  text <- paste(c(failure$text, unlist(failure$notes)), collapse = "\n")
  switch(failure$kind,
    r = run$conditions[[failure$number]],
    `function` = failure$cell$condition(where),
    argument = fg_condition(text, "fitgenerator_argument_error", argument = failure$argument, where = where),
    batch = fg_condition(batch_text(failure), "fitgenerator_batch_error", where = where),
    timeout = fg_condition(text, "fitgenerator_timeout_error", where = where),
    setup = fg_condition(text, "fitgenerator_setup_error", where = where),
    interrupt = structure(class = c("interrupt", "condition"), list(message = "interrupted", call = NULL)),
    python_condition(failure, where, raised)
  )
}

# Which batch it was comes first, as R users read messages from the front.
batch_text <- function(failure) {
  opening <- if (!is.null(failure$batch)) {
    batches <- if (length(failure$batch) > 1L) "Batches" else "Batch"
    sprintf("%s %s of `%s`: ", batches, paste(unlist(failure$batch), collapse = " to "), failure$place)
  }
  with_advice(paste0(opening, failure$text), failure)
}

# `x[i, ]` with a single row or column is the usual way to an array that has a dimension too few.
with_advice <- function(text, failure) {
  if (!isTRUE(failure$vector_inputs)) return(text)
  paste(text, "A matrix loses a dimension in x[i, ]; x[i, , drop = FALSE] keeps it.", sep = "\n")
}

# An exception of Python. Where R code that Python called (in a callback, a loss, a layer) is behind it, that
# code's own condition is the parent.
python_condition <- function(failure, where, raised) {
  text <- paste(c(failure$text, unlist(failure$notes)), collapse = "\n")
  parent <- r_condition(attr(raised, "py_object"))
  if (is.null(parent)) {
    text <- if (inherits(raised, "error")) condition_text(raised) else paste0(failure$type, ": ", text)
    return(python_error(raised, with_advice(shortened(text), failure), where))
  }
  text <- shortened(without_colours(text))
  if (!is.null(where$hook)) return(fg_condition(text, "fitgenerator_callback_error", parent, where = where))
  text <- paste("R code in the model (a loss, a metric or a layer) failed:", text)
  fg_condition(text, "fitgenerator_model_error", parent, where = where)
}

# The R condition that reticulate packed into an exception, or into one that it came of; `NULL` where there is
# none. Reticulate keeps each field of the condition as an attribute, and its class as `r_class`.
r_condition <- function(exception) {
  while (inherits(exception, "python.builtin.BaseException")) {
    fields <- reticulate::py_to_r(reticulate::py_get_attr(exception, "__dict__"))
    if (!is.null(fields$r_class)) {
      hidden <- c("r_class", "trace", "__notes__", "fitgenerator_context")
      return(structure(fields[setdiff(names(fields), hidden)], class = fields$r_class))
    }
    cause <- reticulate::py_get_attr(exception, "__cause__")
    exception <- if (inherits(cause, "python.builtin.BaseException")) {
      cause
    } else {
      reticulate::py_get_attr(exception, "__context__")
    }
  }
  NULL
}

# By the class of Python's warning.
warning_classes <- c(
  EndedEarlyWarning = "fitgenerator_ended_warning",
  AbandonedThreadWarning = "fitgenerator_thread_warning",
  ShuffledWarning = "fitgenerator_shuffled_warning",
  ImageWarning = "fitgenerator_image_warning"
)

# Raises what failed and warns of what ended early; otherwise returns the value.
resolve <- function(outcome) {
  for (warned in outcome$warnings) {
    fg_warn(warned[[1L]], warning_classes[[warned[[2L]]]])
  }
  if (!is.null(outcome$condition)) stop(outcome$condition)
  outcome$value
}

# Calls Python outside of a training; what it raises becomes a condition of ours.
ask <- function(fn, ...) {
  tryCatch(cross(fn, ...), error = function(cnd) stop(asked_error(cnd)))
}

asked_error <- function(cnd) {
  if (!inherits(cnd, "python.builtin.BaseException")) return(cnd)
  failure <- cross(core_function("failure_of", "r.reticulate.results"), attr(cnd, "py_object"))
  failure_condition(failure, raised = cnd)
}

# What Python made, where it is not the failure to make it.
made <- function(value) {
  if (is.list(value)) stop(failure_condition(value, raised = NULL))
  value
}

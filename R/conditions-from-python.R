# What a failed call raises in R: our own condition, with what the user's code signalled as its parent.

failure_condition <- function(failure, run = NULL) {
  text <- paste(c(failure$text, unlist(failure$notes)), collapse = "\n")
  switch(failure$kind,
    r = run$conditions[[failure$number]],
    `function` = function_condition(failure),
    argument = fg_condition(r_words(text), "fitgenerator_argument_error"),
    batch = fg_condition(batch_text(failure), "fitgenerator_batch_error"),
    timeout = fg_condition(text, "fitgenerator_timeout_error"),
    setup = fg_condition(text, "fitgenerator_setup_error"),
    interrupt = structure(class = c("interrupt", "condition"), list(message = "interrupted", call = NULL)),
    python_condition(failure, run)
  )
}

# The notes say which batch it was: they come first, as R users read messages from the front.
batch_text <- function(failure) {
  place <- sub("^While batch (.*) was made\\.$", "Batch \\1: ", unlist(failure$notes))
  with_advice(paste0(paste(place, collapse = ""), failure$text))
}

# Texts of the Python side, with its values, arguments and methods as R has them.
r_words <- function(text) {
  text <- gsub("call generator.fit(images)", "call fit_image_data_generator(generator, images)", text, fixed = TRUE)
  text <- gsub("what fit() learns", "what is learned", text, fixed = TRUE)
  text <- gsub("(?<=[ (])(\\w+)=(?=[\"A-Z[])", "\\1 = ", text, perl = TRUE)
  text <- gsub("\\[(\"[^\"]*\")\\]", "\\1", text)
  words <- c(None = "NULL", True = "TRUE", False = "FALSE")
  for (word in names(words)) {
    text <- gsub(sprintf("(?<=[ (])%s(?=[ ,;:)]|\\.?$|\\. )", word), words[[word]], text, perl = TRUE)
  }
  text
}

# `x[i, ]` with a single row or column is the usual way to an array that has a dimension too few.
with_advice <- function(text) {
  if (!grepl("in inputs \\([0-9]+,\\)|incompatible shape \\(None,\\)", text)) return(text)
  paste(text, "A matrix loses a dimension in x[i, ]; x[i, , drop = FALSE] keeps it.", sep = "\n")
}

# An exception of Python. Where R code that Python called (in a callback, a loss, a layer) is behind it, that
# code's own condition is the parent.
python_condition <- function(failure, run) {
  raised <- tryCatch(cross(run$python$raise_failure), condition = identity)
  if (!inherits(raised, "error")) return(fg_condition(failure$text, "fitgenerator_python_error"))
  text <- shortened(without_colours(paste(c(failure$text, unlist(failure$notes)), collapse = "\n")))
  parent <- r_condition(attr(raised, "py_object"))
  if (is.null(parent)) return(python_error(raised))
  from_callback <- any(startsWith(as.character(unlist(failure$notes)), "Raised by the callback"))
  if (from_callback) return(fg_condition(text, "fitgenerator_callback_error", parent))
  text <- paste("R code in the model (a loss, a metric or a layer) failed:", text)
  fg_condition(text, "fitgenerator_model_error", parent)
}

# The R condition that reticulate packed into an exception, or into one that it came of; `NULL` where there is
# none. Reticulate keeps each field of the condition as an attribute, and its class as `r_class`.
r_condition <- function(exception) {
  while (inherits(exception, "python.builtin.BaseException")) {
    fields <- reticulate::py_to_r(reticulate::py_get_attr(exception, "__dict__"))
    if (!is.null(fields$r_class)) {
      hidden <- c("r_class", "trace", "__notes__")
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
    fg_warn(r_words(warned[[1L]]), warning_classes[[warned[[2L]]]])
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
  text <- condition_text(cnd)
  parent <- r_condition(attr(cnd, "py_object"))
  if (!is.null(parent)) {
    text <- paste("R code in the model (a loss, a metric or a layer) failed:", shortened(text))
    return(fg_condition(text, "fitgenerator_model_error", parent))
  }
  ours <- sub("^fitgenerator[.]", "", grep("^fitgenerator[.]", class(cnd), value = TRUE))
  kinds <- c(ArgumentError = "argument", ArgumentTypeError = "argument", BatchError = "batch")
  kind <- kinds[intersect(ours, names(kinds))]
  if (!length(kind)) return(python_error(cnd))
  text <- sub("^[A-Za-z.]+: ", "", text)
  fg_condition(with_advice(text), sprintf("fitgenerator_%s_error", kind[[1L]]))
}

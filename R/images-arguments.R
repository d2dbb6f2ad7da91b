# The arguments of image generators and flows, as they cross to Python. Python checks most of them, where they are used;
# this file checks what has a form of its own in R.

check_image_function <- function(x, name) {
  if (is.null(x) || is_python(x)) return(x)
  if (!is.function(x)) {
    abort_argument(sprintf("`%s` must be a function of one image, not %s.", name, describe(x)), name)
  }
  fault <- image_function_fault(x)
  if (length(fault)) abort_argument(sprintf("`%s` must be a function of one image, not %s.", name, fault), name)
  x
}

# Refuses `NA` in the settings that Python checks, because it would arrive there as `TRUE`.
check_settings <- function(arguments) {
  settings <- arguments[setdiff(names(arguments), c("x", "y", "sample_weight", "dataframe"))]
  absent <- vapply(settings, function(x) is.atomic(x) && length(x) > 0L && anyNA(x), NA)
  for (name in names(which(absent))) abort_argument(sprintf("`%s` must not be NA.", name), name)
  arguments
}

check_size <- function(x) {
  whole <- is.numeric(x) && length(x) == 2L && all(vapply(x, function(n) is_whole(n) && as_whole(n) >= 1L, NA))
  if (whole) return(as.list(as_whole(x)))
  abort_argument(
    sprintf("`target_size` must be c(height, width) in pixels, not %s.", if (is.numeric(x)) deparse(x) else shown(x)),
    "target_size"
  )
}

check_folder <- function(x, name, null = FALSE) {
  if (null && is.null(x)) return(NULL)
  if (is.character(x) && length(x) == 1L && !is.na(x) && nzchar(x)) return(enc2utf8(path.expand(x)))
  abort_argument(sprintf("`%s` must be the path of a folder, not %s.", name, shown(x)), name)
}

check_names <- function(x, name) {
  if (is.null(x)) return(NULL)
  if (is.factor(x)) x <- as.character(x)
  if (is.list(x)) x <- unlist(x)
  if ((is.character(x) || is.numeric(x)) && length(x) && !anyNA(x)) return(as.list(enc2utf8(as.character(x))))
  abort_argument(sprintf("`%s` must be a character vector, not %s.", name, describe(x)), name)
}

check_generator <- function(x, name = "generator") {
  if (inherits(x, "fitgenerator.images.ImageDataGenerator")) return(x)
  text <- "`%s` must be an image generator, as image_data_generator() returns it, not %s."
  abort_argument(sprintf(text, name, describe(x)), name)
}

# Images in an array; with `list = TRUE`, also `list(images, other)`, with other inputs of the model.
check_images <- function(x, list = FALSE) {
  images <- x
  if (list && is.list(x) && !is.data.frame(x) && length(x) == 2L) images <- x[[1L]]
  if (is_python(images)) return(x)
  if (!(is.numeric(images) || is.logical(images) || is.raw(images)) || length(dim(images)) != 4L) {
    text <- paste(
      "`x` must be an array of images x height x width x channels, not %s. For one image, use",
      "x[i, , , , drop = FALSE]; to grey images, add the last dimension with dim(x) <- c(dim(x), 1)."
    )
    abort_argument(sprintf(text, describe(images)), "x")
  }
  as_part(x, "x", NULL, NULL)
}

# A data frame as a list of columns, of which those of the names `used` are read.
frame_columns <- function(x, used) {
  if (is_python(x)) return(x)
  if (!is.data.frame(x)) {
    abort_argument(sprintf("`dataframe` must be a data frame, not %s.", describe(x)), "dataframe")
  }
  check_single(x, used, "dataframe")
  lapply(x, image_column)
}

image_column <- function(column) {
  if (is.factor(column)) column <- as.character(column)
  if (is.character(column)) return(as.list(enc2utf8(column)))
  if (is.list(column)) return(lapply(unname(column), function(value) {
    if (is.factor(value) || is.character(value)) as.list(enc2utf8(as.character(value))) else nan_for_na(value)
  }))
  if (is_array_like(column)) plain_array(nan_for_na(column)) else as.list(as.character(column))
}

# Checks the column of classes. Returns the classes: those given, or the levels of a factor.
frame_classes <- function(frame, y_col, class_mode, classes) {
  of_classes <- length(class_mode) == 1L && class_mode %in% c("categorical", "binary", "sparse")
  there <- is.data.frame(frame) && length(y_col) == 1L && y_col %in% names(frame)
  if (!of_classes || !there) return(check_names(classes, "classes"))
  column <- frame[[y_col]]
  if (!is.character(column) && !is.factor(column) && !is.list(column) || anyNA(column)) {
    found <- if (anyNA(column)) "text with NA" else describe(column)
    text <- paste(
      "`y_col` names the column `%s`, which must hold the classes as text or a factor for class_mode = \"%s\", not",
      "%s; convert it with as.character(), or use class_mode = \"raw\" for numbers."
    )
    abort_argument(sprintf(text, cut_text(y_col), class_mode, found), "y_col")
  }
  if (is.null(classes) && is.factor(column)) classes <- levels(column)
  check_names(classes, "classes")
}

# The value of a call of Python's image code, whose messages, warnings and errors are signalled here.
image_value <- function(outcome) {
  if (!is.null(outcome$said) && nzchar(outcome$said)) message(sub("\n$", "", outcome$said))
  outcome$condition <- if (!is.null(outcome$failure)) failure_condition(outcome$failure, raised = NULL)
  resolve(outcome)
}

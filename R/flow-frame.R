#' Batches from a data frame
#'
#' Makes batches from the rows of a data frame, whose columns a formula or their names select. In all other respects the
#' flow is like [flow_from_data()].
#'
#' @section Columns: Several columns become one matrix. Numbers and logicals keep their values. Factors become their
#' codes, counted from 0, or, with `one_hot`, one column per level. Text columns alone become a matrix of strings, for
#' Keras's text layers; next to numbers, convert them to factors or name them in `one_hot`. Missing values, dates,
#' list columns, and several columns of one name are errors.
#'
#' The terms of a formula may be any expression that returns a column: `price ~ log(size) + factor(rooms)`. `.` stands
#' for all columns other than targets and weights, and `- id` leaves a column out. `cbind(a, b) ~ .` has two targets, `~
#' .` none. A formula has no intercept; interactions and `offset()` are errors.
#'
#' @param data A data frame, tibble or data.table.
#' @param inputs A formula; or the names of columns, as a character vector or, for a model with several inputs, a
#'   (named) list of character vectors. `NULL`: all columns other than targets and weights.
#' @param targets Names of columns, in the same form. `NULL`: none. Must be `NULL` if `inputs` is a formula.
#' @param sample_weight Name of the column of weights. `NULL`: none.
#' @param balance Whether all classes are equally frequent; or a vector with a class label for each row. See
#'   [flow_from_data()].
#' @param one_hot Which factors and text columns become one column per level: `TRUE` for all, `FALSE` for none, or their
#'   names.
#' @inheritParams flow_from_data
#'
#' @return A flow, as [flow_from_data()] returns it. Inputs and targets are matrices (rows x columns), or (named) lists
#'   of matrices. Invalid arguments raise a `fitgenerator_argument_error`.
#' @seealso [flow_from_chunks()] for data that does not fit into memory.
#' @examplesIf fitgenerator:::has_keras()
#' flow <- flow_from_frame(iris, Petal.Width ~ . - Sepal.Width, one_hot = "Species", seed = 1)
#' str(reticulate::py_to_r(flow[0]))
#'
#' # Two inputs, selected by name:
#' inputs <- list(size = c("Petal.Length", "Petal.Width"), kind = "Species")
#' flow <- flow_from_frame(iris, inputs, "Sepal.Length")
#' str(reticulate::py_to_r(flow[0]))
#' @export
flow_from_frame <- function(data, inputs = NULL, targets = NULL, sample_weight = NULL, batch_size = 32,
                            shuffle = TRUE, seed = NULL, last_batch = c("keep", "drop", "fill"), balance = FALSE,
                            one_hot = FALSE) {
  if (!is.data.frame(data)) abort_argument(sprintf("`data` must be a data frame, not %s.", describe(data)), "data")
  options <- flow_options(batch_size, shuffle, seed, last_batch, balance)
  chosen <- chosen_columns(data, column_names(inputs, targets, sample_weight, one_hot), "data")
  made(cross(core_function("frame_flow", "r.reticulate.flows"), chosen$frame, c(chosen$names, options)))
}

# Checks the arguments that name columns. Returns them as they cross to Python.
column_names <- function(inputs, targets, sample_weight, one_hot) {
  if (!inherits(inputs, "formula")) inputs <- named_columns(inputs, "inputs")
  if (inherits(inputs, "formula") && !is.null(targets)) {
    abort_argument("`targets` must be NULL if `inputs` is a formula.", "targets")
  }
  list(
    inputs = inputs,
    targets = named_columns(targets, "targets"),
    sample_weight = if (!is.null(sample_weight)) named_columns(sample_weight, "sample_weight")[[1L]],
    one_hot = if (isTRUE(one_hot) || isFALSE(one_hot)) one_hot else named_columns(one_hot, "one_hot")
  )
}

# Lists, because a vector of length one would cross as a scalar.
named_columns <- function(x, name) {
  if (is.null(x)) return(NULL)
  parts <- if (is.list(x)) x else list(x)
  fine <- length(x) && all(vapply(parts, function(part) is.character(part) && length(part) && !anyNA(part), NA))
  if (!fine) {
    abort_argument(sprintf(
      "`%s` must name columns: a character vector, or a list of these, not %s.", name, describe(x)
    ), name)
  }
  if (is.list(x)) lapply(x, as.list) else as.list(x)
}

# What crosses of a data frame: the names of all columns, and the columns that are used. `place` is the argument that
# the frame came from.
chosen_columns <- function(data, names, place) {
  if (inherits(names$inputs, "formula")) {
    evaluated <- formula_columns(names$inputs, data, names$sample_weight)
    data <- evaluated$data
    names[c("inputs", "targets")] <- evaluated[c("inputs", "targets")]
  }
  used <- unlist(names[c("inputs", "targets", "sample_weight")])
  if (is.null(names$inputs)) used <- names(data)
  check_single(data, used, place)
  columns <- lapply(names(data), function(name) if (name %in% used) crossing_column(data[[name]]))
  list(frame = stats::setNames(columns, names(data)), names = names)
}

# Refuses columns that are used, but that their name does not tell apart.
check_single <- function(data, used, place) {
  twice <- intersect(names(data)[duplicated(names(data))], used)
  if (!length(twice)) return(invisible())
  text <- "The data has several columns of one name: `%s`; rename them."
  abort_argument(sprintf(text, paste(cut_text(twice), collapse = "`, `")), place)
}

# The columns that the terms of a formula return, evaluated in `data`, and the names of inputs and targets.
formula_columns <- function(formula, data, weights) {
  plain <- as.data.frame(data)
  kept <- plain[setdiff(names(plain), weights)]
  frame <- tryCatch(
    stats::model.frame(stats::terms(formula, data = kept), kept, na.action = stats::na.pass),
    error = function(cnd) {
      abort_argument(sprintf("`inputs` as a formula cannot be evaluated: %s.", condition_text(cnd)), "inputs")
    }
  )
  terms <- attr(frame, "terms")
  if (any(attr(terms, "order") > 1L) || !is.null(attr(terms, "offset")) || !length(attr(terms, "term.labels"))) {
    abort_argument(sprintf(
      "`inputs` as a formula must have columns as terms, no offset() and no interactions such as a:b or a * b, not %s.",
      cut_text(deparse(formula)[[1L]])
    ), "inputs")
  }
  check_single(plain, c(all.vars(terms), weights), "data")
  # Each term is one variable, and each variable one part, in the order of the frame. The weights, last, keep a name.
  parts <- unname(c(Map(split_column, frame, names(frame)), list(plain[intersect(weights, names(plain))])))
  columns <- do.call(c, parts)
  names(columns) <- rev(make.unique(rev(names(columns))))
  places <- split(names(columns), rep(seq_along(parts), lengths(parts)))
  names_of <- function(variables) as.list(unlist(places[variables], use.names = FALSE))
  inputs <- apply(attr(terms, "factors") > 0L, 2L, which)
  list(data = columns, inputs = names_of(inputs), targets = if (attr(terms, "response") > 0L) names_of(1L))
}

# The columns of a matrix, which `cbind()` makes in a formula, as a list; else a list of the one column.
split_column <- function(column, name) {
  if (!is.matrix(column) || !ncol(column)) return(stats::setNames(list(column), name))
  places <- seq_len(ncol(column))
  names <- if (is.null(colnames(column))) places else colnames(column)
  stats::setNames(lapply(places, function(j) column[, j]), paste(name, names))
}

# Numbers or logicals, which become doubles if one is missing: in Python, whole numbers and logicals have no such value.
nan_for_na <- function(x) {
  if ((is.numeric(x) || is.logical(x)) && anyNA(x)) storage.mode(x) <- "double"
  x
}

# A column as it crosses.
crossing_column <- function(column) {
  if (is.character(column) && anyNA(column)) column <- factor(column)
  if (is.factor(column)) {
    codes <- as.integer(column) - 1L
    codes[is.na(codes)] <- -1L
    return(list(codes = plain_array(codes), levels = as.list(levels(column))))
  }
  if (is.na(column_kind(column))) return(list(unusable = describe(column)))
  plain_array(nan_for_na(unclass(column)))
}

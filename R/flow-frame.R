#' Batches of a data frame
#'
#' Batches of the rows of a data frame for [fit_generator()] and its kin, columns chosen by a formula or by their names.
#' Otherwise like [flow_from_data()].
#'
#' @section Columns:
#' Several columns become one matrix: numbers and logicals as they are, factors as their codes from 0, or as one column
#' per level where `one_hot` says so. Columns of words alone become a matrix of words, for Keras's text layers; beside
#' numbers, make factors of them or name them in `one_hot`. Missing values, dates and lists are refused.
#'
#' In a formula, terms may be any that give a column: `price ~ log(size) + factor(rooms)`; `.` is all columns that are
#' not targets or weights, and `- id` leaves one out. `cbind(a, b) ~ .` has two targets, `~ .` none. There are no
#' interactions, and no intercept.
#'
#' @param data A data frame, tibble or data.table.
#' @param inputs A formula; or the names of columns: a character vector, or a (named) list of these where the model has
#'   several inputs. `NULL`: all columns that are not targets or weights.
#' @param targets Names of columns, likewise; `NULL` for none. Not beside a formula.
#' @param sample_weight Name of the column of weights, or `NULL`.
#' @param balance `TRUE`, or a label for each row: every class comes as often, see [flow_from_data()].
#' @param one_hot Factors (and columns of words) that become one column per level: `TRUE` for all, or their names.
#' @inheritParams flow_from_data
#'
#' @return A Python object as [flow_from_data()] returns it. Inputs and targets are matrices, or (named) lists of them.
#' @seealso [flow_from_chunks()] for data that does not fit into memory.
#' @examplesIf fitgenerator:::has_keras()
#' flow <- flow_from_frame(iris, Petal.Width ~ . - Sepal.Width, one_hot = "Species", seed = 1)
#' str(reticulate::py_to_r(flow[0]))
#'
#' # By name, two inputs:
#' inputs <- list(size = c("Petal.Length", "Petal.Width"), kind = "Species")
#' flow <- flow_from_frame(iris, inputs, "Sepal.Length")
#' str(reticulate::py_to_r(flow[0]))
#' @export
flow_from_frame <- function(data, inputs = NULL, targets = NULL, sample_weight = NULL, batch_size = 32,
                            shuffle = TRUE, seed = NULL, last_batch = c("keep", "drop", "fill"), balance = FALSE,
                            one_hot = FALSE) {
  if (!is.data.frame(data)) abort_argument(sprintf("`data` must be a data frame, not %s.", describe(data)), "data")
  options <- flow_options(batch_size, shuffle, seed, last_batch, balance)
  chosen <- chosen_columns(data, column_names(inputs, targets, sample_weight, one_hot))
  made(cross(core_function("frame_flow", "r.reticulate.flows"), chosen$frame, c(chosen$names, options)))
}

# The arguments that name columns, as they cross to Python.
column_names <- function(inputs, targets, sample_weight, one_hot) {
  if (!inherits(inputs, "formula")) inputs <- named_columns(inputs, "inputs")
  if (inherits(inputs, "formula") && !is.null(targets)) {
    abort_argument("`targets` must be NULL where `inputs` is a formula.", "targets")
  }
  list(
    inputs = inputs,
    targets = named_columns(targets, "targets"),
    sample_weight = if (!is.null(sample_weight)) named_columns(sample_weight, "sample_weight")[[1L]],
    one_hot = if (isTRUE(one_hot) || isFALSE(one_hot)) one_hot else named_columns(one_hot, "one_hot")
  )
}

# A vector of one name would cross as a scalar, and means the same.
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

# What crosses of a data frame: all names, and those columns that are used.
chosen_columns <- function(data, names) {
  if (inherits(names$inputs, "formula")) {
    evaluated <- formula_columns(names$inputs, data, names$sample_weight)
    data <- evaluated$data
    names[c("inputs", "targets")] <- evaluated[c("inputs", "targets")]
  }
  used <- unlist(names[c("inputs", "targets", "sample_weight")])
  if (is.null(names$inputs)) used <- names(data)
  columns <- lapply(names(data), function(name) if (name %in% used) crossing_column(data[[name]]))
  list(frame = stats::setNames(columns, names(data)), names = names)
}

# The columns that a formula stands for, evaluated in `data`, and their names.
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
  labels <- attr(terms, "term.labels")
  if (any(attr(terms, "order") > 1L) || !length(labels)) {
    abort_argument(sprintf(
      "`inputs` as a formula must have columns as terms, and no interactions such as a:b or a * b, not %s.",
      cut_text(deparse(formula)[[1L]])
    ), "inputs")
  }
  parts <- lapply(names(frame), function(name) split_column(frame[[name]], name))
  names(parts) <- names(frame)
  target <- if (attr(terms, "response") > 0L) names(frame)[[1L]]
  columns <- do.call(c, unname(parts))
  if (!is.null(weights)) columns[[weights]] <- plain[[weights]]
  part_names <- function(of) as.list(unlist(lapply(parts[of], names), use.names = FALSE))
  list(data = columns, inputs = part_names(gsub("`", "", labels)), targets = if (!is.null(target)) part_names(target))
}

# The columns of a matrix, as cbind() has them in a formula; else the one column.
split_column <- function(column, name) {
  if (!is.matrix(column)) return(stats::setNames(list(column), name))
  names <- colnames(column)
  if (is.null(names)) names <- paste(name, seq_len(ncol(column)))
  stats::setNames(lapply(seq_len(ncol(column)), function(j) column[, j]), names)
}

# A column as it crosses. Only doubles and codes have missing values in Python.
crossing_column <- function(column) {
  if (is.character(column) && anyNA(column)) column <- factor(column)
  if (is.factor(column)) {
    codes <- as.integer(column) - 1L
    codes[is.na(codes)] <- -1L
    return(list(codes = plain_array(codes), levels = as.list(levels(column))))
  }
  if (is.na(column_kind(column))) return(list(unusable = describe(column)))
  if (!is.double(column) && anyNA(column)) column <- as.double(column)
  plain_array(unclass(column))
}

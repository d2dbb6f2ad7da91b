# R values become what crosses to Python. Reticulate turns an R array into a numpy array at once, but a plain
# vector into a Python list element by element, and a vector of length one into a scalar. So everything that
# holds numbers leaves this file as an array: with a `dim`, and with no other attribute.
#
# `place` is the argument the value came from ("generator"), `batch` the number of the batch from 1 (`NULL`
# for data that was given, not returned), `what` the element that is looked at. All three are for messages
# only; `what` is a promise that nothing evaluates unless there is an error.

part_names <- c("inputs", "targets", "weights")

# TRUE for what a generator returns when it is finished: `NULL`, or the end value of coro, which is a symbol.
is_exhausted <- function(x) {
  is.null(x) || (is.symbol(x) && identical(x, quote(.__exhausted__.)))
}

# What a closure returned for training or validation: a list of inputs, targets and perhaps weights, each
# ready to cross. A Python tuple or list goes as it is and is looked at there.
as_batch <- function(x, place = "generator", batch = 1L) {
  if (is_python_sequence(x)) return(x)
  if (!is.list(x) || is.data.frame(x) || !length(x) %in% 2:3) refuse_whole(x, place, batch, batch_forms)
  check_part_order(x, place, batch)
  if (length(x) == 3L && is.null(x[[3L]])) x <- x[1:2]
  parts <- vector("list", length(x))
  for (i in seq_along(x)) {
    parts[[i]] <- as_part(x[[i]], place, sprintf("element %d (%s)", i, part_names[[i]]), batch)
  }
  parts
}

# What a closure returned for predict: a list of one part, the inputs. Targets and weights may be there, so
# that a training closure will do, and are dropped. A named list is inputs by name.
as_inputs <- function(x, place = "generator", batch = 1L) {
  if (is_python_sequence(x)) return(x)
  is_parts <- is.list(x) && !is.data.frame(x) && is.null(names(x))
  if (!is_parts) return(list(as_part(x, place, NULL, batch)))
  if (!length(x) %in% 1:3) refuse_whole(x, place, batch, inputs_forms)
  list(as_part(x[[1L]], place, "element 1 (inputs)", batch))
}

# One part of a batch (inputs, targets, or weights), or one array of it. The first line is the fast path: a
# double array that has only a `dim` is returned without a copy, in a microsecond or two.
as_part <- function(x, place = "generator", what = NULL, batch = 1L) {
  if (is.double(x) && !is.object(x)) return(plain_array(x))
  UseMethod("as_part")
}

#' @export
#' @noRd
as_part.default <- function(x, place = "generator", what = NULL, batch = 1L) {
  if (!is_array_like(x)) refuse_part(x, place, what, batch)
  if (is.object(x)) x <- unclass(x)
  # A double NA is NaN to Python. The other types have no such value there: an NA would turn into FALSE, into
  # -2147483648, or into the object None.
  if (!is.double(x) && anyNA(x)) {
    refuse_part(x, place, what, batch, "and has NA, which Python has no value for", "values without NA")
  }
  plain_array(x)
}

#' @export
#' @noRd
as_part.python.builtin.object <- function(x, place = "generator", what = NULL, batch = 1L) x

# A factor is its codes, counted from 0.
#' @export
#' @noRd
as_part.factor <- function(x, place = "generator", what = NULL, batch = 1L) {
  if (anyNA(x)) {
    refuse_part(x, place, what, batch, "and has NA, which has no code", "a factor without NA")
  }
  codes <- as.integer(x) - 1L
  dim(codes) <- dim(x)
  plain_array(codes)
}

#' @export
#' @noRd
as_part.data.frame <- function(x, place = "generator", what = NULL, batch = 1L) {
  kinds <- vapply(x, column_kind, "")
  offending <- offending_columns(kinds)
  if (length(offending) || !length(x)) {
    found <- paste("with", if (length(x)) name_columns(x, offending) else "no columns")
    expected <- "columns of one type: all numeric, logical, character or factor"
    refuse_part(x, place, what, batch, found, expected)
  }
  values <- lapply(seq_along(x), function(j) as_part(x[[j]], place, child(what, names(x)[[j]]), batch))
  array(unlist(values, use.names = FALSE), dim(x))
}

# A list is several inputs or targets: by name where all elements have one, else by position.
#' @export
#' @noRd
as_part.list <- function(x, place = "generator", what = NULL, batch = 1L) list_part(x, place, what, batch, 1L)

# `depth` is that of the list in other lists: one that has no end would end in R's stack.
list_part <- function(x, place, what, batch, depth) {
  keys <- names(x)
  if (!length(x) || !good_names(keys) || depth > deepest) {
    found <- if (depth > deepest) sprintf("in %d other lists", deepest)
    if (!good_names(keys)) found <- "whose names are partly missing or not unique"
    refuse_part(x, place, what, batch, found, "a list of arrays, all with a name of their own or all without")
  }
  parts <- vector("list", length(x))
  for (i in seq_along(x)) {
    part <- x[[i]]
    inner <- if (is.null(keys)) i else keys[[i]]
    parts[[i]] <- if (is.list(part) && !is.object(part)) {
      list_part(part, place, child(what, inner), batch, depth + 1L)
    } else {
      as_part(part, place, child(what, inner), batch)
    }
  }
  names(parts) <- keys
  parts
}

deepest <- 16L

# The methods for the classes of the Matrix package.
#' @export
#' @noRd
as_part.Matrix <- function(x, place = "generator", what = NULL, batch = 1L) {
  if (!requireNamespace("Matrix", quietly = TRUE)) {
    refuse_part(x, place, what, batch, "but the package Matrix is not installed", "a matrix")
  }
  if (!methods::is(x, "sparseMatrix")) return(as_part(methods::as(x, "matrix"), place, what, batch))
  parts <- sparse_parts(x)
  parts$values <- as_part(parts$values, place, what, batch)
  sparse_to_py(parts)
}

# The entries of a sparse matrix row by row, the order that TensorFlow wants: the columns of its transpose.
# `summary()` would not do, it leaves out the mirrored half of a symmetric matrix.
sparse_parts <- function(x) {
  flipped <- methods::as(methods::as(Matrix::t(x), "CsparseMatrix"), "generalMatrix")
  cols <- flipped@i
  values <- if (methods::.hasSlot(flipped, "x")) flipped@x else rep(TRUE, length(cols))
  rows <- rep.int(seq_len(nrow(x)) - 1L, diff(flipped@p))
  parts <- lapply(list(rows = rows, cols = cols, values = values, shape = dim(x)), plain_array)
  structure(parts, class = "fitgenerator_sparse")
}

sparse_to_py <- function(x) {
  cross(core_function("sparse", "r.reticulate.values"), x$rows, x$cols, x$values, x$shape)
}

# Gives a vector the `dim` that makes it an array, and takes every other attribute away. `dim<-` drops names.
plain_array <- function(x) {
  if (is.null(dim(x))) dim(x) <- length(x)
  if (length(attributes(x)) > 1L) attributes(x) <- list(dim = dim(x))
  x
}

# Dates, times and 64-bit integers are numbers whose meaning is in their class: it is not dropped in silence.
is_array_like <- function(x) {
  is.atomic(x) && !is.null(x) && !is.complex(x) && !isS4(x) &&
    !inherits(x, c("Date", "POSIXt", "difftime", "ITime", "integer64"))
}

is_python_sequence <- function(x) {
  is.object(x) && inherits(x, c("python.builtin.tuple", "python.builtin.list"))
}

good_names <- function(keys) {
  is.null(keys) || !(anyNA(keys) || any(keys == "") || anyDuplicated(keys))
}

# The type of the matrix that a column could be part of; `NA` where there is none.
column_kind <- function(column) {
  if (!is.null(dim(column))) return(NA_character_)
  if (is.factor(column)) return("factor")
  if (!is_array_like(column)) return(NA_character_)
  if (is.numeric(column)) "numeric" else typeof(column)
}

# Positions of the columns that stand in the way of a numeric matrix, or of one of the first column's type.
offending_columns <- function(kinds) {
  wanted <- if ("numeric" %in% kinds) "numeric" else stats::na.omit(kinds)[1L]
  which(is.na(kinds) | !kinds %in% wanted)
}

# A batch is read by position. Names are for the reader only, and accepted unless they say another order.
check_part_order <- function(x, place, batch) {
  if (is.null(names(x))) return(invisible())
  words <- c(x = 1, input = 1, feature = 1, y = 2, target = 2, label = 2, output = 2, w = 3, weight = 3,
             sample_weight = 3)
  meant <- words[sub("s$", "", tolower(names(x)))]
  if (all(is.na(meant) | meant == seq_along(x))) return(invisible())
  text <- "%s a list named %s; expected the order inputs, targets, weights: a batch is read by position."
  refuse(sprintf(text, opening(place, batch), first_of(cut_text(names(x)), 3L)), place, batch)
}

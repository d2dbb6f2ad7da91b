# Converts R values into what crosses to Python. reticulate turns an R array into a NumPy array in one step, but a plain
# vector into a Python list, element by element, and a vector of length one into a scalar. So everything that holds
# numbers leaves this file as an array: with a `dim`, and without any other attribute.
#
# Three arguments are for messages only: `place` is the argument that the value came from ("generator"), `batch` the
# number of the batch from 1 (`NULL` for data that was given as an argument), and `what` the element in question, a
# promise that is evaluated only if there is an error.

part_names <- c("inputs", "targets", "weights")

# Whether `x` is what a generator returns at its end: `NULL`, or the end value of coro, which is a symbol.
is_exhausted <- function(x) {
  is.null(x) || (is.symbol(x) && identical(x, quote(.__exhausted__.)))
}

# What makes a batch of what a closure returned, by what the model takes (`batch_form()` in Python says it): "targets",
# "no targets", "inputs" to predict from, or any "structure". `known` is a promise: see `inputs_reader()`.
converter_of <- function(form, known) {
  switch(form,
    targets = as_batch, "no targets" = as_untargeted, inputs = inputs_reader(known), structure = as_structure
  )
}

# Converts what a closure returned for training or validation: a list of inputs, targets and perhaps weights. A Python
# tuple or list crosses unchanged and is checked there.
as_batch <- function(x, place = "generator", batch = 1L) {
  if (is_python_sequence(x)) return(x)
  if (!is.list(x) || is.data.frame(x) || !length(x) %in% 2:3) {
    refuse_whole(x, place, batch, paste(batch_forms, other_forms, sep = ". "))
  }
  check_part_order(x, place, batch)
  if (is_empty(x[[2L]])) refuse_part(x[[2L]], place, "element 2 (targets)", batch, expected = targets_forms)
  as_parts(x, place, batch)
}

# `absent` is the number of a part that is missing.
as_parts <- function(x, place, batch, absent = 0L) {
  if (length(x) == 3L && is.null(x[[3L]])) x <- x[1:2]
  parts <- vector("list", length(x))
  for (i in seq_along(x)) {
    if (i == absent) next
    convert <- if (i == 1L) as_part else output_part
    parts[[i]] <- convert(x[[i]], place, sprintf("element %d (%s)", i, part_names[[i]]), batch)
  }
  parts
}

# Converts what a closure returned for a model that was compiled without a loss: the inputs alone, or a list whose
# targets may be missing, `NULL` or empty.
as_untargeted <- function(x, place = "generator", batch = 1L) {
  if (is_python_sequence(x)) return(x)
  if (!is.list(x) || is.object(x)) return(as_part(x, place, NULL, batch))
  if (!length(x) %in% 1:3) refuse_whole(x, place, batch, paste(untargeted_forms, own_forms, sep = ". "))
  check_part_order(x, place, batch)
  as_parts(x, place, batch, absent = if (length(x) > 1L && is_empty(x[[2L]])) 2L else 0L)
}

is_empty <- function(x) is.null(x) || (is.list(x) && !is.object(x) && !length(x))

# Converts what a closure returned for a model whose own step takes it: lists as they are nested, by name if they have
# names; `NULL` and empty lists stay. A list whose names only say its order is one without names.
as_structure <- function(x, place = "generator", batch = 1L) {
  if (is.null(x)) refuse_whole(x, place, batch, "an array, or a list of arrays")
  if (is.list(x) && !is.object(x) && length(x) && !is.null(names(x))) {
    if (identical(as.integer(meant_places(x)), seq_along(x))) x <- unname(x)
  }
  structure_part(x, place, NULL, batch, 1L)
}

structure_part <- function(x, place, what, batch, depth) {
  if (is.null(x)) return(NULL)
  if (!is.list(x) || is.object(x)) return(as_part(x, place, what, batch))
  keys <- names(x)
  refuse_list(x, keys, place, what, batch, depth)
  parts <- lapply(seq_along(x), function(i) {
    structure_part(x[[i]], place, child(what, if (is.null(keys)) i else keys[[i]]), batch, depth + 1L)
  })
  names(parts) <- keys
  parts
}

# Converts what a closure returned for predict: a list of one part, the inputs. Targets and weights are dropped, so that
# a training closure can be used. A named list holds inputs by name.
as_inputs <- function(x, place = "generator", batch = 1L) {
  if (is_python_sequence(x)) return(x)
  is_parts <- is.list(x) && !is.data.frame(x) && is.null(names(x))
  if (!is_parts) return(list(as_part(x, place, NULL, batch)))
  if (!length(x) %in% 1:3) refuse_whole(x, place, batch, inputs_forms)
  list(as_part(x[[1L]], place, "element 1 (inputs)", batch))
}

# The conversion for predict with a model whose inputs have the names `known`, a promise: they are asked for only where
# a list has names that could be those of the parts of a batch. Such a list is a batch, as it is for training; if the
# names of the inputs are not known, only where each name is one of a part.
inputs_reader <- function(known) {
  function(x, place = "generator", batch = 1L) {
    if (has_part_names(x) && !all(names(x) %in% known) && (length(known) || !anyNA(meant_places(x)))) {
      check_part_order(x, place, batch)
      x <- unname(x)
    }
    as_inputs(x, place, batch)
  }
}

# Converts one part of a batch (inputs, targets or weights), or one array of a part. The first line is the fast path: a
# double array that has only a `dim` is returned without a copy, in one or two microseconds.
as_part <- function(x, place = "generator", what = NULL, batch = 1L) {
  if (is.double(x) && !is.object(x)) return(plain_array(x))
  UseMethod("as_part")
}

#' @export
#' @noRd
as_part.default <- function(x, place = "generator", what = NULL, batch = 1L) {
  if (!is_array_like(x)) refuse_part(x, place, what, batch)
  if (is.object(x)) x <- unclass(x)
  # A double NA becomes NaN in Python. Other types have no such value there: NA would turn into FALSE, -2147483648, or
  # the object None.
  if (!is.double(x) && anyNA(x)) {
    refuse_part(x, place, what, batch, "with NA, for which Python has no value", "values without NA")
  }
  plain_array(x)
}

#' @export
#' @noRd
as_part.python.builtin.object <- function(x, place = "generator", what = NULL, batch = 1L) x

# A factor becomes its codes, counted from 0.
#' @export
#' @noRd
as_part.factor <- function(x, place = "generator", what = NULL, batch = 1L) {
  if (anyNA(x)) {
    refuse_part(x, place, what, batch, "with NA, which has no code", "a factor without NA")
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

# A list holds several inputs or targets: by name if all elements have names, else by position.
#' @export
#' @noRd
as_part.list <- function(x, place = "generator", what = NULL, batch = 1L) list_part(x, place, what, batch, 1L)

# Converts targets or weights: in a list of them, `NULL` stands for an output that has none, as in Keras.
output_part <- function(x, place, what, batch) {
  if (is.list(x) && !is.object(x)) return(list_part(x, place, what, batch, 1L, null = TRUE))
  as_part(x, place, what, batch)
}

# `depth` is the number of lists that the list is nested in. It is limited, because very deep lists would overflow R's
# stack. `null`: whether `NULL` may be an element.
list_part <- function(x, place, what, batch, depth, null = FALSE) {
  keys <- names(x)
  if (!length(x)) refuse_part(x, place, what, batch, expected = list_forms)
  refuse_list(x, keys, place, what, batch, depth)
  parts <- vector("list", length(x))
  for (i in seq_along(x)) {
    part <- x[[i]]
    if (null && is.null(part)) next
    inner <- if (is.null(keys)) i else keys[[i]]
    parts[[i]] <- if (is.list(part) && !is.object(part)) {
      list_part(part, place, child(what, inner), batch, depth + 1L, null)
    } else {
      as_part(part, place, child(what, inner), batch)
    }
  }
  names(parts) <- keys
  parts
}

# Refuses a list that is nested too deeply, or whose names are no names.
refuse_list <- function(x, keys, place, what, batch, depth) {
  if (good_names(keys) && depth <= deepest) return(invisible())
  found <- if (depth > deepest) sprintf("nested in %d lists", deepest)
  if (!good_names(keys)) found <- "whose names are partly missing or not unique"
  refuse_part(x, place, what, batch, found, list_forms)
}

list_forms <- "a list of arrays, either with unique names or without names"

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

# The entries of a sparse matrix row by row, in the order that TensorFlow expects: the columns of the transpose.
# `summary()` is not suitable, because it leaves out the mirrored half of a symmetric matrix.
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

# Makes an array of a vector, by giving it a `dim`, and removes all other attributes. (`dim<-` drops names.)
plain_array <- function(x) {
  if (is.null(dim(x))) dim(x) <- length(x)
  if (length(attributes(x)) > 1L) attributes(x) <- list(dim = dim(x))
  x
}

# Dates, times, quantities with a unit and 64-bit integers are refused: their meaning lies in their class, which must
# not be dropped silently.
is_array_like <- function(x) {
  is.atomic(x) && !is.null(x) && !is.complex(x) && !isS4(x) &&
    !inherits(x, c("Date", "POSIXt", "difftime", "ITime", "units", "mixed_units", "integer64"))
}

is_python <- function(x) inherits(x, "python.builtin.object")

is_python_sequence <- function(x) {
  is.object(x) && inherits(x, c("python.builtin.tuple", "python.builtin.list"))
}

good_names <- function(keys) {
  is.null(keys) || !(anyNA(keys) || any(keys == "") || anyDuplicated(keys))
}

# The type of the matrix that a column could be part of, or `NA`.
column_kind <- function(column) {
  if (!is.null(dim(column))) return(NA_character_)
  if (is.factor(column)) return("factor")
  if (!is_array_like(column)) return(NA_character_)
  if (is.numeric(column)) "numeric" else typeof(column)
}

# The positions of the columns that prevent a numeric matrix or, without numeric columns, a matrix of the first column's
# type.
offending_columns <- function(kinds) {
  wanted <- if ("numeric" %in% kinds) "numeric" else stats::na.omit(kinds)[1L]
  which(is.na(kinds) | !kinds %in% wanted)
}

# A batch is read by position. Names are allowed, unless they contradict the order.
check_part_order <- function(x, place, batch) {
  if (is.null(names(x))) return(invisible())
  meant <- meant_places(x)
  if (all(is.na(meant) | meant == seq_along(x))) return(invisible())
  text <- "%s a list named %s; expected the order inputs, targets, weights: a batch is read by position."
  refuse(sprintf(text, opening(place, batch), first_of(cut_text(names(x)), 3L)), place, batch)
}

# The places in a batch that the names of a list stand for, `NA` for other names.
meant_places <- function(x) {
  words <- c(x = 1, input = 1, feature = 1, y = 2, target = 2, label = 2, output = 2, w = 3, weight = 3,
             sample_weight = 3)
  words[sub("s$", "", tolower(names(x)))]
}

# Whether `x` is a list whose names, as far as they say something, are those of the parts of a batch, in their order;
# or those of all its parts in another order.
has_part_names <- function(x) {
  if (!is.list(x) || is.data.frame(x) || is.null(names(x)) || !length(x) %in% 1:3) return(FALSE)
  meant <- meant_places(x)
  in_order <- !all(is.na(meant)) && all(is.na(meant) | meant == seq_along(x))
  in_order || setequal(meant, seq_along(x))
}

# Messages about values that cannot be converted. They describe a value by its class and dim, never by its contents.

# Refuses one part of a batch.
refuse_part <- function(x, place, what, batch, found = NULL, expected = array_forms) {
  if (missing(expected)) {
    if (!is.null(batch)) expected <- paste0(array_forms, ". A batch is ", batch_forms)
    if (typeof(x) %in% c("integer", "double")) expected <- "numbers, as from as.numeric()"
  }
  text <- paste(c(opening(place, batch, what), describe(x), found), collapse = " ")
  refuse(sprintf("%s; expected %s.", text, expected), place, batch)
}

# Refuses a whole batch.
refuse_whole <- function(x, place, batch, expected) {
  found <- describe(x, contents = TRUE)
  refuse(sprintf("%s %s; expected %s.", opening(place, batch), found, expected), place, batch)
}

# Data that was given as an argument raises an argument error; data that a generator returned, a batch error.
refuse <- function(text, place, batch) {
  if (is.null(batch)) abort_argument(text, place) else abort_batch(text, place, batch)
}

batch_forms <- paste(
  "list(inputs, targets) or list(inputs, targets, weights), each an array, or a list of arrays if the",
  "model has several; only weights may be NULL"
)
# What the message about a batch says in addition: the ways for other batches.
own_forms <- "A model with a step of its own (`train_step`, `test_step`) takes any list"
other_forms <- paste("A model compiled without a loss needs no targets", own_forms, sep = ". ")
targets_forms <- paste("an array, or a list of arrays", other_forms, sep = ". ")
untargeted_forms <- paste(
  "inputs, list(inputs), list(inputs, targets) or list(inputs, targets, weights), where targets may be NULL; several",
  "inputs are a list within the list, list(list(a, b))"
)
array_forms <- paste(
  "a numeric, logical, raw or character vector, matrix or array, a factor, a data.frame, a Matrix, a Python",
  "object, or a list of these"
)
inputs_forms <- paste(
  "inputs, list(inputs), list(inputs, targets) or list(inputs, targets, weights); several inputs are a list",
  "within the list, list(list(a, b)), or a named list. A model with a `predict_step` of its own takes any list"
)

# How a message begins.
opening <- function(place, batch, what = NULL) {
  start <- sprintf("`%s` is", place)
  if (!is.null(batch)) start <- sprintf("Batch %d: %s() returned", as.integer(batch), place)
  if (is.null(what)) start else sprintf("%s a list whose %s is", start, cut_text(what, 100L))
}

# The phrase for the element `key` (a name or a position) of the element `what`.
child <- function(what, key) {
  element <- if (is.character(key)) sprintf("element `%s`", cut_text(key)) else sprintf("element %d", key)
  if (is.null(what)) element else paste(element, "of", what)
}

# Describes a value by its class and dim, even if its methods for these fail.
describe <- function(x, contents = FALSE) {
  tryCatch(describe_value(x, contents), error = function(cnd) describe_class(x))
}

describe_value <- function(x, contents) {
  if (is.null(x)) return("NULL")
  if (is.object(x)) return(describe_object(x))
  if (is.list(x) && !is.pairlist(x)) return(describe_list(x, contents))
  if (is.function(x)) return("a function")
  if (!is.atomic(x)) return(describe_language(x))
  type <- with_article(typeof(x))
  if (is.null(dim(x))) return(sprintf("%s vector of length %d", type, length(x)))
  sprintf("%s %s %s", with_article(paste(dim(x), collapse = " x ")), typeof(x), if (is.matrix(x)) "matrix" else "array")
}

describe_language <- function(x) {
  words <- c(language = "call", externalptr = "external pointer", weakref = "weak reference", bytecode = "byte code")
  with_article(if (typeof(x) %in% names(words)) words[[typeof(x)]] else typeof(x))
}

# "an 8 x 2 matrix", "an 11 x 2 matrix"
with_article <- function(word) paste(if (grepl("^([aeiou]|8|1[18] )", word)) "an" else "a", word)

describe_object <- function(x) {
  size <- if (!is.null(dim(x))) paste(dim(x), collapse = " x ")
  if (is.atomic(x) && is.null(size)) size <- paste("length", length(x))
  paste0(describe_class(x), if (!is.null(size)) sprintf(" (%s)", size))
}

describe_class <- function(x) sprintf("an object of class `%s`", cut_text(class(x)[[1L]]))

describe_list <- function(x, contents) {
  text <- sprintf("a list of %d", length(x))
  if (!contents || !length(x)) return(text)
  sprintf("%s (%s)", text, first_of(vapply(utils::head(unname(x), 5L), describe, ""), 4L))
}

first_of <- function(texts, n) {
  paste(c(utils::head(texts, n), if (length(texts) > n) "..."), collapse = ", ")
}

name_columns <- function(x, at) {
  at <- at[seq_len(min(6L, length(at)))]
  classes <- vapply(x[at], function(column) class(column)[[1L]], "")
  first_of(sprintf("`%s` (%s)", cut_text(names(x)[at]), cut_text(classes)), 5L)
}

# Shortens texts that are longer than `longest` bytes.
cut_text <- function(x, longest = 60L) {
  if (!all(validEnc(x))) x <- iconv(x, sub = "?")
  ifelse(nchar(x, "bytes") > longest, paste(substr(x, 1L, longest - 4L), "..."), x)
}

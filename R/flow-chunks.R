#' Batches from data that is read in parts
#'
#' Makes batches from data that does not fit into memory, such as files or the results of database queries. Rows keep
#' the order in which they are read, and are cut into batches independently of the size of the parts. Only one part is
#' in memory at a time. Without `steps_per_epoch`, an epoch is one pass; with it, reading restarts when the data is
#' exhausted. As `validation_data`, the data is read from its beginning each time.
#'
#' To vary the order from epoch to epoch, shuffle in the database (`ORDER BY random()`), or read the files in a
#' different order in each call of `read()`.
#'
#' @param read A function without arguments that opens the data for one pass and returns a second function. The second
#'   function returns the next part, a data frame, on each call, and `NULL` at the end; a part without rows is skipped.
#'   If it has an argument `close`, it is called with `close = TRUE` when no more parts are wanted. A coro generator or
#'   an iterator of the iterators package can take its place. All of this runs on R's own thread.
#' @param inputs,targets,sample_weight Names of columns, as in [flow_from_frame()]. `inputs` may be a formula of names
#'   (`y ~ a + b`, `y ~ . - id`), but not of expressions.
#' @param batch_size Number of rows per batch, at least 1. The last batch of a pass may have fewer.
#' @param one_hot Columns that become one column per level: `TRUE` for all factors and text columns, `FALSE` for none,
#'   or their names.
#' @param levels Named list that gives, for columns of text or factors, the values in the order of their codes, which
#'   count from 0. Required for text columns that become codes or one-hot columns, because no single part contains all
#'   values. `NULL`: none.
#' @param con A DBI connection, which stays open. A connection serves one flow at a time: if training and validation
#'   data both come from a database, each needs its own connection.
#' @param sql A query, a single string. It is sent again for each pass.
#' @param params Values for the parameters of the query, see [DBI::dbBind()]. `NULL`: none.
#' @param chunk_size Number of rows to fetch at a time, at least 1.
#'
#' @return An object of class `fitgenerator_stream`. Invalid arguments raise a `fitgenerator_argument_error`, here or,
#'   if the data has to be read first, in the call that reads it.
#' @seealso [flow_from_frame()]
#' @examplesIf fitgenerator:::has_keras()
#' # A file, 100 lines at a time.
#' path <- tempfile(fileext = ".csv")
#' write.csv(iris, path, row.names = FALSE)
#' read <- function() {
#'   file <- file(path, "r")
#'   header <- readLines(file, 1)
#'   function(close = FALSE) {
#'     lines <- if (!close && !is.null(file)) readLines(file, 100)
#'     if (length(lines)) return(read.csv(text = c(header, lines)))
#'     if (!is.null(file)) close(file)
#'     file <<- NULL
#'   }
#' }
#' flow <- flow_from_chunks(read, Petal.Width ~ Petal.Length + Sepal.Length, batch_size = 50)
#'
#' keras <- reticulate::import("keras")
#' model <- keras$Sequential(list(keras$layers$Input(list(2L)), keras$layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse")
#' fit_generator(model, flow, epochs = 2, verbose = 2)
#' @export
flow_from_chunks <- function(read, inputs = NULL, targets = NULL, sample_weight = NULL, batch_size = 32,
                             one_hot = FALSE, levels = NULL) {
  check_function(read, "read")
  required <- required_args(read)
  if (length(required)) {
    abort_argument(sprintf("`read` must be a function without arguments, not one that needs `%s`.",
                           paste(required, collapse = "`, `")), "read")
  }
  options <- column_names(inputs, targets, sample_weight, one_hot)
  if (inherits(inputs, "formula")) options$inputs <- paste(deparse(inputs, 500L), collapse = " ") # for Python to read
  options$levels <- lapply(check_levels(levels), as.list)
  size <- check_whole(batch_size, "batch_size", 1L)
  structure(class = "fitgenerator_stream", list(open = function() open_chunks(read, size, options)))
}

#' @rdname flow_from_chunks
#' @examplesIf fitgenerator:::has_keras() && requireNamespace("RSQLite", quietly = TRUE)
#'
#' # A database.
#' con <- DBI::dbConnect(RSQLite::SQLite())
#' DBI::dbWriteTable(con, "mtcars", mtcars)
#' query <- "SELECT mpg, wt, hp / 100 AS hp FROM mtcars ORDER BY random()"
#' flow <- flow_from_query(con, query, targets = "mpg")
#' fit_generator(model, flow, epochs = 2, verbose = 2)
#' DBI::dbDisconnect(con)
#' @export
flow_from_query <- function(con, sql, inputs = NULL, targets = NULL, sample_weight = NULL, batch_size = 32,
                            one_hot = FALSE, levels = NULL, params = NULL, chunk_size = 1000) {
  if (!requireNamespace("DBI", quietly = TRUE)) {
    abort_setup("`flow_from_query()` needs the package DBI, which is not installed: install.packages(\"DBI\").")
  }
  if (!methods::is(con, "DBIConnection")) {
    abort_argument(sprintf("`con` must be a DBI connection, not %s.", describe(con)), "con")
  }
  if (!is.character(sql) || length(sql) != 1L || is.na(sql)) {
    abort_argument(sprintf("`sql` must be a query in one string, not %s.", shown(sql)), "sql")
  }
  rows <- check_whole(chunk_size, "chunk_size", 1L)
  flow_from_chunks(query_reader(con, sql, params, rows), inputs, targets, sample_weight, batch_size, one_hot, levels)
}

# A connection has one open result at a time: a second query would silently end the first.
check_free <- function(con) {
  if (!any(vapply(the$answering, identical, NA, con))) return(invisible(con))
  abort_argument("`con` is being read already; give each flow its own connection.", "con")
}

query_reader <- function(con, sql, params, rows) {
  force(params)
  function() {
    check_free(con)
    result <- DBI::dbSendQuery(con, sql, params = params)
    the$answering <- c(the$answering, list(con))
    function(close = FALSE) {
      if (is.null(result)) return(NULL)
      if (!close && nrow(frame <- DBI::dbFetch(result, n = rows))) return(frame)
      the$answering <- Filter(function(other) !identical(other, con), the$answering)
      DBI::dbClearResult(result)
      result <<- NULL
    }
  }
}

check_levels <- function(x) {
  if (is.null(x)) return(NULL)
  named <- is.list(x) && !is.null(names(x)) && good_names(names(x))
  if (named && all(vapply(x, function(values) is.atomic(values) && length(values) > 0L, NA))) return(x)
  abort_argument(sprintf(
    "`levels` must be a named list of vectors, as in list(kind = c(\"a\", \"b\")), not %s.", describe(x)
  ), "levels")
}

# Opens one pass. Returns a generator of its batches.
open_chunks <- function(read, size, options) {
  fetch <- as_generator(read())
  cutter <- cross(core_function("cutter", "r.reticulate.flows"), size, options)
  last <- FALSE
  empty <- 0L
  function(close = FALSE) {
    if (close) return(if (is_closable(fetch)) fetch(close = TRUE))
    repeat {
      if (cross(core_function("ready", "r.reticulate.flows"), cutter, last)) return(cross(take_batch(), cutter, last))
      if (last) return(NULL)
      part <- fetch()
      last <<- is_exhausted(part)
      if (last) next
      empty <<- if (add_part(cutter, part, options)) 0L else empty + 1L
      if (empty == most_empty) abort_endless()
    }
  }
}

# The number of parts without rows, one after the other, that are skipped: a filter may leave some, but more of them
# mean that `read` does not end.
most_empty <- 1000L

abort_endless <- function() {
  text <- "`read` gave %d parts without rows, one after the other; it must give NULL at the end."
  abort_argument(sprintf(text, most_empty), "read")
}

as_generator <- function(x) {
  if (is.function(x)) return(x)
  if (inherits(x, "iter")) return(closure_of_iter(check_source(x, "read")))
  abort_argument(sprintf("`read` must return a function that returns data frames, not %s.", describe(x)), "read")
}

# Adds a part. Returns whether it has rows.
add_part <- function(cutter, part, options) {
  if (!is.data.frame(part)) {
    text <- "`read` must return a function that returns data frames, not one that returns %s."
    abort_argument(sprintf(text, describe(part)), "read")
  }
  if (!nrow(part)) return(FALSE)
  if (is.character(options$inputs)) options["inputs"] <- list(formula_names(options$inputs))
  frame <- chosen_columns(part, options, "read")$frame
  made(cross(core_function("add", "r.reticulate.flows"), cutter, frame))
  TRUE
}

# The columns that a formula, as text, may use; `NULL`: all.
formula_names <- function(text) {
  names <- all.vars(str2lang(text))
  if (!"." %in% names) names
}

# The function that cuts a batch, whose result stays a Python object.
take_batch <- function() {
  if (is.null(the$take_batch)) {
    path <- system.file("python", package = "fitgenerator", mustWork = TRUE)
    module <- reticulate::import_from_path("fitgenerator.r.reticulate.flows", path, convert = FALSE)
    the$take_batch <- reticulate::py_get_attr(module, "take")
  }
  the$take_batch
}

#' @export
#' @noRd
print.fitgenerator_stream <- function(x, ...) {
  cat("A stream of batches of data that is read in parts\n")
  invisible(x)
}

#' Batches of data that is read in parts
#'
#' Batches for [fit_generator()] and its kin of data that does not fit into memory: of files, and of the answers of data
#' bases. The rows come in the order in which they are read, cut into batches whatever the size of the parts; only one
#' part is kept. Without `steps_per_epoch` an epoch is one pass; with it, reading begins again at the end. As validation
#' data it is read from its beginning each time.
#'
#' For another order in each epoch let the data base shuffle (`ORDER BY random()`), or have `read()` go through the
#' files in another order.
#'
#' @param read A function without arguments that opens the data for one pass, and returns a function that returns the
#'   next part, a data frame, and `NULL` (not a part without rows, which is passed over) when there is none. Where this
#'   second function has an argument `close`, it is called with `close = TRUE` when no more parts are wanted. A coro
#'   generator, or an iterator of the package iterators, is fine as well. All of it runs on R's own thread.
#' @param inputs,targets,sample_weight Names of columns, as in [flow_from_frame()], but no formula that computes: one of
#'   names (`y ~ a + b`, `y ~ . - id`) is fine.
#' @param batch_size Number of rows of a batch; the last one of a pass may have fewer.
#' @param one_hot Columns that become one column per level: `TRUE` for all factors and words, or names.
#' @param levels Named list, for columns of words or factors their values in the order of their codes, which count from
#'   0. Needed for words that are to become codes or one-hot, since no part shows all of them.
#' @param con A DBI connection, which stays open. It is read for one flow at a time: where training and validation data
#'   both come from a data base, each needs a connection of its own.
#' @param sql A query. It is sent again for each pass.
#' @param params Values for the parameters of the query, see [DBI::dbBind()].
#' @param chunk_size Number of rows to fetch at a time.
#'
#' @return An object of class `fitgenerator_stream`.
#' @seealso [flow_from_frame()]
#' @examplesIf fitgenerator:::has_keras()
#' # A file, a hundred lines at a time.
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
#' # A data base.
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

# A connection has one open answer at a time: a second one would end the first without a word.
check_free <- function(con) {
  if (!any(vapply(the$answering, identical, NA, con))) return(invisible(con))
  abort_argument("`con` is being read from already; give each flow that is read a connection of its own.", "con")
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

# A generator of batches of the parts of one pass.
open_chunks <- function(read, size, options) {
  draw <- as_generator(read())
  cutter <- cross(core_function("cutter", "r.reticulate.flows"), size, options)
  last <- FALSE
  empty <- 0L
  function(close = FALSE) {
    if (close) return(if (is_closable(draw)) draw(close = TRUE))
    repeat {
      if (cross(core_function("ready", "r.reticulate.flows"), cutter, last)) return(cross(take_batch(), cutter, last))
      if (last) return(NULL)
      part <- draw()
      last <<- is_exhausted(part)
      if (last) next
      empty <<- if (add_part(cutter, part, options)) 0L else empty + 1L
      if (empty == most_empty) abort_endless()
    }
  }
}

# Parts without rows in a row: there may be some where rows are left out, but what never ends is a mistake.
most_empty <- 1000L

abort_endless <- function() {
  abort_argument(sprintf("`read` gave %d parts without rows; it must give NULL at the end.", most_empty), "read")
}

as_generator <- function(x) {
  if (is.function(x)) return(x)
  if (inherits(x, "iter")) return(closure_of_iter(check_source(x, "read")))
  abort_argument(sprintf("`read` must return a function that returns data frames, not %s.", describe(x)), "read")
}

# Whether the part has rows.
add_part <- function(cutter, part, options) {
  if (!is.data.frame(part)) {
    abort_argument(sprintf("`read` must give data frames, not %s.", describe(part)), "read")
  }
  if (!nrow(part)) return(FALSE)
  if (is.character(options$inputs)) options["inputs"] <- list(NULL) # a formula: any column may be used
  frame <- chosen_columns(part, options)$frame
  made(cross(core_function("add", "r.reticulate.flows"), cutter, frame))
  TRUE
}

# The batch stays Python's.
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

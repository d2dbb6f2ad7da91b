# Something in place of tfruns, which few have installed: a package of its name with the three functions that we call,
# which keeps what was written. Unloaded when the test ends.

stand_in_for_tfruns <- function(frame = parent.frame()) {
  testthat::skip_if(isNamespaceLoaded("tfruns"), "tfruns itself is loaded")
  top <- folder_of_test(frame)
  source <- file.path(top, "tfruns")
  library <- file.path(top, "library")
  for (folder in c(source, file.path(source, "R"), library)) dir.create(folder)
  writeLines(
    c("Package: tfruns", "Version: 0.0.1", "Title: Stand-In", "License: none"), file.path(source, "DESCRIPTION")
  )
  writeLines("export(is_run_active, run_dir, write_run_metadata, state)", file.path(source, "NAMESPACE"))
  writeLines(c(
    "state <- new.env()",
    "is_run_active <- function() !is.null(state$run_dir)",
    "run_dir <- function() state$run_dir",
    "write_run_metadata <- function(type, data, run_dir = NULL) {",
    "  if (isTRUE(state$fails)) stop('the disk is full')",
    "  if (is.function(data)) data(state$run_dir)",
    "  state$written <- c(state$written, list(list(type = type, data = data)))",
    "  invisible(NULL)",
    "}"
  ), file.path(source, "R", "tfruns.R"))
  command <- c("CMD", "INSTALL", "--no-docs", "--no-test-load", paste0("--library=", shQuote(library)), shQuote(source))
  status <- system2(file.path(R.home("bin"), "R"), command, stdout = FALSE, stderr = FALSE)
  testthat::expect_identical(status, 0L)
  loadNamespace("tfruns", lib.loc = library)
  do.call(on.exit, list(quote(unloadNamespace("tfruns")), add = TRUE, after = FALSE), envir = frame)
  state <- getExportedValue("tfruns", "state")
  state$run_dir <- file.path(top, "run")
  dir.create(state$run_dir)
  state
}

# A new folder, which is removed when the test ends.
folder_of_test <- function(frame) {
  folder <- tempfile("runs")
  dir.create(folder)
  do.call(on.exit, list(bquote(unlink(.(folder), recursive = TRUE)), add = TRUE), envir = frame)
  folder
}

# What was written of a type, in order; properties as one list.
written_of <- function(state, type) {
  found <- lapply(Filter(function(each) each$type == type, state$written), function(each) each$data)
  if (type == "properties") utils::modifyList(list(), do.call(c, found)) else found
}

# R in a pseudo-terminal, and what a user sees there.

# Runs the code, an expression in braces, in an R process of its own whose output is a terminal of 60 columns. `raw` is
# what was written, `writes` when (in seconds), `lines` what stands there in the end.
run_in_terminal <- function(code, interactive = FALSE) {
  testthat::skip_on_os("windows")
  testthat::skip_if_not_installed("callr")
  script <- tempfile(fileext = ".R")
  on.exit(unlink(script))
  helper <- normalizePath(testthat::test_path("helper-models.R"))
  writeLines(c("library(fitgenerator)", sprintf("source(\"%s\")", helper), deparse(code, width.cutoff = 100L)), script)
  trial <- normalizePath(testthat::test_path("trials", "terminal.py"))
  env <- c(callr::rcmd_safe_env(), TF_CPP_MIN_LOG_LEVEL = "3", R_LIBS = paste(.libPaths(), collapse = ":"))
  command <- c(file.path(R.home("bin"), "R"), "--no-save", "--no-echo")
  how <- if (interactive) c("--interactive", "-e", sprintf("source('%s')", script)) else c("-f", script)
  command <- c(command, how)
  said <- withr::with_envvar(env, system2(reticulate::py_exe(), c(shQuote(trial), shQuote(command)), stdout = TRUE,
                                          stderr = FALSE))
  raw <- paste(said, collapse = "\n")
  status <- attr(said, "status")
  times <- regmatches(raw, gregexpr("<[0-9]+[.][0-9]{4}>", raw))[[1]]
  written <- gsub("<[0-9]+[.][0-9]{4}>", "", raw)
  list(status = if (is.null(status)) 0L else status, raw = written, lines = seen_lines(written),
       writes = as.numeric(gsub("[<>]", "", times)))
}

# Each line with what was written over it.
seen_lines <- function(raw) {
  lines <- strsplit(gsub("\r\n", "\n", raw), "\n", fixed = TRUE)[[1]]
  lines <- gsub("\033\\[[0-9;?]*[a-zA-Z]", "", lines)
  vapply(strsplit(lines, "\r", fixed = TRUE), function(pieces) {
    seen <- ""
    for (piece in pieces) seen <- paste0(piece, substring(seen, nchar(piece) + 1L))
    trimws(seen, "right")
  }, "", USE.NAMES = FALSE)
}

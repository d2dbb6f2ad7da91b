# R in a pseudo-terminal, and what a user sees in it.

# Runs the code, an expression in braces, in an R process of its own whose output is a terminal of 60 columns. A list of
# `status`, `raw` (what was written), `writes` (when, in seconds) and `lines` (what stands there in the end).
run_in_terminal <- function(code) {
  testthat::skip_on_os("windows")
  script <- tempfile(fileext = ".R")
  on.exit(unlink(script))
  helper <- normalizePath(testthat::test_path("helper-models.R"), "/")
  code <- deparse(code, width.cutoff = 100L)
  writeLines(c("library(fitgenerator)", sprintf("source(\"%s\")", helper), code), script)
  command <- c(
    testthat::test_path("trials", "terminal.py"), file.path(R.home("bin"), "R"), "--no-save", "--no-echo", "-f", script
  )
  libraries <- paste0("R_LIBS=", shQuote(paste(.libPaths(), collapse = ":")))
  env <- c(libraries, "LC_ALL=C.UTF-8", "TF_CPP_MIN_LOG_LEVEL=3", "TF_ENABLE_ONEDNN_OPTS=0")
  said <- suppressWarnings(system2(reticulate::py_exe(), shQuote(command), stdout = TRUE, env = env, timeout = 100))
  status <- attr(said, "status")
  raw <- enc2utf8(paste(said, collapse = "\n"))
  stamp <- "<[0-9]+[.][0-9]{4}>"
  writes <- as.numeric(gsub("[<>]", "", regmatches(raw, gregexpr(stamp, raw))[[1]]))
  raw <- gsub("\r\n", "\n", gsub(stamp, "", raw))
  list(status = if (is.null(status)) 0L else status, raw = raw, writes = writes, lines = seen_lines(raw))
}

# Each line as it looks after it was overwritten.
seen_lines <- function(raw) {
  lines <- strsplit(raw, "\n", fixed = TRUE)[[1]]
  lines <- gsub("\033\\[[0-9;?]*[a-zA-Z]", "", lines)
  vapply(strsplit(lines, "\r", fixed = TRUE), function(pieces) {
    seen <- ""
    for (piece in pieces) seen <- paste0(piece, substring(seen, nchar(piece) + 1L))
    trimws(seen, "right")
  }, "", USE.NAMES = FALSE)
}

# Runs tests/testthat against the installed package, one file after the other, and closes with the slowest
# of them and a line of counts.
# From the repository's root: Rscript tools/lib/testthat.R [filter]. tools/test calls it.

filter <- commandArgs(trailingOnly = TRUE)

# Another library than .rlib whose package is to be tested.
lib <- Sys.getenv("FITGENERATOR_LIB")
if (nzchar(lib)) {
  .libPaths(c(lib, .libPaths()))
  Sys.setenv(R_LIBS = paste(c(lib, Sys.getenv("R_LIBS")), collapse = .Platform$path.sep))
  stopifnot(startsWith(normalizePath(system.file(package = "fitgenerator")), normalizePath(lib)))
}

results <- testthat::test_dir(
  file.path("tests", "testthat"),
  filter = if (length(filter)) filter[[1]],
  package = "fitgenerator",
  load_package = "installed",
  reporter = testthat::SummaryReporter$new(max_reports = 50L),
  stop_on_failure = FALSE
)

counts <- as.data.frame(results)
failed <- sum(counts$failed) + sum(counts$error)
skipped <- sum(counts$skipped)
passed <- sum(counts$passed)

seconds <- sort(tapply(counts$real, counts$file, sum), decreasing = TRUE)
slowest <- utils::head(seconds, 10L)
cat("\nThe slowest files:", sprintf("%s %.0f s", sub("^test-(.*)[.]R$", "\\1", names(slowest)), slowest), fill = 120)
cat(sprintf("\n%d passed, %d failed, %d skipped\n", passed, failed, skipped))
if (failed > 0 || passed == 0) quit(status = 1)

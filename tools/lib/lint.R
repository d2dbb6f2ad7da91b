# Runs lintr over the R sources and tests with the settings of .lintr; prints what it finds and fails on anything.
# From the repository's root: Rscript tools/lib/lint.R. tools/check calls it.

library(testthat) # so that its functions are known in the helpers of tests
# So that what the tests' helpers define is not taken for unknown.
for (helper in c("helper-models.R", "helper-faults.R", "helper-images.R", "helper-pictures.R")) {
  sys.source(file.path("tests", "testthat", helper), globalenv())
}

found <- lapply(c("R", file.path("tests", "testthat")), lintr::lint_dir, relative_path = FALSE)
for (lints in found) if (length(lints)) print(lints)
if (sum(lengths(found)) > 0) quit(status = 1)

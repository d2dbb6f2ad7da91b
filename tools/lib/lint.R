# Runs lintr over the R sources and tests with the settings of .lintr, and looks for functions that are defined in two
# files, of which R takes the last without a word; prints what it finds and fails on anything.
# From the repository's root: Rscript tools/lib/lint.R. tools/check calls it.

library(testthat) # so that its functions are known in the helpers of tests
# So that what the tests' helpers define is not taken for unknown.
for (helper in list.files(file.path("tests", "testthat"), "^helper-.*[.]R$", full.names = TRUE)) {
  sys.source(helper, globalenv())
}

found <- lapply(c("R", file.path("tests", "testthat")), lintr::lint_dir, relative_path = FALSE)
for (lints in found) if (length(lints)) print(lints)

defined <- unlist(lapply(list.files("R", "[.]R$", full.names = TRUE), function(file) {
  assigned <- Filter(function(code) is.call(code) && identical(code[[1L]], quote(`<-`)), as.list(parse(file)))
  vapply(assigned, function(code) paste(deparse(code[[2L]]), collapse = ""), "")
}))
twice <- unique(defined[duplicated(defined)])
if (length(twice)) cat("Defined twice in R/:", twice, sep = "\n  ")

if (sum(lengths(found)) > 0 || length(twice)) quit(status = 1)

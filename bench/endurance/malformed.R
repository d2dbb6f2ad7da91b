# Generated malformed batches of R values: does each train as its plain matrix does, or raise a clear error?
#
#   tools/with-env Rscript bench/endurance/malformed.R [N] [SEED]
#
# Runs the property of tests/testthat/test-promise-malformed-batches.R on N batches (1000) and prints the outcomes. The
# exit status is 1 if any batch was accepted wrongly, refused wrongly, or refused with the wrong message.
suppressMessages({
  library(fitgenerator)
  library(testthat)
})
for (file in c("helper-models.R", "helper-malformed.R")) source(file.path("tests", "testthat", file))

args <- as.integer(commandArgs(trailingOnly = TRUE))
n <- if (length(args) > 0) args[[1L]] else 1000L
seed <- if (length(args) > 1) args[[2L]] else as.integer(Sys.time())

begun <- Sys.time()
tried <- try_malformed_cases(n, seed)
seconds <- as.numeric(difftime(Sys.time(), begun, units = "secs"))
cat(sprintf("%d batches, seed %d, %.0f s (%.0f ms each)\n", n, seed, seconds, 1e3 * seconds / n))
print(addmargins(table(tried$word, tried$place)))
failed <- tried[tried$word == "FAILED", ]
for (text in unique(substr(failed$text, 1, 300))) {
  same <- failed[substr(failed$text, 1, 300) == text, ]
  cat(sprintf("\n%d x %s\n", nrow(same), text))
  cat(sprintf("    %s: %s\n", head(same$place, 3), head(same$label, 3)), sep = "")
}
if (nrow(failed)) quit(status = 1)

# What files within epochs cost in R: a training on an R closure of a batch's number with them, over the same without.
#
#     tools/with-env Rscript bench/rows/checkpoint.R [PAIRS]
#
# As in checkpoint.py: a file of 14 MB is due each 2 s by `every`, and each 30 s by `seconds`.
library(fitgenerator)
arguments <- as.integer(commandArgs(trailingOnly = TRUE))
pairs <- if (length(arguments)) arguments[[1L]] else 9L
file <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
model <- reticulate::import_from_path("resume_training", file.path(dirname(normalizePath(file)), "..", "endurance"))$
  new_model()
x <- matrix(stats::rnorm(256 * 64), 256)
generator <- batch_sequence(function(i) {
  scale <- stats::runif(1)
  list(scale * x, scale * rowSums(x))
}, 100, seed = 1)

seconds <- function(steps, ...) {
  path <- tempfile(fileext = ".npz")
  saved <- if (...length()) list(checkpoint(path, ...))
  begun <- Sys.time()
  fit_generator(model, generator, steps, verbose = 0, callbacks = saved)
  spent <- as.numeric(Sys.time() - begun, units = "secs")
  unlink(path)
  spent
}
compare <- function(name, steps, pairs, ...) {
  ratios <- vapply(seq_len(pairs), function(pair) {
    without <- seconds(steps)
    seconds(steps, ...) / without
  }, 0)
  cat(name, ": ratios ", paste(sprintf("%.3f", sort(ratios)), collapse = " "), "\n", sep = "")
  cat(sprintf("%s: %.3f of %d pairs (at most 1.05)\n", name, stats::median(ratios), pairs))
}
invisible(seconds(200))
rate <- 1000 / seconds(1000)
every <- round(2 * rate)
compare(sprintf("every %d steps (2 s)", every), round(13 * rate), pairs, every = every)
compare("seconds 30", round(36 * rate), max(1L, pairs %/% 3L), seconds = 30)

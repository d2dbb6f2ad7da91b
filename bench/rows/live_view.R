# What a live view costs: row 3's model and an R closure, with a view that a browser watches, over without.
#
#     tools/with-env Rscript bench/rows/live_view.R [STEPS] [PAIRS]
library(fitgenerator)
arguments <- as.integer(commandArgs(trailingOnly = TRUE))
steps <- if (length(arguments) > 0L) arguments[[1L]] else 60L
pairs <- if (length(arguments) > 1L) arguments[[2L]] else 9L

layers <- reticulate::import("keras")$layers
model <- keras_model_sequential(200, layers = list(layers$Dense(1100L, activation = "relu"), layers$Dense(1L)))
compile(model, optimizer = "adam", loss = "mse")
generator <- function() {
  inputs <- matrix(rnorm(1000 * 200), ncol = 200)
  list(inputs, rowMeans(inputs))
}
options(viewer = function(url) system(sprintf("curl -sN '%sevents'", url), ignore.stdout = TRUE, wait = FALSE))
seconds <- function(...) {
  begun <- Sys.time()
  fit_generator(model, generator, steps, epochs = 3, verbose = 0, ...)
  as.numeric(Sys.time() - begun, units = "secs")
}
invisible(seconds())
ratios <- replicate(pairs, {
  without <- seconds()
  seconds(callbacks = list(live_view())) / without
})
cat("ratios", sprintf("%.3f", sort(ratios)), "\n")
cat(sprintf("live view, row 3: %.3f of %d pairs (at most 1.05)\n", median(ratios), pairs))

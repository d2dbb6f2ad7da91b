# A training whose live view is looked at: prints its address on stderr, saves its page as the file given, and then
# goes on as long as the folder given exists.
library(fitgenerator)
arguments <- commandArgs(trailingOnly = TRUE)
layers <- reticulate::import("keras")$layers
model <- keras_model_sequential(20, layers = list(layers$Dense(400L, activation = "relu"), layers$Dense(1L)))
compile(model, optimizer = "adam", loss = "mse", metrics = list("mae"))
generator <- function() {
  Sys.sleep(0.01)
  x <- matrix(rnorm(64 * 20), 64)
  list(x, rowMeans(x))
}
stop_when_told <- list(on_epoch_end = function(epoch, logs) {
  if (!dir.exists(arguments[[2]])) model$stop_training <- TRUE
})
fit_generator(
  model, generator, 20, epochs = 5000, verbose = 0, validation_data = generator, validation_steps = 4,
  callbacks = list(stop_when_told, live_view(open = FALSE, save = arguments[[1]]))
)

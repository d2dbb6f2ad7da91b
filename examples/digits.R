# Trains a small convolutional network on 1,797 handwritten digits. An R function makes the batches: it shifts and
# rotates the images and adds noise while the model trains on earlier batches. Run this program with tools/demo or
# with Rscript digits.R [seed]; it writes history.png and pipeline.png to the current folder.

library(fitgenerator)
keras <- reticulate::import("keras")

seed <- as.integer(c(commandArgs(trailingOnly = TRUE), 1)[[1]])
set.seed(seed)
keras$utils$set_random_seed(seed)

# --- Data ---------------------------------------------------------------------------------------------------

# 8 x 8 pixels from 0 (no ink) to 1, with an empty border of 2 pixels that images can be shifted into.
size <- 12
inside <- 3:10
images <- array(0, c(length(digits$labels), size, size))
images[, inside, inside] <- digits$images / 16

# One fifth is held back for validation, as fixed arrays: rows x height x width x channels, and the digits.
held_back <- sample(nrow(images), round(nrow(images) / 5))
training <- setdiff(seq_len(nrow(images)), held_back)
validation <- list(
  array(images[held_back, inside, inside], c(length(held_back), 8, 8, 1)),
  as.array(digits$labels[held_back])
)

# --- The generator: plain R ---------------------------------------------------------------------------------

centre <- (size + 1) / 2
y <- rep(inside - centre, times = 8)
x <- rep(inside - centre, each = 8)
clamp <- function(position) pmin(pmax(position + centre, 1), size - 1e-6)

# The image rotated by `angle` (radians) and shifted by `down` and `right` (pixels). Each new pixel is interpolated
# from the four pixels around the place that it comes from.
warp <- function(image, angle, down, right) {
  row <- clamp(cos(angle) * y - sin(angle) * x + down)
  column <- clamp(sin(angle) * y + cos(angle) * x + right)
  top <- floor(row)
  left <- floor(column)
  below <- row - top
  beside <- column - left
  at <- top + size * (left - 1)
  (image[at] * (1 - below) + image[at + 1] * below) * (1 - beside) +
    (image[at + size] * (1 - below) + image[at + size + 1] * below) * beside
}

batch_size <- 64

# Returns one batch: list(inputs, targets).
generator <- function() {
  chosen <- sample(training, batch_size)
  inputs <- matrix(0, batch_size, 8 * 8)
  for (i in seq_len(batch_size)) {
    shift <- runif(2, -0.8, 0.8)
    inputs[i, ] <- warp(images[chosen[i], , ], rnorm(1, sd = 0.15), shift[1], shift[2]) + rnorm(64, sd = 0.05)
  }
  dim(inputs) <- c(batch_size, 8, 8, 1)
  list(inputs, digits$labels[chosen])
}

# --- The model, made with reticulate ------------------------------------------------------------------------

layers <- keras$layers
model <- keras$Sequential(list(
  layers$Input(c(8L, 8L, 1L)),
  layers$Conv2D(32L, 3L, padding = "same", activation = "relu"),
  layers$Conv2D(32L, 3L, activation = "relu"),
  layers$MaxPooling2D(),
  layers$Conv2D(64L, 3L, padding = "same", activation = "relu"),
  layers$Flatten(),
  layers$Dropout(0.3),
  layers$Dense(10L, activation = "softmax")
))
model$compile(optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = list("accuracy"))

# --- Training -----------------------------------------------------------------------------------------------

# Callbacks are Keras's own, or lists of R functions. The list below lowers the learning rate from epoch to epoch.
callbacks <- list(
  keras$callbacks$EarlyStopping(patience = 8L, restore_best_weights = TRUE),
  list(on_epoch_begin = function(epoch, logs) model$optimizer$learning_rate <- 0.002 * 0.94^epoch)
)
history <- fit_generator(
  model, generator, steps_per_epoch = length(training) %/% batch_size, epochs = 40,
  callbacks = callbacks, validation_data = validation
)
scores <- model$evaluate(validation[[1]], validation[[2]], verbose = 0L, return_dict = TRUE)

cat("\n")
print(history$pipeline)

png("history.png", width = 900, height = 600, res = 120)
plot(history)
invisible(dev.off())
png("pipeline.png", width = 900, height = 400, res = 120)
plot(history$pipeline)
invisible(dev.off())
cat("\nPictures:", file.path(getwd(), c("history.png", "pipeline.png")), "", sep = "\n")

# --- What the overlap gains ---------------------------------------------------------------------------------

# The same training for 100 steps, alternately with a queue and in lock-step (no queue), because machines are noisy.
ms_per_step <- function(max_queue_size) {
  short <- fit_generator(model, generator, 100, verbose = 0, max_queue_size = max_queue_size)
  1000 * short$pipeline$wall / 100
}
times <- replicate(3, c(queue = ms_per_step(10), lock_step = ms_per_step(0)))
times <- apply(times, 1, median)
cat(sprintf("\nIn lock-step %.1f ms/step, with a queue of 10 %.1f ms/step: %.2f times as fast\n\n",
            times[["lock_step"]], times[["queue"]], times[["lock_step"]] / times[["queue"]]))

cat(sprintf("val_accuracy: %.4f\n", scores$accuracy))

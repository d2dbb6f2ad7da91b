# An R closure as slow as the step: what does a step cost when the two run beside each other?
#
#   tools/with-env Rscript bench/overlap.R [MILLISECONDS] [STEPS]
#
# The step computes on one thread and is as long as asked for, the closure computes as long as the step. Prints, as
# the median of three rounds in alternation: the closure alone, the training alone (on batches that cost nothing),
# both with `max_queue_size = 0`, both with the queue, and both with R hooks at the begin and end of every batch.
# Run it on an idle machine with two cores.

library(fitgenerator)
args <- as.numeric(commandArgs(trailingOnly = TRUE))
wanted <- if (length(args) > 0) args[[1L]] / 1000 else 0.05
steps <- if (length(args) > 1) args[[2L]] else 40L

tf <- reticulate::import("tensorflow")
tf$config$threading$set_intra_op_parallelism_threads(1L)
tf$config$threading$set_inter_op_parallelism_threads(1L)
keras <- reticulate::import("keras")

seconds <- function(code) system.time(code)[["elapsed"]]

new_model <- function(layers, width = 700L) {
  hidden <- lapply(seq_len(layers), function(i) keras$layers$Dense(width, activation = "relu"))
  model <- keras$Sequential(c(list(keras$layers$Input(list(width))), hidden, list(keras$layers$Dense(1L))))
  model$compile(optimizer = "sgd", loss = "mse")
  model
}

batch <- list(matrix(0.1, 256L, 700L), rep(1, 256L))
quick <- function() batch
train <- function(model, generator, ...) {
  fit_generator(model, generator, steps, verbose = 0, ...)
}
per_step <- function(model, ...) {
  train(model, ...)
  seconds(train(model, ...)) / steps
}

# The step: as many layers as it takes.
one <- per_step(new_model(2L), quick)
two <- per_step(new_model(6L), quick)
layers <- max(1L, as.integer(2 + round((wanted - one) / ((two - one) / 4))))
model <- new_model(layers)
step <- per_step(model, quick)

# The closure: as many turns of a loop as it takes.
work <- function(turns) {
  s <- 0
  for (i in seq_len(turns)) s <- s + sqrt(i)
  s
}
invisible(work(1e6))
turns <- 1e6 * step / stats::median(replicate(5L, seconds(work(1e6))))
slow <- function() {
  work(turns)
  batch
}
hooks <- list(on_train_batch_begin = function(batch, logs) NULL, on_train_batch_end = function(batch, logs) NULL)

rounds <- t(replicate(3L, c(
  closure = seconds(for (i in seq_len(steps)) slow()) / steps,
  step = seconds(train(model, quick)) / steps,
  lockstep = seconds(train(model, slow, max_queue_size = 0)) / steps,
  queue = seconds(train(model, slow)) / steps,
  hooks = seconds(train(model, slow, callbacks = hooks)) / steps
)))
median_of <- apply(rounds, 2L, stats::median)
longer <- pmax(rounds[, "closure"], rounds[, "step"])
ratio <- apply(rounds / longer, 2L, stats::median)
table <- data.frame(`ms per step` = round(1000 * median_of, 1), `over the longer` = round(ratio, 2), check.names = FALSE)
print(table)

# One process of resume.py, which starts this script repeatedly and kills it: trains with an R closure, from the point
# that the last process reached.

args <- commandArgs(trailingOnly = TRUE)
folder <- args[[1L]]
steps <- as.integer(args[[2L]])
epochs <- as.integer(args[[3L]])
file <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))

library(fitgenerator)
resume <- reticulate::import_from_path("resume", dirname(normalizePath(file)))

# Batches that follow from a seed and the number of the epoch.
batches <- function(epoch, seed, steps) {
  step <- 0
  function() {
    if (step == 0) set.seed(1000 * seed + epoch)
    x <- matrix(stats::rnorm(16 * 64), 16)
    step <<- (step + 1) %% steps
    if (step == 0) epoch <<- epoch + 1
    list(x, rowSums(x))
  }
}

say <- function(...) {
  cat(..., "\n", sep = "")
  flush(stdout())
}

saved <- checkpoint(file.path(folder, "training.npz"))
model <- resume$new_model()
history <- fit_generator(
  model, batches(saved$epoch, 1, steps), steps, epochs,
  verbose = 0, callbacks = list(list(on_train_begin = function(logs) say("training")), saved),
  validation_data = batches(saved$epoch, 2, 2), validation_steps = 2
)
numbers <- vapply(history$metrics, function(values) paste(sprintf("%a", values), collapse = " "), "")
say("done ", paste(names(numbers), numbers, collapse = " "), " ", resume$digest(model))

# One process of resume.py, which starts this script repeatedly and kills it: trains in R, from the point that the last
# process reached. Without further arguments than the folder, files are written after epochs, and the batches are those
# of a closure; with EVERY SECONDS STALL, within epochs, and the batches are those of a sequence.

args <- commandArgs(trailingOnly = TRUE)
folder <- args[[1L]]
file <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))

library(fitgenerator)
resume <- reticulate::import_from_path("resume_training", dirname(normalizePath(file)))

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

# The same, with places, in an order of its own in each epoch. The batch after the first `stall` takes a minute.
sequence <- function(seed, length, stall = 0) {
  made <- 0
  batch_sequence(function(i) {
    made <<- made + 1
    if (stall > 0 && made == stall + 1) Sys.sleep(60)
    x <- matrix(stats::rnorm(16 * 64), 16)
    list(x, rowSums(x) + i)
  }, length, shuffle = TRUE, seed = seed)
}

say <- function(...) {
  cat(..., "\n", sep = "")
  flush(stdout())
}

started <- list(on_train_begin = function(logs) say("training"))
model <- resume$new_model()
path <- file.path(folder, "training.npz")
if (length(args) == 1L) {
  saved <- checkpoint(path)
  history <- fit_generator(
    model, batches(saved$epoch, 1, resume$STEPS), resume$STEPS, resume$EPOCHS,
    verbose = 0, callbacks = list(started, saved),
    validation_data = batches(saved$epoch, 2, 2), validation_steps = 2
  )
} else {
  setting <- as.numeric(args[-1L])
  given <- function(value) if (value > 0) value
  saved <- checkpoint(path, every = given(setting[[1L]]), seconds = given(setting[[2L]]), on_signal = TRUE)
  keras <- reticulate::import("keras")
  plateau <- keras$callbacks$ReduceLROnPlateau(monitor = "loss", patience = 0L, min_delta = 0.1)
  history <- fit_generator(
    model, sequence(1, resume$STEPS_WITHIN, setting[[3L]]), epochs = resume$EPOCHS_WITHIN,
    verbose = 0, callbacks = list(started, saved, plateau), validation_data = sequence(2, resume$VALIDATION)
  )
}
numbers <- vapply(history$metrics, function(values) paste(sprintf("%a", values), collapse = " "), "")
say("done ", paste(names(numbers), numbers, collapse = " "), " ", resume$digest(model))

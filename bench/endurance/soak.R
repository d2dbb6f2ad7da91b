# Does anything grow in a long run from R? soak.py runs this script too.
#
#   tools/with-env Rscript bench/endurance/soak.R [STEPS [SETTING [FILE]]]
#
# SETTING is "closure" (epoch hooks) or "hooks" (batch hooks too). Prints a table; the exit status is 1 if anything
# grew. With FILE, the samples are written there instead.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[[1L]]))
source(file.path(here, "..", "support", "common.R"))
args <- commandArgs(trailingOnly = TRUE)
steps <- if (length(args)) as.numeric(args[[1L]]) else 1e5
setting <- if (length(args) > 1L) args[[2L]] else "closure"

process_watch <- reticulate::import_from_path("process_watch", support)
common <- reticulate::import_from_path("common", support)
watch <- process_watch$Watch()
epochs <- process_watch$epochs_of(as.integer(steps))

closure <- function() {
  x <- matrix(stats::rnorm(512), 32L)
  list(x, rowSums(x))
}

look <- function(epoch, logs) {
  used <- gc()
  watch$sample((epoch + 1) * epochs[[1L]], list(ncells = used[[1L, 1L]], vcells = used[[2L, 1L]]))
}

model <- common$small_model()
inputs <- closure()[[1L]]
begun <- 0
hooks <- list(
  on_epoch_begin = function(epoch) {
    begun <<- begun + 1
    for (i in 1:50) model$predict_on_batch(inputs)
  },
  on_epoch_end = look,
  on_train_begin = function() begun <<- 0
)
if (setting == "hooks") {
  hooks$on_train_batch_begin <- function(batch) begun <<- begun + 0
  hooks$on_train_batch_end <- function(batch, logs) begun <<- begun + 0
}
lambda <- keras$callbacks$LambdaCallback(on_epoch_end = function(epoch, logs) begun <<- begun + 0)

invisible(fit_generator(model, closure, epochs[[1L]], epochs[[2L]], verbose = 0,
                        callbacks = list(hooks, lambda), validation_data = closure, validation_steps = 10))
stopifnot(begun == epochs[[2L]])
if (length(args) > 2L) {
  watch$write(args[[3L]])
} else if (!process_watch$report(paste("From R,", setting), watch$samples)) {
  quit(status = 1L)
}

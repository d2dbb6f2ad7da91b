# Row 2: the small model on an R closure, against a Python generator in the same R session; cases B2 and B3.
#
#   tools/with-env Rscript bench/rows/step_cost.R [STEPS]

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[[1L]]))
source(file.path(here, "..", "support", "common.R"))
args <- commandArgs(trailingOnly = TRUE)
steps <- if (length(args)) as.numeric(args[[1L]]) else 12000
common <- reticulate::import_from_path("common", support, convert = FALSE)

x <- matrix(stats::rnorm(32 * 16), 32L)
batch <- list(x, rowSums(x))
closure <- function() batch
us <- function(model, generator, ...) 1e6 * seconds(fit_generator(model, generator, steps, verbose = 0, ...)) / steps
models <- replicate(4L, common$small_model())
python <- function() common$forever(common$small_batch())
one_round <- function() {
  c(
    `Python generator` = us(models[[1L]], python()),
    `R closure` = us(models[[2L]], closure),
    `Python generator, no XLA` = us(models[[3L]], python(), jit_compile = FALSE),
    `R closure, no XLA` = us(models[[4L]], closure, jit_compile = FALSE)
  )
}
invisible(one_round())
rounds <- t(replicate(5L, one_round()))
over <- apply(rounds, 2L, stats::median)
report("2", "small model, R closure from R", "microseconds per step", rounds,
       list(`over the Python generator` = round(over / over[c(1, 1, 3, 3)], 2)))

# B2: a trivial closure of 32 x 100; the time added to train_on_batch, in lock-step and with a queue.
wide <- list(matrix(0.5, 32L, 100L), matrix(1, 32L, 1L))
wide_model <- function() {
  model <- keras$Sequential(list(keras$layers$Input(list(100L)), keras$layers$Dense(1L)))
  model$compile("sgd", "mse")
  model
}
model <- wide_model()
np <- reticulate::import("numpy", convert = FALSE)
arrays <- lapply(wide, function(a) np$array(a, "float32"))
on_batch <- function() for (i in 1:500) model$train_on_batch(arrays[[1L]], arrays[[2L]])
ours <- function(...) fit_generator(model, function() wide, 500, verbose = 0, ...)
on_batch()
ours()
rounds <- t(replicate(5L, 1e6 / 500 * c(
  train_on_batch = seconds(on_batch()), queue = seconds(ours()), `lock-step` = seconds(ours(max_queue_size = 0))
)))
report("2-B2", "trivial R closure of 32 x 100 (B2)", "microseconds per step", rounds,
       list(`added, us` = round(apply(rounds - rounds[, 1L], 2L, stats::median))))

# B3: a closure that takes 200 ms every tenth call and nothing otherwise; steps of 25 ms.
call <- 0
bursty <- function() {
  call <<- call + 1
  if (call %% 10 == 0) Sys.sleep(0.2)
  list(matrix(0.1, 256L, 700L), rep(1, 256L))
}
quick <- function() list(matrix(0.1, 256L, 700L), rep(1, 256L))
model <- model_of(0.025, function(model) fit_generator(model, quick, 20, verbose = 0), 20)
fit <- function(size) fit_generator(model, bursty, 100, max_queue_size = size, verbose = 0)
fit(1)
rounds <- t(replicate(3L, 10 * c(`queue of 1` = seconds(fit(1)), `queue of 10` = seconds(fit(10)))))
report("2-B3", "a bursty R closure (B3)", "milliseconds per step", rounds,
       list(`over a queue of 1` = round(apply(rounds / rounds[, 1L], 2L, stats::median), 2)))

# Row 9: an R function that is slower than the model, in several R processes: what does a step cost?
#
#   tools/with-env Rscript bench/rows/workers.R
#
# Each figure is the time of a step in the second epoch of a call, when the workers have started. The control is the
# function alone in as many processes, without a model: what the machine allows. Run this script on an idle machine.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[[1L]]))
source(file.path(here, "..", "support", "common.R"))
one_thread()
rounds <- 5L

# Seconds a step with so many workers.
step_with <- function(model, fn, workers, steps, ...) {
  ends <- numeric()
  ended <- list(on_epoch_end = function(epoch, logs) ends <<- c(ends, proc.time()[["elapsed"]]))
  batches <- batch_sequence(fn, length = Inf, seed = 1)
  fit_generator(model, batches, steps, epochs = 2, workers = workers, callbacks = ended, verbose = 0, ...)
  diff(ends) / steps
}

# Seconds a call of the function alone, on so many processes at once.
alone <- function(cluster, fn, calls) {
  seconds(parallel::clusterApply(cluster, seq_along(cluster), function(i, fn, calls) {
    for (call in seq_len(calls)) fn(call)
    NULL
  }, fn, calls)) / calls / length(cluster)
}

# A function of the index that has no other variables than its own.
portable <- function(fn, ...) {
  environment(fn) <- list2env(list(...), parent = globalenv())
  fn
}

small <- list(matrix(0.1, 256L, 700L), rep(1, 256L))
model <- model_of(0.01, function(model) fit_generator(model, function() small, 20L, verbose = 0), 20L)

turns <- 1e6 * 0.06 / stats::median(replicate(9L, seconds(for (i in seq_len(1e6)) sqrt(i))))
computing <- portable(function(i) {
  for (turn in seq_len(turns)) sqrt(turn)
  batch
}, turns = turns, batch = list(matrix(0.1, 32L, 700L), rep(1, 32L)))
sleeping <- portable(function(i) {
  Sys.sleep(0.06)
  batch
}, batch = list(matrix(0.1, 32L, 700L), rep(1, 32L)))

two <- parallel::makePSOCKcluster(2L)
figures <- t(replicate(rounds, c(
  `R's own thread, computing` = step_with(model, computing, 1, 60L),
  `workers: 2, computing` = step_with(model, computing, 2, 60L),
  `two processes alone, computing` = alone(two, computing, 30L),
  `R's own thread, sleeping` = step_with(model, sleeping, 1, 60L),
  `workers: 2, sleeping` = step_with(model, sleeping, 2, 60L),
  `workers: 4, sleeping` = step_with(model, sleeping, 4, 80L),
  `workers: 8, sleeping` = step_with(model, sleeping, 8, 160L),
  `two processes alone, sleeping` = alone(two, sleeping, 30L)
)))
own <- rep(c("R's own thread, computing", "R's own thread, sleeping"), c(3L, 5L))
over <- apply(figures / figures[, own], 2L, stats::median)
report("9", "R function of 60 ms beside a step of 10 ms", "milliseconds per step", 1000 * figures, list(
  `over R's own thread` = round(over, 2)
))

# What a worker adds to a batch: one asks for the next when the last has come, as in lock-step.
quick <- portable(function(i) batch, batch = list(matrix(0.1, 32L, 16L), rep(1, 32L)))
tiny <- dense_model(1L, 16L)
figures <- t(replicate(rounds, c(
  `R's own thread` = step_with(tiny, quick, 1, 2000L),
  `workers: 2` = step_with(tiny, quick, 2, 2000L)
)))
report("9-small", "32 x 16 doubles that cost nothing to make", "milliseconds per step", 1000 * figures)

# Large batches: what crosses, and what R's thread does for it.
large <- portable(function(i) {
  Sys.sleep(0.2)
  batch
}, batch = list(array(0.1, c(32L, 224L, 224L, 3L)), rep(1, 32L)))
pooled <- keras$Sequential(list(
  keras$layers$Input(list(224L, 224L, 3L)), keras$layers$GlobalAveragePooling2D(), keras$layers$Dense(1L)
))
pooled$compile(optimizer = "sgd", loss = "mse")
figures <- t(replicate(rounds, c(
  `R's own thread` = step_with(pooled, large, 1, 20L),
  `a cluster of 1` = step_with(pooled, large, two[1L], 20L),
  `workers: 2` = step_with(pooled, large, 2, 20L)
)))
over <- apply(figures / figures[, "R's own thread"], 2L, stats::median)
title <- "32 x 224 x 224 x 3 doubles (38 MB), made in 200 ms asleep"
report("9-large", title, "milliseconds per step", 1000 * figures, list(`over R's own thread` = round(over, 2)))

# What R's thread does meanwhile, as the system counts its time; the hook that asks is part of it.
host_with <- function(workers, steps = 20L) {
  clock <- reticulate::import("time")$thread_time
  used <- numeric()
  ended <- list(on_epoch_end = function(epoch, logs) used <<- c(used, clock()))
  batches <- batch_sequence(large, length = Inf, seed = 1)
  fit_generator(pooled, batches, steps, epochs = 2, workers = workers, callbacks = ended, verbose = 0)
  diff(used) / steps
}
figures <- t(replicate(rounds, c(`R's own thread` = host_with(1), `workers: 2` = host_with(2))))
report("9-host", "R's thread, with the same batches", "milliseconds per step", 1000 * figures)

# The start: a whole call of one step, of a model that was never trained.
first_call <- function(workers) {
  fresh <- dense_model(2L)
  batches <- batch_sequence(function(i) list(matrix(0.1, 32L, 700L), rep(1, 32L)), length = Inf, seed = 1)
  seconds(fit_generator(fresh, batches, 1, workers = workers, verbose = 0))
}
figures <- t(replicate(rounds, c(`R's own thread` = first_call(1), `workers: 4` = first_call(4))))
report("9-start", "a call of one step, with a model that was never trained", "seconds", figures)
parallel::stopCluster(two)

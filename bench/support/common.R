# Helpers that the R benchmarks share: models and closures of a chosen duration, tables, and result files.

library(fitgenerator)
Sys.setenv(TF_CPP_MIN_LOG_LEVEL = "3")
backend <- Sys.getenv("KERAS_BACKEND", "tensorflow")
if (backend == "tensorflow") tf <- reticulate::import("tensorflow")
keras <- reticulate::import("keras", delay_load = TRUE)

seconds <- function(code) system.time(code, gcFirst = FALSE)[["elapsed"]]

# The backend on one thread, so that a step takes one core and leaves the other to R. Call it before any model is made.
one_thread <- function() {
  # XLA takes the size of its threads' pool from NPROC; without it, a step computes on both cores.
  if (backend == "jax") Sys.setenv(NPROC = "1", XLA_FLAGS = "--xla_cpu_multi_thread_eigen=false")
  if (backend != "tensorflow") return(invisible(Sys.setenv(OMP_NUM_THREADS = "1")))
  tf$config$threading$set_intra_op_parallelism_threads(1L)
  tf$config$threading$set_inter_op_parallelism_threads(1L)
}

dense_model <- function(layers, width = 700L) {
  hidden <- lapply(seq_len(layers), function(i) keras$layers$Dense(width, activation = "relu"))
  model <- keras$Sequential(c(list(keras$layers$Input(list(width))), hidden, list(keras$layers$Dense(1L))))
  model$compile(optimizer = "sgd", loss = "mse")
  model
}

# A model for which `run(model)`, a call of `steps` steps, takes `wanted` seconds a step: as many layers as it takes.
model_of <- function(wanted, run, steps) {
  per_step <- function(model) {
    run(model)
    seconds(run(model)) / steps
  }
  few <- per_step(dense_model(2L))
  many <- per_step(dense_model(10L))
  dense_model(max(1L, as.integer(round(2 + (wanted - few) / ((many - few) / 8)))))
}

# A function that computes for `wanted` seconds: as many turns of a loop as it takes.
work_of <- function(wanted) {
  work <- function(turns) {
    s <- 0
    for (i in seq_len(turns)) s <- s + sqrt(i)
    s
  }
  invisible(work(1e6))
  turns <- 1e6 * wanted / stats::median(replicate(5L, seconds(work(1e6))))
  function() work(turns)
}

# What such a model is trained on: a closure whose batch costs nothing, and one that computes for so many seconds.
dense_batch <- list(matrix(0.1, 256L, 700L), rep(1, 256L))
quick <- function() dense_batch
slow_of <- function(wanted) {
  work <- work_of(wanted)
  function() {
    work()
    dense_batch
  }
}
fit <- function(model, generator, steps, ...) fit_generator(model, generator, steps, verbose = 0, ...)

# The table of an overlap: its columns `closure` and `step` are each of the two alone.
report_overlap <- function(row, title, rounds) {
  longer <- pmax(rounds[, "closure"], rounds[, "step"])
  over <- apply(rounds / longer, 2L, stats::median)
  report(row, title, "milliseconds per step", 1000 * rounds, list(`over the longer` = round(over, 2)))
}

# Prints a table of the rounds' columns and keeps them for the plots. `notes` are further columns, named.
report <- function(row, title, unit, rounds, notes = list()) {
  median_of <- apply(rounds, 2L, stats::median)
  spread <- apply(rounds, 2L, function(x) sprintf("%.4g-%.4g", min(x), max(x)))
  cat(sprintf("\nRow %s: %s (%s)\n", row, title, unit))
  table <- data.frame(median = signif(median_of, 4L), spread = spread)
  for (name in names(notes)) table[[name]] <- notes[[name]]
  print(table)
  invisible(keep(row, title, unit, as.data.frame(rounds)))
}

keep <- function(row, title, unit, figures) {
  common <- reticulate::import_from_path("common", support, convert = FALSE)
  common$keep(row, title, unit, lapply(figures, as.list))
}

# `here` is the folder of the script that sources this file.
support <- file.path(here, "..", "support")

# Memory is bounded by the queue during a call, and does not grow with the steps.

skip_without_keras()
skip_if_not(file.exists("/proc/self/statm"), "memory is read from /proc")

# The resident set, in MiB.
resident <- function() as.numeric(strsplit(readLines("/proc/self/statm"), " ")[[1]][[2]]) * 4096 / 2^20

# The resident set that is in use. The C library may keep memory that was freed, about 100 MB, or return it.
in_use <- function() {
  gc()
  libc <- reticulate::import("ctypes")$CDLL(NULL)
  if (reticulate::py_has_attr(libc, "malloc_trim")) libc$malloc_trim(0L)
  resident()
}

# The largest resident set since forget_peak().
peak <- function() {
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

forget_peak <- function() cat("5", file = "/proc/self/clear_refs")

# A model without work to do, of inputs of 250 x `width`.
wide_model <- function(width) {
  layers <- keras()$layers
  model <- keras()$Sequential(list(
    layers$Input(list(250L, as.integer(width))), layers$GlobalAveragePooling1D(), layers$Dense(1L)
  ))
  model$compile(keras()$optimizers$SGD(0), "mse")
  model
}

test_that("M1: a queue of one holds less than five batches of 100 MB", {
  model <- wide_model(1000)
  of_rows <- function(rows) function() list(array(0.5, c(rows, 250, 1000)), rep(0, rows))
  train(model, of_rows(1), 2, max_queue_size = 1)
  gc()
  before <- resident()
  forget_peak()
  train(model, of_rows(50), 12, max_queue_size = 1) # 95 MiB of doubles
  expect_gt(peak() - before, 95)
  expect_lt(peak() - before, 5 * 95)
})

test_that("M2: 3000 steps of 1 MB do not grow, nor does R's own memory", {
  seen <- used <- NULL
  look <- function(epoch, logs) {
    used <<- c(used, gc()["Vcells", 1])
    seen <<- c(seen, in_use())
  }
  x <- array(0.5, c(32, 250, 16))
  closure <- function() list(x + 1, rep(0, 32))
  train(wide_model(16), closure, 300, epochs = 10, callbacks = list(on_epoch_end = look))
  expect_lt(min(seen[6:10]) - min(seen[1:5]), 25)
  expect_lt(max(used) - used[[1]], length(x)) # less than a batch
})

test_that("M3: a hook that predicts does not grow", {
  model <- echo_model()
  seen <- NULL
  x <- matrix(1, 8, 1)
  predict <- function(epoch, logs) {
    for (i in 1:10) model$predict_on_batch(x)
    if (epoch %% 20 != 0) return(NULL)
    seen <<- c(seen, in_use())
  }
  train(model, numbered(), 1, epochs = 201, callbacks = list(on_epoch_end = predict))
  expect_lt(seen[[11]] - seen[[2]], 50)
})

test_that("M1: garbage of Python's that holds values of R does not hold up a training", {
  # A hundred values of R become garbage in cycles on a thread that reads batches, at once.
  done <- run_r(quote({
    reticulate::py_run_string(paste(
      "import gc, numpy as np",
      "def littering(held):",
      "    for number in range(4):",
      "        while held and number == 1:",
      "            cycle = [held.pop()]",
      "            cycle.append(cycle)",
      "        if number == 1:",
      "            kept = [[] for _ in range(100000)]",
      "        yield np.ones((2, 1)), np.zeros((2, 1))",
      sep = "\n"
    ))
    values <- reticulate::r_to_py(lapply(1:100, function(k) matrix(k + 0, 2, 2)))
    littering <- reticulate::py_get_attr(reticulate::import_main(), "littering")
    took <- system.time(train(linear_model(), littering(values), 4, max_queue_size = 1))[["elapsed"]]
    gc <- reticulate::import("gc")
    cat("prompt", took < 30, "enabled", gc$isenabled(), "\n")
  }), timeout = 150)
  expect_process(done, "prompt TRUE enabled TRUE")
})

test_that("M1: a source is let go of if a callback fails before the training begins", {
  reticulate::py_run_string(paste(
    "import keras, numpy as np, weakref",
    "class Batches(keras.utils.PyDataset):",
    "    def __len__(self): return 2",
    "    def __getitem__(self, index): return np.ones((2, 1)), np.zeros((2, 1))",
    "class Failing(keras.callbacks.Callback):",
    "    def set_model(self, model): raise ValueError('not mine')",
    sep = "\n"
  ))
  main <- reticulate::import_main()
  source <- main$Batches()
  reference <- reticulate::import("weakref", convert = FALSE)$ref(source)
  kept <- expect_error(train(linear_model(), source, NULL, callbacks = list(main$Failing())), "not mine")
  rm(source)
  gc()
  reticulate::import("gc")$collect()
  expect_null(reticulate::py_to_r(reference()))
  expect_match(conditionMessage(kept), "not mine")
  expect_clean(linear_model())
})

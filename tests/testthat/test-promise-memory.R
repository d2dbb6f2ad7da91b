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

# A closure that holds 8 MB, and says in `ended` when R has freed its environment.
held <- new.env()

holding <- function() {
  large <- numeric(1e6)
  reg.finalizer(environment(), function(freed) held$ended <- held$ended + 1L)
  function() list(matrix(large[[1L]], 2L, 1L), matrix(0, 2L, 1L))
}

test_that("T17: a closure and what it holds are let go of when the call ends", {
  by_index <- function(generator) function(index) generator()
  fails <- function(...) stop("not mine")
  in_python <- function(generator) {
    reticulate::py_run_string("def fitgenerator_test_calling(make):\n    while True:\n        yield tuple(make())")
    reticulate::py_get_attr(reticulate::import_main(), "fitgenerator_test_calling")(function() generator())
  }
  calls <- list(
    fit = function(generator) train(echo_model(), generator, 3),
    `lock-step` = function(generator) train(echo_model(), generator, 3, max_queue_size = 0),
    unbuilt = function(generator) {
      model <- keras()$Sequential(list(keras()$layers$Dense(1L)))
      model$compile("sgd", "mse")
      train(model, generator, 3)
    },
    validation = function(generator) {
      train(echo_model(), numbered(), 2, 2, validation_data = generator, validation_steps = 2)
    },
    evaluate = function(generator) evaluate_generator(echo_model(), generator, 2),
    predict = function(generator) predict_generator(echo_model(), generator, 2),
    callback = function(generator) {
      expect_error(train(echo_model(), generator, 2, callbacks = list(on_epoch_end = fails)), "not mine")
    },
    failing = function(generator) {
      expect_error(train(echo_model(), function() if (length(generator())) fails(), 2), "not mine")
    },
    sequence = function(generator) train(echo_model(), batch_sequence(by_index(generator), 3), NULL),
    iterator = function(generator) train(echo_model(), reticulate::py_iterator(generator), 3),
    python = function(generator) train(echo_model(), in_python(generator), 3)
  )
  collector <- reticulate::import("gc")
  collector$collect()
  collector$disable() # no cycle may hold it: what Python finds only now and then is not let go of
  withr::defer(collector$enable())
  for (name in names(calls)) {
    held$ended <- 0L
    calls[[name]](holding())
    for (i in 1:2) gc() # first the reference to a Python object, then what that object held
    expect_identical(held$ended, 1L, info = name)
  }
})

test_that("T17: of large closures, one call after the other, the memory of one is held", {
  large <- function() {
    block <- rep(1, 12 * 2^20) # 96 MiB
    function() list(matrix(block[[1L]], 2L, 1L), matrix(0, 2L, 1L))
  }
  model <- echo_model()
  train(model, large(), 2)
  gc()
  forget_peak()
  before <- resident()
  for (i in 1:4) {
    train(model, large(), 2)
    gc()
  }
  expect_lt(peak() - before, 1.5 * 96)
})

# Memory, the caller's state, and what is left after a call.

skip_without_keras()

test_that("rule 9, M4: a closure may fill the same matrix for every batch", {
  buffer <- matrix(0, 3, 1)
  k <- 0
  refill <- function() {
    k <<- k + 1
    buffer[] <<- k
    list(buffer, matrix(0, 3, 1))
  }
  expect_equal(train(echo_model(), refill, 10)$metrics$loss, 5.5)
  np <- reticulate::import("numpy", convert = FALSE)
  shared <- np$zeros(list(3L, 1L), "float32") # of the model's type, so that no cast copies it
  zeros <- np$zeros(list(3L, 1L))
  refill <- function() {
    k <<- k + 1
    shared$fill(k)
    reticulate::tuple(shared, zeros)
  }
  expect_equal(train(echo_model(), refill, 10)$metrics$loss, 15.5)
})

test_that("rule 9: what crosses is a copy of R's memory, cast, in R's own order", {
  path <- system.file("python", package = "fitgenerator")
  own <- reticulate::import_from_path("fitgenerator.r.reticulate.values", path, convert = FALSE)$own
  np <- reticulate::import("numpy")
  for (x in list(matrix(1:6, 2), matrix(1:6 + 0, 2), matrix(c(TRUE, FALSE), 2, 3), matrix(as.raw(1:6), 2))) {
    view <- reticulate::r_to_py(x)
    copy <- own(view)
    expect_false(np$shares_memory(view, copy))
    expect_true(reticulate::py_to_r(copy$flags$f_contiguous))
  }
  expect_identical(reticulate::py_str(own(reticulate::r_to_py(matrix(1, 2, 2)))$dtype), "float32")
})

test_that("rule 9, M2: what a closure holds is released after the call", {
  collected <- FALSE
  local({
    held <- new.env()
    reg.finalizer(held, function(e) collected <<- TRUE)
    generator <- function() { held$x <- 1; random_batches()() }
    hooks <- list(on_epoch_end = function(epoch, logs) held$y <- 1)
    train(linear_model(), generator, 5, epochs = 2, callbacks = list(hooks), validation_data = generator,
          validation_steps = 1)
  })
  for (i in 1:3) gc()
  expect_true(collected)
})

# A Python generator that notes what it sees on the thread that reads it.
noting_generator <- function() {
  reticulate::py_run_string(paste(
    "import keras, numpy as np, threading",
    "from tensorflow.python.eager import context",
    "def fitgenerator_test_noting(seen):",
    "    while True:",
    "        seen.append([keras.config.dtype_policy().name, context.context().device_name or '',",
    "                     threading.current_thread().name])",
    "        yield np.ones((2, 1)), np.ones((2, 1))",
    sep = "\n"
  ))
  seen <- reticulate::r_to_py(list())
  list(seen = seen, generator = reticulate::py$fitgenerator_test_noting(seen))
}

test_that("rule 10: the caller's dtype policy and device hold on our threads", {
  policies <- keras()$config
  old <- policies$dtype_policy()
  on.exit(policies$set_dtype_policy(old))
  policies$set_dtype_policy("mixed_float16")
  model <- keras()$Sequential(list(keras()$layers$Input(list(1L)), keras()$layers$Dense(1L)))
  model$compile("sgd", "mse")
  expect_identical(model$compute_dtype, "float16")
  noting <- noting_generator()
  with(reticulate::import("tensorflow")$device("/CPU:0"), {
    history <- train(model, noting$generator, 2, validation_data = random_batches(), validation_steps = 1)
  })
  expect_true(all(is.finite(unlist(history$metrics))))
  seen <- reticulate::py_to_r(noting$seen)
  expect_length(seen, 2)
  for (one in seen) {
    expect_identical(one[[1]], "mixed_float16")
    expect_match(one[[2]], "CPU:0")
    expect_match(one[[3]], "^fitgenerator-feeder")
  }
})

test_that("A3: a model made in the scope of a strategy with one replica trains from closures", {
  strategies <- reticulate::import("tensorflow")$distribute
  batches <- lapply(c(4, 4, 3), function(rows) random_batches(rows)())
  run <- function(model) {
    train(model, cycling(batches), 3, epochs = 4, validation_data = cycling(batches), validation_steps = 3)$metrics
  }
  expected <- run(linear_model())
  for (strategy in list(strategies$MirroredStrategy(list("cpu:0")), strategies$OneDeviceStrategy("cpu:0"))) {
    with(strategy$scope(), model <- linear_model())
    found <- run(model)
    expect_length(found$val_loss, 4)
    expect_equal(found, expected, tolerance = 1e-5)
  }
})

test_that("rule 11: no thread, handler, option or search path is changed by a call, nor by one that fails", {
  state <- function() {
    list(our_threads(), interrupt_handlers(), options(), search(), names(.GlobalEnv), getwd(),
         reticulate::import("sys")$getswitchinterval())
  }
  model <- linear_model()
  set.seed(1)
  train(model, random_batches(), 2)
  before <- state()
  expect_match(before[[2]][[1]], "python_interrupt_handler")
  train(model, random_batches(), 2, validation_data = random_batches(), validation_steps = 1)
  expect_equal(state(), before)
  try(train(model, function() stop("no"), 2), silent = TRUE)
  fails <- list(on_epoch_end = function(epoch, logs) stop("no"))
  try(train(model, random_batches(), 2, callbacks = fails), silent = TRUE)
  try(train(model, random_batches(), 2, epochs = -1), silent = TRUE)
  tryCatch(train(model, function() message("out"), 2), message = function(cnd) NULL)
  expect_equal(state(), before)
})

test_that("rule 11: a generator that is in the middle of a batch when the call ends is waited for", {
  reticulate::py_run_string(paste(
    "import time, numpy as np",
    "def fitgenerator_test_slow():",
    "    yield np.ones((2, 1)), np.ones((2, 1))",
    "    while True:",
    "        time.sleep(1)",
    "        yield np.ones((2, 1)), np.ones((2, 1))",
    sep = "\n"
  ))
  model <- linear_model()
  fails <- list(on_train_batch_end = function(batch, logs) stop("no"))
  expect_error(train(model, reticulate::py$fitgenerator_test_slow(), 5, callbacks = fails), "no")
  expect_clean(model)
})

test_that("M2: R arrays that were handed over are released on R's thread", {
  released <- 0
  off_thread <- 0
  note <- function(e) {
    released <<- released + 1
    if (current_thread() != "MainThread") off_thread <<- off_thread + 1
  }
  marked <- function() {
    mark <- new.env()
    reg.finalizer(mark, note)
    list(structure(matrix(1, 2, 1), mark = mark), c(0, 0))
  }
  large <- function() list(matrix(1, 64, 2048), rep(0, 64))
  model <- linear_model(2048)
  train(model, large, 20)
  before <- gc()["Vcells", 1]
  train(echo_model(), marked, 20, epochs = 2, validation_data = marked, validation_steps = 2)
  train(model, large, 200)
  expect_lt(gc()["Vcells", 1] - before, 2 * 64 * 2048)
  expect_equal(c(released, off_thread), c(44, 0))
})

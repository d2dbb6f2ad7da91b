# Which thread runs what, in which order, how far ahead; and what is left afterwards.

skip_without_keras()

mse <- function(y, p) keras()$ops$mean(keras()$ops$square(y - p), axis = -1L)

test_that("rule 3: R losses, metrics and layers are traced on the calling thread, once", {
  threads <- list()
  note <- function(what) threads[[what]] <<- c(threads[[what]], current_thread())
  loss <- function(y, p) { note("loss"); mse(y, p) }
  metric <- function(y_true, y_pred) { note("metric"); keras()$ops$mean(y_pred) }
  layers <- keras()$layers
  model <- keras()$Sequential(list(
    layers$Input(list(1L)), layers$Lambda(function(x) { note("layer"); 2 * x }), layers$Dense(1L)
  ))
  model$compile("sgd", loss, metrics = list(metric))
  threads <- list()
  uneven <- cycling(lapply(c(4, 4, 3), function(rows) random_batches(rows)()))
  train(model, uneven, 3, epochs = 3, validation_data = uneven, validation_steps = 3)
  for (what in c("loss", "metric", "layer")) expect_identical(unique(threads[[what]]), "MainThread")
  counts <- lengths(threads)
  # Keras runs them once more to build the model, for training and for testing alike.
  expect_true(all(counts <= 4))
  train(model, uneven, 3, epochs = 2, validation_data = uneven, validation_steps = 3)
  evaluate_generator(model, uneven, 3)
  expect_identical(lengths(threads), counts)
})

test_that("rule 3: an R loss gives the numbers of Keras's own, in training and validation", {
  batches <- lapply(c(4, 4, 3), function(rows) random_batches(rows)())
  run <- function(loss, ...) {
    model <- linear_model(loss = loss, ...)
    train(model, cycling(batches), 3, epochs = 2, validation_data = cycling(batches),
          validation_steps = 3)$metrics
  }
  expect_equal(run(mse), run("mse"), tolerance = 1e-6)
  expect_equal(run(mse, run_eagerly = TRUE), run("mse"), tolerance = 1e-6)
})

test_that("rule 3: a layer class made in R trains", {
  scale_class <- reticulate::PyClass("FitgeneratorTestScale", inherit = keras()$layers$Layer, defs = list(
    build = function(self, shape) {
      self$factor <- self$add_weight(shape = list(), initializer = "ones", name = "factor")
      NULL
    },
    call = function(self, x) x * self$factor
  ))
  model <- keras()$Sequential(list(keras()$layers$Input(list(1L)), scale_class()))
  model$compile(keras()$optimizers$SGD(0.1), "mse")
  generator <- function() list(matrix(1, 2), matrix(3, 2))
  train(model, generator, 1)
  expect_equal(weights_of(model), list(1 + 0.1 * 2 * 2), tolerance = 1e-6)
  train(model, generator, 30, epochs = 2, validation_data = generator, validation_steps = 1)
  expect_equal(weights_of(model), list(3), tolerance = 1e-4)
})

test_that("rule 3: a loss with an R function in tf$py_function does not deadlock", {
  done <- run_r(quote({
    tf <- reticulate::import("tensorflow")
    calls <- 0
    ones <- function(y) { calls <<- calls + 1; tf$ones_like(y) }
    loss <- function(y, p) {
      result <- tf$py_function(ones, list(y), tf$float32)
      result$set_shape(p$shape)
      tf$reduce_mean(result * tf$square(y - p), axis = -1L)
    }
    for (size in c(0, 10)) {
      model <- linear_model(loss = loss)
      history <- train(model, random_batches(), 5, epochs = 2, max_queue_size = size,
                       validation_data = random_batches(), validation_steps = 2)
      stopifnot(length(history$metrics$val_loss) == 2, length(our_threads()) == 0)
    }
    cat("called", calls, "\n")
  }), timeout = 90)
  expect_process(done, "called 28")
})

test_that("rule 4: a closure, R hooks and R functions in Keras's callbacks run on the calling thread", {
  threads <- NULL
  note <- function(...) threads <<- c(threads, current_thread())
  lambda <- keras()$callbacks$LambdaCallback(on_train_batch_end = note, on_epoch_end = note)
  closure <- function() { note(); random_batches()() }
  train(linear_model(), closure, 3, epochs = 2, callbacks = list(lambda, list(on_train_batch_begin = note)),
        validation_data = closure, validation_steps = 2)
  expect_identical(unique(threads), "MainThread")
  expect_length(threads, 6 + 4 + 6 + 6 + 2)
})

test_that("rule 6: the lead is never above max_queue_size + 1", {
  for (size in c(0, 1, 3, 10)) {
    pulled <- begun <- lead <- 0
    instant <- function() {
      pulled <<- pulled + 1
      lead <<- max(lead, pulled - begun)
      list(matrix(1), matrix(1))
    }
    model <- linear_model()
    # The step begins after this hook; until then its batch counts.
    train(model, instant, 30, epochs = 2, max_queue_size = size, callbacks = list(
      on_train_batch_end = function(batch, logs) begun <<- begun + 1
    ))
    expect_lte(lead, size + 2)
    expect_identical(c(pulled, begun), c(60, 60))
  }
})

test_that("A5: an instant closure runs no further ahead of slow steps, and says nothing", {
  slow <- function(y, p) {
    tf <- reticulate::import("tensorflow")
    wait <- reticulate::py_eval("lambda y: __import__('time').sleep(0.01) or y")
    waited <- tf$numpy_function(wait, list(y), tf$float32)
    waited$set_shape(p$shape)
    mse(waited, p)
  }
  model <- linear_model(rate = 0, loss = slow)
  pulled <- 0
  lead <- 0
  instant <- function() {
    pulled <<- pulled + 1
    lead <<- max(lead, pulled - iterations_of(model))
    list(matrix(1), matrix(1))
  }
  expect_silent(train(model, instant, 300, max_queue_size = 3))
  expect_equal(pulled, 300)
  expect_gte(lead, 4)
  # The count of iterations goes up when a step ends: one more may have begun.
  expect_lte(lead, 5)
})

test_that("rule 7: training batches are drawn before validation batches", {
  order <- NULL
  drawing <- function(what) function() { order <<- c(order, what); list(matrix(1), matrix(1)) }
  train(linear_model(), drawing("t"), 6, epochs = 2, max_queue_size = 10, validation_data = drawing("v"),
        validation_steps = 3)
  drawn <- function(n, what) which(order == what)[[n]]
  # All of an epoch's training batches fit the queue: its validation batches come after them, and no later
  # than the validation needs them.
  expect_lt(drawn(6, "t"), drawn(1, "v"))
  expect_identical(as.vector(table(order)), c(12L, 6L))
  order <- NULL
  train(linear_model(), drawing("t"), 6, epochs = 2, max_queue_size = 0, validation_data = drawing("v"),
        validation_steps = 3)
  expect_identical(order, rep(rep(c("t", "v"), c(6, 3)), 2))
})

test_that("rule 9: a closure may fill the same matrix for every batch", {
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
  own <- reticulate::import_from_path("fitgenerator.rseam", path, convert = FALSE)$`_own`
  np <- reticulate::import("numpy")
  for (x in list(matrix(1:6, 2), matrix(1:6 + 0, 2), matrix(c(TRUE, FALSE), 2, 3), matrix(as.raw(1:6), 2))) {
    view <- reticulate::r_to_py(x)
    copy <- own(view)
    expect_false(np$shares_memory(view, copy))
    expect_true(reticulate::py_to_r(copy$flags$f_contiguous))
  }
  expect_identical(reticulate::py_str(own(reticulate::r_to_py(matrix(1, 2, 2)))$dtype), "float32")
})

test_that("rule 9: what a closure holds is released after the call", {
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

test_that("A4: deep recursion and gc() in a closure, a hook and a Keras callback crash nothing", {
  done <- run_r(quote({
    batch <- random_batches()
    lambda <- keras()$callbacks$LambdaCallback(on_train_batch_end = trapped(function(batch, logs) NULL))
    hooks <- list(on_train_batch_begin = trapped(function(batch, logs) NULL))
    deep <- function() trapped(batch)
    model <- linear_model()
    train(model, deep(), 500, callbacks = list(lambda, hooks), validation_data = deep(),
          validation_steps = 50)
    cat("trained", iterations_of(model), "\n")
  }), timeout = 120)
  expect_process(done, "trained 500")
})

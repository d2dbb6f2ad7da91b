# Which thread runs what, in which order, and how far ahead.

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

test_that("rule 2: R's thread waits outside Python, but not while code of Python's makes batches", {
  skip_on_os("windows")
  slow <- c(
    "import time, numpy", "while True:", "    time.sleep(0.5)", "    yield numpy.ones((2, 1)), numpy.ones((2, 1))"
  )
  made_elsewhere <- batch_sequence(function(i) {
    Sys.sleep(0.5) # nolint: undesirable_function_linter. It takes its time.
    list(matrix(1, 2, 1), matrix(1, 2, 1))
  }, 2L)
  model <- linear_model()
  naps <- 0
  real <- doze
  counting <- function(run) {
    naps <<- naps + 1
    real(run)
  }
  with_replaced(list(doze = counting), "fitgenerator", {
    train(model, python_generator(slow), 2)
    expect_identical(naps, 0)
    train(model, made_elsewhere, 2, workers = 2)
    expect_gt(naps, 0)
  })
})

test_that("rule 9: a Python generator may drop more values of R than Python has pending calls for", {
  dropping <- python_generator(c(
    "import time", "while True:", "    x, y = items.pop(), items.pop()", "    time.sleep(0.005)", "    yield x, y"
  ))
  reticulate::py_set_attr(reticulate::import_main(), "items", reticulate::r_to_py(rep(list(matrix(1, 2, 1)), 500L)))
  begun <- proc.time()[["elapsed"]]
  train(linear_model(), dropping, 200)
  expect_lt(proc.time()[["elapsed"]] - begun, 50) # where reticulate waits for room, it does so for a minute or two
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
  # The count of iterations goes up when a call ends: the 3 batches of another may be in use.
  expect_lte(lead, 7)
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

test_that("A4: deep recursion and gc() in a closure, a hook, a Keras callback and an image flow crash nothing", {
  done <- run_r(quote({
    batch <- random_batches()
    lambda <- keras()$callbacks$LambdaCallback(on_train_batch_end = trapped(function(batch, logs) NULL))
    hooks <- list(on_train_batch_begin = trapped(function(batch, logs) NULL))
    deep <- function() trapped(batch)
    model <- linear_model()
    train(model, deep(), 500, callbacks = list(lambda, hooks), validation_data = deep(),
          validation_steps = 50)
    cat("trained", iterations_of(model), "\n")

    threads <- NULL
    scale <- trapped(function(x) { threads <<- c(threads, current_thread()); x / 255 }, every = 10L)
    images <- image_model()
    for (size in c(0, 10)) train(images, image_flow(preprocessing_function = scale), 10, max_queue_size = size)
    stopifnot(threads == "MainThread")
    cat("preprocessed", length(threads), "\n")
  }), timeout = 120)
  expect_process(done, c("trained 500", "preprocessed 40"))
})

# R code inside a Python source: R's thread runs it as it runs a closure.

skip_without_keras()

python_sources <- function() {
  reticulate::py_run_string(paste(
    "import threading",
    "from concurrent.futures import ThreadPoolExecutor",
    "def fitgenerator_test_calling(function):",
    "    while True:",
    "        yield function()",
    "def fitgenerator_test_reading(iterator):",
    "    yield from iterator",
    "def fitgenerator_test_pool(function):",
    "    with ThreadPoolExecutor(4) as pool:",
    "        while True:",
    "            yield list(pool.map(lambda i: function(), range(4)))[-1]",
    "def fitgenerator_test_beside(function):",
    "    thread = threading.Thread(target=function)",
    "    thread.start()",
    "    while thread.is_alive():",
    "        thread.join(0.01)",
    sep = "\n"
  ))
}

python <- function(name) {
  python_sources()
  reticulate::py_get_attr(reticulate::import_main(), paste0("fitgenerator_test_", name))
}

# The Python sources that a function without arguments can be in, each made by a function of that function.
sources <- list(
  generator = function(fn) python("calling")(fn),
  nested = function(fn) python("reading")(reticulate::py_iterator(fn)),
  pool = function(fn) python("pool")(fn),
  dataset = function(fn) {
    item <- function(self, i) fn()
    of_r <- reticulate::PyClass(
      "FitgeneratorTestOfR", list(`__len__` = function(self) 1000L, `__getitem__` = item), keras()$utils$PyDataset
    )
    of_r()
  }
)

as_tuple <- function(batch) function() do.call(reticulate::tuple, unname(batch()))

seconds_of <- function(code) system.time(code)[["elapsed"]]

test_that("T13: R code in a Python source takes as long as in a closure, not a wait a step", {
  model <- echo_model()
  batch <- as_tuple(numbered())
  train(model, batch, 5)
  closure <- seconds_of(train(model, batch, 300))
  for (name in names(sources)) {
    calls <- if (name == "pool") 4 else 1
    taken <- seconds_of(train(model, sources[[name]](batch), 300))
    expect_lt(taken, calls * (2 * closure + 2)) # a wait of 50 ms for each call would be 12 s or more
  }
})

test_that("T13: it runs in lock-step, too, on whichever thread it is called", {
  model <- echo_model()
  for (make in sources) {
    batch <- as_tuple(numbered(1L))
    expect_length(train(model, make(batch), 3, epochs = 2, max_queue_size = 0)$metrics$loss, 2L)
    expect_identical(nrow(predict_generator(model, make(batch), 3, max_queue_size = 0)), 3L)
  }
})

test_that("T13: it gives the numbers of the closure, in fit, validation, evaluate and predict", {
  model <- echo_model()
  expected <- c(1.5, 3.5)
  for (make in sources[c("generator", "nested", "dataset")]) {
    expect_equal(unlist(train(model, make(as_tuple(numbered())), 2, epochs = 2)$metrics$loss), expected)
    validated <- train(model, numbered(), 2, epochs = 2, validation_steps = 2,
                       validation_data = make(as_tuple(numbered())))
    expect_equal(validated$metrics$val_loss, expected)
    expect_equal(evaluate_generator(model, make(as_tuple(numbered())), 2)[[1]], 1.5)
    expect_equal(as.vector(predict_generator(model, make(as_tuple(numbered())), 2)), c(1, 1, 2, 2))
  }
  expect_equal(train(echo_of("tf_keras"), sources$dataset(as_tuple(numbered())), 2, epochs = 2)$metrics$loss, expected)
})

test_that("T13: its error is an error of the call, whose parent is R's condition", {
  model <- linear_model()
  batch <- as_tuple(random_batches())
  for (make in sources) {
    calls <- 0
    failing <- function() {
      calls <<- calls + 1
      if (calls == 9) stop(errorCondition("nothing more", class = "no_more"))
      batch()
    }
    e <- expect_error(train(model, make(failing), 20), class = "fitgenerator_generator_error")
    expect_s3_class(e, "no_more")
    expect_identical(conditionMessage(e$parent), "nothing more")
    expect_identical(e$place, "generator")
    said <- "failed at batch [0-9]: nothing more(\nIt failed in:\n  R_function\\(\\)\n  fn\\(\\))?$"
    expect_match(conditionMessage(e), paste0("^The code of `generator` ", said))
    expect_clean(model)
  }
  expect_error(evaluate_generator(model, sources$nested(function() stop("nothing")), 2), "failed at batch 1: nothing")
  expect_error(predict_generator(model, sources$generator(function() stop("nothing")), 2), "failed at batch 1: nothing")
  validates <- function(make) {
    train(model, random_batches(), 2, validation_data = make(function() stop("nothing")), validation_steps = 2)
  }
  expect_error(validates(sources$dataset), "The code of `validation_data` failed at batch 1: nothing")
})

test_that("T13: the error of a hook of such a source names the source and no batch", {
  item <- function(self, i) as_tuple(random_batches())()
  of_r <- reticulate::PyClass("FitgeneratorTestEnds", list(
    `__len__` = function(self) 2L, `__getitem__` = item, on_epoch_end = function(self) stop("at the end")
  ), keras()$utils$PyDataset)
  for (epochs in 1:2) {
    e <- expect_error(train(linear_model(), of_r(), NULL, epochs = epochs), class = "fitgenerator_generator_error")
    expect_identical(conditionMessage(e), "The code of `generator` failed: at the end")
    expect_identical(e$place, "generator")
    expect_null(e$batch)
  }
})

test_that("T13: the timeout stops it, and shows where it stands", {
  model <- linear_model()
  slow <- function() Sys.sleep(60) # nolint: undesirable_function_linter. Nothing to wait for: it is to be stopped.
  for (make in sources[c("generator", "dataset")]) {
    calls <- 0
    batch <- as_tuple(random_batches())
    stuck <- function() {
      calls <<- calls + 1
      if (calls == 3) slow()
      batch()
    }
    taken <- seconds_of(e <- expect_error(train(model, make(stuck), 5, timeout = 0.3),
                                          class = "fitgenerator_timeout_error"))
    expect_lt(taken, 10)
    expect_match(conditionMessage(e), "^An R function of a batch took more than 0.3 seconds .* slow\\(\\)\n  Sys.sleep")
    expect_identical(e$batch, 3L)
    expect_clean(model)
  }
  others <- list(
    function(source) evaluate_generator(model, source, 5, timeout = 0.3),
    function(source) predict_generator(model, source, 5, timeout = 0.3),
    function(source) {
      train(model, random_batches(), 2, validation_data = source, validation_steps = 5, timeout = 0.3)
    }
  )
  for (call in others) {
    calls <- 0
    e <- expect_error(call(sources$generator(stuck)), class = "fitgenerator_timeout_error")
    expect_identical(e$batch, 3L)
  }
  expect_clean(model)
})

test_that("T13: a generator that stays in foreign code after its R function is left behind when the call ends", {
  reticulate::py_run_string(paste(
    "import threading, tensorflow as tf",
    "fitgenerator_test_asked, fitgenerator_test_release = threading.Event(), threading.Event()",
    "def fitgenerator_test_staying(function):",
    "    for _ in range(8):",
    "        yield function()",
    "    yield function(), fitgenerator_test_release.wait(60)",
    "def fitgenerator_test_failing(prediction):",
    "    fitgenerator_test_asked.wait(60)",
    "    raise ValueError('mine')",
    "def fitgenerator_test_loss(target, prediction):",
    "    return tf.reshape(tf.numpy_function(fitgenerator_test_failing, [prediction], tf.float32), [1])",
    sep = "\n"
  ))
  release <- python("release")
  on.exit(release$set())
  batch <- as_tuple(random_batches())
  slow <- function() { # the first step fails while call 9 sleeps
    calls <<- calls + 1
    if (calls == 9) python("asked")$set()
    if (calls == 9) Sys.sleep(1) # nolint: undesirable_function_linter. The training is to end meanwhile.
    batch()
  }
  calls <- 0
  taken <- seconds_of(expect_warning(
    expect_error(evaluate_generator(linear_model(loss = python("loss")), python("staying")(slow), 20), "mine"),
    class = "fitgenerator_thread_warning"
  ))
  expect_lt(taken, 30)
})

test_that("T13: an interrupt is taken in it, however it spends its time", {
  for (name in names(sources)) {
    endless <- sources[[name]](function() repeat sqrt(2))
    expect_error(train(linear_model(), endless, 2, timeout = 0.2), class = "fitgenerator_timeout_error")
  }
})

test_that("T13: its arguments are converted as the function asks for", {
  given <- list()
  take <- function(...) {
    given <<- list(...)
    as_tuple(random_batches())()
  }
  reticulate::py_run_string(paste(
    "def fitgenerator_test_arguments(function):",
    "    while True:",
    "        yield function(1, [1.0, 2.0], named='a')",
    sep = "\n"
  ))
  model <- linear_model()
  train(model, python("arguments")(take), 1)
  expect_identical(given, list(1L, c(1, 2), named = "a"))
  train(model, python("arguments")(reticulate::r_to_py(take, convert = FALSE)), 1)
  expect_true(all(vapply(given, inherits, NA, "python.builtin.object")))
})

test_that("T13: R code on a thread that a callback waits for does not wait for the end of the callback", {
  calls <- 0
  count <- function() calls <<- calls + 1
  waiting <- keras()$callbacks$LambdaCallback(on_epoch_end = function(epoch, logs) python("beside")(count))
  train(linear_model(), random_batches(), 2, epochs = 2, callbacks = list(waiting))
  expect_identical(calls, 2)
})

test_that("T13: reticulate's functions are its own again after a call, whatever its end", {
  own <- function() {
    code <- "(__import__('rpycall').schedule_python_function_on_main_thread, __import__('rpytools.thread').thread.%s)"
    names <- c("safe_call_r_function", "schedule_python_function_on_main_thread")
    vapply(names, function(name) reticulate::py_eval(sprintf("str(%s)", sprintf(code, name))), "")
  }
  before <- own()
  model <- linear_model()
  train(model, sources$generator(as_tuple(random_batches())), 2)
  expect_identical(own(), before)
  try(train(model, sources$generator(function() stop("nothing")), 2), silent = TRUE)
  expect_identical(own(), before)
  nested <- function(epoch, logs) train(linear_model(), sources$generator(as_tuple(random_batches())), 2)
  train(model, sources$generator(as_tuple(random_batches())), 2, callbacks = list(list(on_epoch_end = nested)))
  expect_identical(own(), before)
})

# A data set whose map calls an R function, on a thread of TensorFlow's.
mapped <- function(via) {
  tf <- reticulate::import("tensorflow")
  double <- function(x) x * 2
  call <- tf[[via]]
  rows <- tf$data$Dataset$from_tensor_slices(reticulate::tuple(matrix(1:8 + 0, 8), matrix(0, 8, 1)))
  rows$map(function(x, y) {
    x <- call(double, list(x), tf$float64)
    x$set_shape(list(1L))
    reticulate::tuple(x, y)
  })$batch(2L)
}

test_that("T31: no R code of a source runs inside a trace", {
  for (via in c("py_function", "numpy_function")) {
    for (make in list(echo_model, function() {
      model <- keras()$Sequential(list(keras()$layers$Dense(1L, use_bias = FALSE, kernel_initializer = "ones")))
      model$compile(keras()$optimizers$SGD(0), "mae")
      model
    })) {
      h <- train(make(), mapped(via), NULL, epochs = 2, validation_data = mapped(via))
      expect_equal(h$metrics, list(loss = c(9, 9), val_loss = c(9, 9)))
    }
    for (size in c(0, 10)) {
      expect_equal(train(echo_of("tf_keras"), mapped(via), NULL, max_queue_size = size)$metrics$loss, 9)
    }
    expect_equal(evaluate_generator(echo_model(), mapped(via))[[1]], 9)
    expect_equal(as.vector(predict_generator(echo_model(), mapped(via))), 1:8 * 2)
  }
})

test_that("T13: R code on TensorFlow's threads outlives a call within the call that reads them", {
  tf <- reticulate::import("tensorflow")
  batch <- reticulate::import("numpy", convert = FALSE)$ones(reticulate::tuple(2L, 1L), "float32")
  reticulate::py_run_string("import time\ndef fitgenerator_test_nap(i):\n    time.sleep(0.03)\n    return i")
  slow <- function(i) {
    Sys.sleep(0.01) # nolint: undesirable_function_linter. A thread naps, or waits for R, at any time.
    batch
  }
  slowly <- function() {
    options <- tf$data$Options()
    options$threading$private_threadpool_size <- 4L
    tf$data$Dataset$range(200L, output_type = tf$int32)$map(function(i) {
      i <- tf$numpy_function(python("nap"), list(i), tf$int32)
      x <- tf$numpy_function(slow, list(i), tf$float32)
      x$set_shape(reticulate::tuple(2L, 1L))
      reticulate::tuple(x, 0 * x)
    }, num_parallel_calls = 200L)$with_options(options)
  }
  other <- echo_model()
  inner <- list(
    function() predict_generator(other, numbered(), 2), # asks for no R code of its own
    function() evaluate_generator(other, slowly(), 2) # ends while its own is asked for
  )
  for (act in inner) {
    acts <- list(on_train_batch_end = function(batch, logs) if (batch %% 5 == 0) act())
    expect_equal(train(echo_model(), slowly(), 30, callbacks = list(acts))$metrics$loss, 1)
    expect_identical(our_threads(), character())
  }
})

# Python sources through reticulate, and closures that draw from them.

skip_without_keras()

define_sources <- function() {
  reticulate::py_run_string(paste(
    "import keras, numpy as np, threading",
    "def fitgenerator_test_count(seen=None, first=1, last=10**9):",
    "    for k in range(first, last + 1):",
    "        if seen is not None:",
    "            seen.append(threading.current_thread().name)",
    "        yield np.full((2, 1), float(k)), np.zeros((2, 1))",
    "class FitgeneratorTestIndexed(keras.utils.PyDataset):",
    "    ended = 0",
    "    def __len__(self):",
    "        return 4",
    "    def __getitem__(self, i):",
    "        return np.full((2, 1), i + 1.0), np.zeros((2, 1))",
    "    def on_epoch_end(self):",
    "        self.ended += 1",
    sep = "\n"
  ))
}

count_from <- function(...) {
  define_sources()
  reticulate::py_get_attr(reticulate::import_main(), "fitgenerator_test_count")(...)
}

indexed <- function() {
  define_sources()
  reticulate::py_eval("FitgeneratorTestIndexed()", convert = FALSE)
}

dataset <- function(batches = 4) {
  tf <- reticulate::import("tensorflow")
  x <- matrix(rep(seq_len(batches), each = 2) + 0)
  tf$data$Dataset$from_tensor_slices(reticulate::tuple(x, 0 * x))$batch(2L)
}

test_that("L5: a Python generator is read on a thread of ours, exactly as often as needed, and carries on", {
  seen <- reticulate::r_to_py(list())
  generator <- count_from(seen)
  expect_equal(train(echo_model(), generator, 3, epochs = 2)$metrics$loss, c(2, 5))
  expect_equal(evaluate_generator(echo_model(), generator, 2)$loss, 7.5)
  expect_equal(predict_generator(echo_model(), generator, 1), matrix(c(9, 9)))
  threads <- unlist(reticulate::py_to_r(seen))
  expect_length(threads, 9)
  expect_match(threads, "^fitgenerator-feeder")
})

test_that("L5: a Python generator is read on a thread of ours in lock-step, too: it may wait for R's", {
  seen <- reticulate::r_to_py(list())
  train(echo_model(), count_from(seen), 3, max_queue_size = 0)
  threads <- unlist(reticulate::py_to_r(seen))
  expect_length(threads, 3)
  expect_match(threads, "^fitgenerator-feeder")
})

test_that("L5: an indexed source gives one pass an epoch, or goes on where the last epoch ended", {
  for (workers in 0:3) {
    history <- train(echo_model(), indexed(), NULL, epochs = 2, workers = workers)
    expect_equal(history$metrics$loss, c(2.5, 2.5))
    history <- train(echo_model(), indexed(), 3, epochs = 3, workers = workers)
    expect_equal(history$metrics$loss, c(2, 7 / 3, 8 / 3), tolerance = 1e-6)
  }
  history <- train(echo_model(), numbered(), 2, epochs = 2, validation_data = indexed(), validation_steps = 3)
  expect_equal(history$metrics$val_loss, c(2, 2))
  expect_equal(as.vector(predict_generator(echo_model(), indexed(), workers = 3)), rep(1:4, each = 2))
})

test_that("L5: a tf.data data set trains, validates, evaluates and predicts", {
  history <- train(echo_model(), dataset(), NULL, epochs = 2, validation_data = dataset(3))
  expect_equal(history$metrics, list(loss = c(2.5, 2.5), val_loss = c(2, 2)))
  expect_equal(evaluate_generator(echo_model(), dataset())$loss, 2.5)
  expect_equal(as.vector(predict_generator(echo_model(), dataset())), rep(1:4, each = 2))
})

test_that("L5: a Python list of tuples is a list of batches", {
  batches <- lapply(1:3, function(k) reticulate::tuple(matrix(k + 0), matrix(0)))
  expect_equal(train(echo_model(), reticulate::r_to_py(batches), NULL)$metrics$loss, 2)
})

test_that("L4: a closure may draw from Python iterators", {
  generators <- list(count_from(NULL, 1L), count_from(NULL, 11L))
  both <- function() {
    batches <- lapply(generators, reticulate::iter_next)
    list((batches[[1]][[1]] + batches[[2]][[1]]) / 2, batches[[1]][[2]])
  }
  expect_equal(train(echo_model(), both, 100)$metrics$loss, mean(1:100) + 5)
})

test_that("L3: an R function in an image flow is the same as the flow's own scaling, in each kind of call", {
  by_r <- function() image_flow(preprocessing_function = function(x) x / 255)
  by_keras <- function() image_flow(rescale = 1 / 255)
  run <- function(flow) {
    model <- image_model()
    history <- train(model, flow(), NULL, validation_data = flow())
    list(history$metrics, evaluate_generator(model, flow()), predict_generator(model, flow()))
  }
  expect_equal(run(by_r), run(by_keras), tolerance = 1e-6)
})

test_that("A Python generator beside an R closure, each way round", {
  history <- train(echo_model(), count_from(), 3, epochs = 2, validation_data = numbered(),
                   validation_steps = 2)
  expect_equal(history$metrics, list(loss = c(2, 5), val_loss = c(1.5, 3.5)))
  history <- train(echo_model(), numbered(), 3, epochs = 2, validation_data = count_from(),
                   validation_steps = 2)
  expect_equal(history$metrics, list(loss = c(2, 5), val_loss = c(1.5, 3.5)))
})

test_that("rule 12: one Python generator as training and validation data is read by one reader", {
  for (size in c(0, 5)) {
    generator <- count_from()
    history <- train(echo_model(), generator, 3, epochs = 2, validation_data = generator,
                     validation_steps = 2, max_queue_size = size)
    expect_equal(history$metrics, list(loss = c(2, 7), val_loss = c(4.5, 9.5)))
  }
})

test_that("A Python source that ends early warns", {
  expect_warning(history <- train(echo_model(), count_from(NULL, 1L, 5L), 3, epochs = 3),
                 "9 batches were wanted, 5 came", class = "fitgenerator_ended_warning")
  expect_equal(history$metrics$loss, 2)
})

test_that("A Python generator that calls R functions does not deadlock", {
  done <- run_r(quote({
    reticulate::py_run_string("def calling(make):\n    while True:\n        yield tuple(make())")
    calling <- reticulate::py_get_attr(reticulate::import_main(), "calling")
    batch <- random_batches()
    history <- train(linear_model(), calling(function() batch()), 20, epochs = 2, validation_data = batch,
                     validation_steps = 2)
    cat("finished", length(history$epoch), "\n")
  }), timeout = 90)
  expect_process(done, "finished 2")
})

test_that("The first R functions of a session that two threads call, at the same moment, do not deadlock", {
  # reticulate imports a module at the first such call. With Python's lock given up in the midst of that, a second
  # thread would wait for the first while it holds the lock.
  done <- run_r(quote({
    reticulate::py_run_string(paste(
      "import sys, threading, time, numpy as np",
      "class Slow:",
      "    def find_spec(self, name, path, target=None):",
      "        time.sleep(1 if name == 'rpytools.thread' else 0)",
      "sys.meta_path.insert(0, Slow())",
      "both = threading.Barrier(2)",
      "def calling(function):",
      "    both.wait()",
      "    while True:",
      "        yield np.full((2, 1), function()), np.zeros((2, 1))",
      sep = "\n"
    ))
    calling <- reticulate::py_get_attr(reticulate::import_main(), "calling")
    history <- train(linear_model(), calling(function() 1), 3, validation_data = calling(function() 2),
                     validation_steps = 3)
    cat("finished", length(history$epoch), "\n")
  }), timeout = 60)
  expect_process(done, "finished 1")
})

test_that("An R function that reticulate has wrapped is refused in Python with the R function to call", {
  core <- reticulate::import_from_path("fitgenerator", system.file("python", package = "fitgenerator"))
  wrapped <- reticulate::r_to_py(random_batches())
  e <- expect_error(core$fit_generator(linear_model(), wrapped, 2L))
  expect_match(conditionMessage(e), "call the R function fit_generator\\(\\)")
})

# What coro's functions return, by its protocol: a function that returns the end value again and again once it is
# exhausted.
coro_iterator <- function(batches) {
  i <- 0L
  function(close = FALSE) {
    i <<- i + 1L
    if (close || i > length(batches)) as.symbol(".__exhausted__.") else batches[[i]]
  }
}

coro_generator <- function(batches) {
  draw <- coro_iterator(batches)
  structure(function(arg, close = FALSE) draw(close), class = "coro_generator_instance")
}

test_that("A generator of coro is one, although its class does not say that it is a function", {
  batches <- lapply(1:5, function(k) list(matrix(k), matrix(0)))
  for (make in list(coro_generator, coro_iterator)) {
    generator <- make(batches)
    expect_equal(train(echo_model(), generator, 2)$metrics$loss, 1.5)
    history <- train(echo_model(), make(batches), 2, validation_data = generator, validation_steps = 2)
    expect_equal(history$metrics, list(loss = 1.5, val_loss = 3.5))
    expect_warning(evaluate_generator(echo_model(), generator, 3), "3 batches were wanted, 1 came")
  }
})

# Debian does not have coro. If it is installed, its own generators are tested too.
if (nzchar(system.file(package = "coro"))) test_that("Generators of coro itself end, carry on and validate", {
  numbers <- coro::generator(function(last) for (k in seq_len(last)) yield(list(matrix(k), matrix(0))))
  generator <- numbers(5)
  history <- train(echo_model(), generator, 2, validation_data = numbers(3), validation_steps = 3)
  expect_equal(history$metrics, list(loss = 1.5, val_loss = 2))
  expect_warning(history <- train(echo_model(), generator, 2, epochs = 2), class = "fitgenerator_ended_warning")
  expect_equal(history$metrics$loss, 3.5)
  error <- coro::generator(function() { yield(list(matrix(1), matrix(0))); stop("within") })
  expect_error(train(echo_model(), error(), 2), "failed at batch 2: within", class = "fitgenerator_generator_error")
})

test_that("Objects of the package iterators are read until their end", {
  skip_if_not_installed("iterators")
  batches <- lapply(1:5, function(k) list(matrix(k), matrix(0)))
  counter <- iterators::iter(batches)
  history <- train(echo_model(), counter, 2, validation_data = iterators::iter(batches), validation_steps = 3)
  expect_equal(history$metrics, list(loss = 1.5, val_loss = 2))
  expect_equal(train(echo_model(), counter, 2)$metrics$loss, 3.5)
  expect_warning(evaluate_generator(echo_model(), counter, 2), "2 batches were wanted, 1 came")
  by_function <- iterators::iter(numbered())
  expect_equal(as.vector(predict_generator(echo_model(), by_function, 2)), c(1, 1, 2, 2))
  failing <- iterators::iter(function() stop("no more disk"))
  expect_error(train(echo_model(), failing, 1), "no more disk", class = "fitgenerator_generator_error")
})

test_that("L5: a loader with tensors like PyTorch's trains and validates", {
  reticulate::py_run_string(paste(
    "import numpy as np",
    "class FitgeneratorTestTensor:",
    "    def __init__(self, array, ready=False):",
    "        self.array, self.ready, self.shape = array, ready, array.shape",
    "    def detach(self):",
    "        return FitgeneratorTestTensor(self.array)",
    "    def cpu(self):",
    "        return FitgeneratorTestTensor(self.array, True)",
    "    def numpy(self):",
    "        assert self.ready",
    "        return self.array",
    "FitgeneratorTestTensor.__module__ = 'torch'",
    "class FitgeneratorTestLoader:",
    "    def __len__(self):",
    "        return 3",
    "    def __iter__(self):",
    "        for k in range(1, 4):",
    "            yield [FitgeneratorTestTensor(np.full((2, 1), float(k))), FitgeneratorTestTensor(np.zeros((2, 1)))]",
    sep = "\n"
  ))
  loader <- reticulate::py_eval("FitgeneratorTestLoader()", convert = FALSE)
  history <- train(echo_model(), loader, NULL, epochs = 2, validation_data = loader)
  expect_equal(history$metrics, list(loss = c(2, 2), val_loss = c(2, 2)))
})

test_that("T23: a PyDataset says how many threads read it, unless the call does", {
  skip_without_keras()
  made <- reticulate::py_run_string("
import keras, threading, numpy as np
class Files(keras.utils.PyDataset):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.threads = set()
        self.meeting = threading.Barrier(self.workers)
    def __len__(self): return 6
    def __getitem__(self, index):
        self.threads.add(threading.get_ident())
        self.meeting.wait(30)
        return np.ones((2, 1)), np.ones((2, 1))
", local = TRUE)$Files
  count <- function(source) length(reticulate::py_to_r(reticulate::import_builtins()$list(source$threads)))
  for (call in list(
    function(source) train(echo_model(), source, NULL),
    function(source) evaluate_generator(echo_model(), source),
    function(source) predict_generator(echo_model(), source),
    function(source) train(echo_model(), numbered(), 1, validation_data = source)
  )) {
    source <- made(workers = 2L)
    call(source)
    expect_identical(count(source), 2L)
  }
  size <- function(...) train(echo_model(), made(max_queue_size = 3L), NULL, ...)$pipeline$max_queue_size
  expect_equal(size(), 3)
  expect_equal(size(max_queue_size = 10), 10)
  expect_equal(train(echo_model(), numbered(), 1)$pipeline$max_queue_size, 10)
  expect_warning(train(echo_model(), made(use_multiprocessing = TRUE), NULL),
                 "`use_multiprocessing` of a data set has no effect", class = "fitgenerator_former_warning")
})

# What a source of Keras's kind may do from R: change its length (T6), have hooks (T25), and be read with any queue
# (T19).

skip_without_keras()

# A data set made in R that has `step` more batches after each pass, and what was read of it, pass by pass. All rows of
# batch k are k, counted from 0. `parent` is a class of Keras, or NULL for none.
varying <- function(parent, first, step) {
  n <- first
  read <- list(integer())
  class <- reticulate::PyClass("FitgeneratorTestVarying", inherit = parent, defs = list(
    `__len__` = function(self) as.integer(n),
    `__getitem__` = function(self, index) {
      if (index >= n) stop("There is no batch ", index, " of ", n)
      read[[length(read)]] <<- c(read[[length(read)]], as.integer(index))
      reticulate::tuple(matrix(index + 0, 2L, 1L), matrix(0, 2L, 1L))
    },
    on_epoch_end = function(self) {
      n <<- n + step
      read <<- c(read, list(integer()))
      NULL
    }
  ))
  list(source = class(), read = function() read)
}

# The same in Python.
varying_in_python <- function(package, first, step) {
  reticulate::py_run_string(sprintf(paste(
    "import numpy as np, %s",
    "class FitgeneratorTestVarying(%s.utils.Sequence):",
    "    def __init__(self, first, step):",
    "        super().__init__()",
    "        self.n, self.step, self.seen = first, step, [[]]",
    "    def __len__(self): return self.n",
    "    def __getitem__(self, index):",
    "        if index >= self.n: raise IndexError(index)",
    "        self.seen[-1].append(index)",
    "        return np.full((2, 1), float(index)), np.zeros((2, 1))",
    "    def on_epoch_end(self):",
    "        self.n += self.step",
    "        self.seen.append([])",
    sep = "\n"
  ), package, package))
  made <- reticulate::import_main()$FitgeneratorTestVarying(as.integer(first), as.integer(step))
  list(source = made, read = function() lapply(made$seen, as.integer))
}

test_that("T6: a sequence that grows or shrinks in on_epoch_end has the batches that it has then", {
  made <- list(
    function(...) varying(keras()$utils$PyDataset, ...),
    function(...) varying(NULL, ...),
    function(...) varying_in_python("keras", ...),
    function(...) varying_in_python("tf_keras", ...)
  )
  for (make in made) for (workers in c(0, 2)) for (lengths in list(c(2, 4, 6), c(4, 3, 2))) {
    varies <- make(lengths[[1L]], lengths[[2L]] - lengths[[1L]])
    history <- train(echo_model(), varies$source, NULL, 3, workers = workers)
    expect_equal(lapply(varies$read()[1:3], sort), lapply(lengths, function(n) seq_len(n) - 1L))
    expect_equal(history$metrics$loss, (lengths - 1) / 2)
    expect_false(history$incomplete)
  }
})

test_that("T6: so it is with models of Keras 2, in validation and in evaluation", {
  varies <- varying_in_python("tf_keras", 4, -1)
  expect_equal(train(echo_of("tf_keras"), varies$source, NULL, 3)$metrics$loss, c(1.5, 1, 0.5))
  varies <- varying(keras()$utils$PyDataset, 2, 2)
  history <- train(echo_model(), numbered(), 1, 3, validation_data = varies$source)
  expect_equal(history$metrics$val_loss, c(0.5, 1.5, 2.5))
  expect_identical(nrow(predict_generator(echo_model(), varies$source)), 16L)
  expect_equal(evaluate_generator(echo_model(), varies$source)$loss, 4.5)
})

test_that("T6: a sequence that has no batches left ends the training early", {
  varies <- varying(keras()$utils$PyDataset, 2, -1)
  expect_warning(history <- train(echo_model(), varies$source, NULL, 4), "epoch 3",
                 class = "fitgenerator_ended_warning")
  expect_true(history$incomplete)
  expect_equal(history$metrics$loss, c(0.5, 0))
})

test_that("T5: a flow of Keras's own, which shuffles after each pass, has another order in the next call", {
  legacy <- reticulate::import("keras.src.legacy.preprocessing.image")$ImageDataGenerator()
  flow <- legacy$flow(array(1:6 + 0, c(6, 1, 1, 1)), rep(0, 6), batch_size = 2L, seed = 1L)
  layers <- keras()$layers
  model <- keras()$Sequential(list(layers$Input(list(1L, 1L, 1L)), layers$Flatten(), layers$Dense(1L)))
  model$compile("sgd", "mae")
  orders <- lapply(1:5, function(call) {
    train(model, flow, NULL)
    as.integer(flow$index_array)
  })
  for (order in orders) expect_setequal(order, 0:5)
  expect_gt(length(unique(orders)), 1L)
})

test_that("T19: a queue longer than any training takes neither time nor memory", {
  done <- run_r(quote({
    model <- echo_model()
    train(model, numbered(), 2)
    generator <- numbered()
    begun <- proc.time()[["elapsed"]]
    history <- train(model, generator, 3, max_queue_size = 1e9)
    train(model, keras_dataset(rep(list(numbered()()), 4)), NULL, max_queue_size = 1e9, workers = 2)
    evaluate_generator(model, numbered(), 3, max_queue_size = 1e9)
    predict_generator(model, numbered(), 3, max_queue_size = 1e9)
    took <- proc.time()[["elapsed"]] - begun # what is made for each place takes minutes
    cat("calls", calls_of(generator), "queue", history$pipeline$max_queue_size, "prompt", took < 20, "\n")
  }), timeout = 90)
  expect_process(done, "calls 3 queue 1000000000 prompt TRUE")
})

test_that("T25: only a PyDataset is told that a pass begins", {
  told <- character()
  hooked <- function(parent) {
    class <- reticulate::PyClass("FitgeneratorTestHooked", inherit = parent, defs = list(
      `__len__` = function(self) 2L,
      `__getitem__` = function(self, index) reticulate::tuple(matrix(1, 2L, 1L), matrix(0, 2L, 1L)),
      on_epoch_begin = function(self) {
        told <<- c(told, "begin")
        NULL
      },
      on_epoch_end = function(self) {
        told <<- c(told, "end")
        NULL
      }
    ))
    class()
  }
  train(echo_model(), hooked(keras()$utils$PyDataset), NULL, 2)
  expect_identical(told, rep(c("begin", "end"), 2L))
  told <- character()
  for (parent in list(NULL, reticulate::import("tf_keras")$utils$Sequence)) train(echo_model(), hooked(parent), NULL, 2)
  expect_identical(told, rep("end", 4L))
})

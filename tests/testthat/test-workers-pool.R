# Issue 16: R functions in worker processes that the package starts give what they give on R's own thread.

skip_without_workers()

test_that("The history is that of R's own thread, to the bit, for any number of workers and any queue", {
  alone <- losses_of(drawn_batch, NULL)
  for (workers in 2:4) {
    expect_nothing_left(expect_identical(losses_of(drawn_batch, workers), alone))
  }
  for (size in 0:1) expect_identical(losses_of(drawn_batch, 2, max_queue_size = size), alone)
  shuffled <- function(workers, ...) {
    flow <- batch_sequence(drawn_batch, 5, shuffle = TRUE, seed = 3)
    train(linear_model(), flow, NULL, epochs = 3, workers = workers, ...)$metrics
  }
  expect_identical(shuffled(2), shuffled(NULL))
  expect_identical(shuffled(2, initial_epoch = 1), shuffled(1, initial_epoch = 1))
})

test_that("Each batch is made once, in another process, and workers are no more than batches can be on their way", {
  folder <- seen_folder()
  note <- function(i) {
    file.create(file.path(folder, sprintf("%d-%d", i, Sys.getpid())))
    list(matrix(i, 2L, 1L), matrix(0, 2L, 1L))
  }
  history <- train(echo_model(), batch_sequence(note, 8, seed = 1), NULL, workers = 3)
  expect_equal(history$metrics$loss, 4.5)
  made <- do.call(rbind, strsplit(list.files(folder), "-"))
  expect_identical(sort(as.integer(made[, 1L])), 1:8)
  expect_false(Sys.getpid() %in% made[, 2L])
  unlink(list.files(folder, full.names = TRUE))
  train(echo_model(), batch_sequence(note, 8, seed = 1), NULL, workers = 4, max_queue_size = 1)
  expect_length(unique(sub(".*-", "", list.files(folder))), 1L)
})

test_that("Training and validation share one pool; evaluation and prediction have theirs", {
  unseen <- batch_sequence(function(i) list(matrix(rnorm(4) * i, 4L), matrix(0, 4L, 1L)), 3, seed = 2)
  alone <- losses_of(drawn_batch, NULL, validation_data = unseen)
  count <- NULL
  counting <- list(on_epoch_end = function(epoch, logs) count <<- length(descendants()))
  before <- length(descendants())
  both <- losses_of(drawn_batch, 2, validation_data = unseen, callbacks = list(counting))
  expect_identical(both, alone)
  expect_identical(count - before, 2L)
  expect_identical(evaluate_generator(linear_model(), unseen, workers = 2), evaluate_generator(linear_model(), unseen))
  expect_identical(predict_generator(linear_model(), unseen, workers = 2), predict_generator(linear_model(), unseen))
  # Arrays, and functions without a number, are read as ever, beside it.
  fixed <- list(matrix(1, 4L), matrix(0, 4L))
  with_arrays <- function(workers) losses_of(drawn_batch, workers, validation_data = fixed)
  expect_identical(with_arrays(2), with_arrays(1))
})

test_that("Each worker has a lane, and the verdict names `workers` where the generator limits", {
  slow <- function(i) {
    Sys.sleep(0.1) # nolint: undesirable_function_linter. It is to limit.
    list(matrix(0, 1L), matrix(0, 1L))
  }
  trained <- function(...) train(echo_model(), batch_sequence(slow, 20), NULL, ...)$pipeline
  x <- trained(workers = 2)
  made <- x$timeline[x$timeline$what == "generator", ]
  expect_setequal(made$lane, c("worker 1", "worker 2"))
  expect_setequal(names(x$workers), made$lane)
  expect_equal(sum(x$workers), x$generator)
  expect_match(x$verdict, "for the generator \\(`workers` = 2, busy for [0-9]+ % of it\\)")
  expect_match(trained()$verdict, "for the generator: a batch_sequence\\(\\) with `workers` may help")
})

test_that("on_epoch_end runs on R's thread, between the passes", {
  ended <- NULL
  threads <- NULL
  hook <- function(epoch) {
    ended <<- c(ended, epoch)
    threads <<- c(threads, current_thread())
  }
  flow <- batch_sequence(drawn_batch, 3, seed = 1, on_epoch_end = hook)
  train(linear_model(), flow, NULL, epochs = 3, workers = 2)
  expect_equal(ended, 0:2)
  expect_identical(unique(threads), "MainThread")
  failing <- batch_sequence(drawn_batch, 3, seed = 1, on_epoch_end = function(epoch) stop("in the hook"))
  expect_error(train(linear_model(), failing, NULL, epochs = 2, workers = 2), "in the hook",
               class = "fitgenerator_generator_error")
})

test_that("A sequence without an end: batch i of epoch e follows from seed, e and i, here and in workers", {
  draws <- function() list(matrix(rnorm(4), 4L), matrix(0, 4L, 1L))
  endless <- function(workers, ..., steps = 4) {
    train(linear_model(), batch_sequence(draws, Inf, seed = 1), steps, workers = workers, ...)$metrics$loss
  }
  alone <- endless(NULL, epochs = 4)
  expect_length(unique(alone), 4L)
  expect_identical(endless(3, epochs = 4), alone)
  numbers <- function(workers, ...) {
    flow <- batch_sequence(function(i, epoch) list(matrix(i + 100 * epoch, 2L), matrix(0, 2L)), Inf)
    train(echo_model(), flow, 4, epochs = 3, workers = workers, ...)$metrics
  }
  expect_equal(numbers(1)$loss, 2.5 + 100 * 0:2, tolerance = 1e-6)
  expect_identical(numbers(2), numbers(1))
  expect_equal(numbers(1, initial_epoch = 1)$loss, 2.5 + 100 * 1:2, tolerance = 1e-6)
  flow <- batch_sequence(function(i) list(matrix(i, 2L), matrix(0, 2L)), Inf)
  expect_identical(evaluate_generator(echo_model(), flow, 3)$loss, 2)
  expect_identical(train(echo_model(), flow, 2, validation_data = flow, validation_steps = 4)$metrics$val_loss, 2.5)
  one <- batch_sequence(draws, Inf, seed = 1)
  model <- linear_model()
  twice <- c(train(model, one, 4)$metrics$loss, train(model, one, 4)$metrics$loss)
  expect_identical(twice, endless(NULL, epochs = 2))
  expect_error(train(echo_model(), flow, NULL), "must be given", class = "fitgenerator_argument_error")
  refused <- function(text, ...) {
    expect_error(batch_sequence(draws, Inf, ...), text, class = "fitgenerator_argument_error")
  }
  refused("`shuffle` must not", shuffle = TRUE)
  refused("`on_epoch_end` must not", on_epoch_end = print)
  expect_output(print(flow), "endless")
})

test_that("Random numbers: kinds as in the session; without a seed one is drawn, whatever the timing", {
  on.exit(RNGkind("default", "default", "default"))
  suppressWarnings(RNGkind("Wichmann-Hill", "Box-Muller", "Rounding"))
  odd <- function(i) list(matrix(c(rnorm(3), sample.int(10, 1)), 4L), matrix(0, 4L, 1L))
  expect_identical(losses_of(odd, 2), losses_of(odd, NULL))
  RNGkind("default", "default", "default")
  unseeded <- function(workers, size = 10) {
    set.seed(5)
    found <- losses_of(drawn_batch, workers, seed = NULL, validation_data = batch_sequence(drawn_batch, 2),
                       max_queue_size = size)
    list(found, runif(1))
  }
  expect_identical(unseeded(2), unseeded(3, 2))
  set.seed(6)
  first <- losses_of(drawn_batch, 2, seed = NULL)
  expect_false(identical(losses_of(drawn_batch, 2, seed = NULL), first))
})

test_that("Every kind of batch arrives as it does from R's own thread", {
  shapes <- list(
    doubles = array(c(1.1, NA, Inf, -0.3), c(2, 2, 1)), integers = matrix(1:4, 2L), flags = matrix(c(TRUE, FALSE), 2L),
    bytes = matrix(as.raw(1:4), 2L), texts = matrix(c("a", "\u00e4\u20ac"), 2L), kinds = factor(c("u", "v")),
    vector = c(0.5, 2), frame = data.frame(a = 1:2, b = c(0.5, 1)), column = matrix(numeric(2), 2L)
  )
  if (requireNamespace("Matrix", quietly = TRUE)) shapes$sparse <- Matrix::Matrix(c(0, 1.5, 0, 2), 2L, sparse = TRUE)
  layers <- keras()$layers
  reticulate::py_run_string(paste(
    "import keras, tensorflow as tf",
    "class FitgeneratorTestSeen(keras.Model):",
    "    def __init__(self):",
    "        super().__init__()",
    "        self.seen = []",
    "    def predict_step(self, batch):",
    "        flat = lambda t: (t.dtype.name, t.shape.as_list(), str(t.numpy() if hasattr(t, 'numpy') else t))",
    "        self.seen.append(str(tf.nest.map_structure(flat, batch)))",
    "        return tf.zeros((2, 1))",
    sep = "\n"
  ))
  seen <- function(workers) {
    model <- reticulate::py_eval("FitgeneratorTestSeen()")
    model$compile(run_eagerly = TRUE)
    flow <- batch_sequence(function(i) list(shapes, list(shapes$vector)), 2, seed = 1)
    predict_generator(model, flow, workers = workers)
    reticulate::py_str(model$seen)
  }
  expect_message(shared <- seen(2), NA) # a package that a worker loads, such as Matrix, is not told of
  expect_identical(shared, seen(NULL))
})

test_that("Doubles of R become the model's type of numbers, with and without this package in the worker", {
  wide <- function(i) list(matrix(c(1 / 3, 1e-45, 1e39, pi), 4L) * i, matrix(0, 4L, 1L))
  expect_identical(losses_of(wide, 2), losses_of(wide, NULL))
  local_unlinked(expect_identical(losses_of(wide, 2), losses_of(wide, NULL)))
  keras()$config$set_floatx("float64")
  on.exit(keras()$config$set_floatx("float32"))
  narrow <- function(i) list(matrix(c(1 / 3, 2, pi, 1), 4L) * i, matrix(0, 4L, 1L))
  expect_identical(losses_of(narrow, 2), losses_of(narrow, NULL))
})

test_that("The lead stays within the queue: workers ask only with a permit", {
  folder <- seen_folder()
  note <- function(i) {
    file.create(file.path(folder, i))
    list(matrix(i, 2L, 1L), matrix(0, 2L, 1L))
  }
  leads <- NULL
  count <- list(on_train_batch_end = function(batch, logs) leads <<- c(leads, length(list.files(folder)) - (batch + 1)))
  flow <- batch_sequence(note, 60, seed = 1)
  train(echo_model(), flow, NULL, workers = 3, max_queue_size = 4, callbacks = list(count))
  expect_length(leads, 60L)
  expect_lte(max(leads), 5)
})

# Tiny models, generators with traps, and R processes of their own. Also sourced by the scripts that run_r()
# runs.

skip_without_keras <- function() {
  available <- tryCatch(fitgenerator:::has_keras(), error = function(e) FALSE)
  testthat::skip_if_not(available, "TensorFlow and Keras")
}

keras <- function() reticulate::import("keras")

# A model without a bias whose weights all start at `weight`: for one input its loss has a closed form.
linear_model <- function(inputs = 1L, outputs = 1L, rate = 0.1, loss = "mse", weight = 1, ...) {
  layers <- keras()$layers
  start <- keras()$initializers$Constant(weight)
  layer <- layers$Dense(as.integer(outputs), use_bias = FALSE, kernel_initializer = start)
  model <- keras()$Sequential(list(layers$Input(list(as.integer(inputs))), layer))
  model$compile(optimizer = keras()$optimizers$SGD(rate), loss = loss, ...)
  model
}

# A model that never changes and whose loss with targets 0 is the mean of the inputs, and so shows which batches came.
echo_model <- function(...) linear_model(rate = 0, loss = "mae", ...)

# The same of either Keras ("keras", "tf_keras"): its loss, on targets 0, is the mean of the inputs.
echo_of <- function(package) {
  layers <- reticulate::import(package)$layers
  dense <- layers$Dense(1L, use_bias = FALSE, kernel_initializer = "ones")
  model <- reticulate::import(package)$Sequential(list(layers$InputLayer(list(1L)), dense))
  model$compile(reticulate::import(package)$optimizers$SGD(0), "mae")
  model
}

# A generator whose batch k is `rows` rows of k, with targets 0.
numbered <- function(rows = 2L) {
  calls <- 0
  function() {
    calls <<- calls + 1
    list(matrix(calls, rows, 1L), matrix(0, rows, 1L))
  }
}

calls_of <- function(generator) environment(generator)$calls

# A generator of random batches of `inputs` columns and targets that a linear model can learn.
random_batches <- function(rows = 4L, inputs = 1L) {
  function() {
    x <- matrix(stats::rnorm(rows * inputs), rows)
    list(x, x %*% rep(2, inputs))
  }
}

# A flow of eight images of 4 x 4, in batches of two, as Keras's image generator makes it.
image_flow <- function(...) {
  generator <- reticulate::import("keras.src.legacy.preprocessing.image")$ImageDataGenerator(...)
  generator$flow(array(1:128 + 0, c(8, 4, 4, 1)), rep(0, 8), batch_size = 2L, shuffle = FALSE)
}

# A model of such images that never changes, and whose loss, on targets 0, is the sum over an image.
image_model <- function() {
  layers <- keras()$layers
  dense <- layers$Dense(1L, use_bias = FALSE, kernel_initializer = "ones")
  model <- keras()$Sequential(list(layers$Input(list(4L, 4L, 1L)), layers$Flatten(), dense))
  model$compile(keras()$optimizers$SGD(0), "mae")
  model
}

# A generator that returns `batches` in order, again and again.
cycling <- function(batches) {
  i <- 0L
  function() {
    i <<- i %% length(batches) + 1L
    batches[[i]]
  }
}

# Wraps a function with what crashes R on another thread: deep recursion in each call, gc() in every `every`-th call.
trapped <- function(fn, every = 100L) {
  calls <- 0L
  deep <- function(n) if (n == 0L) 0L else deep(n - 1L)
  function(...) {
    calls <<- calls + 1L
    deep(200L)
    if (calls %% every == 1L) gc()
    fn(...)
  }
}

# The class of keras 2.16 that its users' callbacks inherit from: hooks that do nothing, and `set_context`.
keras_callback <- function(name, ..., parent = parent.frame()) {
  testthat::skip_if_not_installed("R6")
  none <- stats::setNames(lapply(fitgenerator:::hook_names, function(hook) {
    if (grepl("epoch|batch", hook)) function(batch, logs = NULL) {} else function(logs = NULL) {}
  }), fitgenerator:::hook_names)
  set_context <- function(params = NULL, model = NULL) {
    self$params <- params
    self$model <- model
  }
  base <- R6::R6Class("KerasCallback", public = c(list(params = NULL, model = NULL, set_context = set_context), none))
  parent <- list2env(list(base = base), parent = parent)
  R6::R6Class(name, inherit = base, public = list(...), parent_env = parent)$new()
}

train <- function(model, generator, steps_per_epoch = 2, ..., verbose = 0) {
  fitgenerator::fit_generator(model, generator, steps_per_epoch, ..., verbose = verbose)
}

weights_of <- function(model) lapply(model$get_weights(), as.vector)

iterations_of <- function(model) as.numeric(model$optimizer$iterations$numpy())

thread_names <- function() {
  vapply(reticulate::import("threading")$enumerate(), function(thread) thread$name, "")
}

our_threads <- function() {
  names <- thread_names()
  names[startsWith(names, "fitgenerator")]
}

current_thread <- function() reticulate::import("threading")$current_thread()$name

# The handlers of SIGINT, Python's and C's.
interrupt_handlers <- function() {
  reticulate::py_run_string(paste(
    "import ctypes, signal",
    "def fitgenerator_test_handlers():",
    "    ctypes.pythonapi.PyOS_getsig.restype = ctypes.c_void_p",
    "    return [str(signal.getsignal(signal.SIGINT)), str(ctypes.pythonapi.PyOS_getsig(signal.SIGINT))]",
    sep = "\n"
  ))
  unlist(reticulate::py_get_attr(reticulate::import_main(), "fitgenerator_test_handlers")())
}

# Expects that nothing remains of the call, and that the model can be trained on.
expect_clean <- function(model) {
  testthat::expect_identical(our_threads(), character())
  before <- iterations_of(model)
  shape <- unlist(reticulate::py_to_r(model$input_shape)[-1])
  train(model, random_batches(inputs = shape), 2)
  testthat::expect_identical(iterations_of(model) - before, 2)
}

# The batches as a Keras data set, for comparisons with `model$fit()`.
keras_dataset <- function(batches) {
  reticulate::py_run_string(paste(
    "import keras, numpy as np",
    "class FitgeneratorTestBatches(keras.utils.PyDataset):",
    "    def __init__(self, batches):",
    "        super().__init__()",
    "        self.batches = [tuple(np.array(p) for p in b) for b in batches]",
    "    def __len__(self):",
    "        return len(self.batches)",
    "    def __getitem__(self, i):",
    "        return self.batches[i]",
    sep = "\n"
  ), convert = FALSE)
  make <- reticulate::py_eval("FitgeneratorTestBatches", convert = FALSE)
  make(lapply(batches, unname))
}

# Sends this process what a terminal sends on Ctrl-C. On Windows, pskill() would end it.
press_ctrl_c <- function() {
  if (.Platform$OS.type == "windows") return(invisible(reticulate::import("signal")$raise_signal(2L)))
  tools::pskill(Sys.getpid(), tools::SIGINT)
}

# Runs the code in an R process of its own, for what can hang: `code` is an expression in braces, or lines.
run_r <- function(code, timeout = 60, args = NULL) {
  script <- tempfile(fileext = ".R")
  on.exit(unlink(script))
  helper <- normalizePath(testthat::test_path("helper-models.R"), "/")
  lines <- if (is.character(code)) code else deparse(code, width.cutoff = 100L)
  writeLines(c("library(fitgenerator)", sprintf("source(\"%s\")", helper), lines), script)
  run_script(script, timeout, args)
}

# A list of `status`, `stdout`, `stderr`, `timeout` (whether it ran out) and `seconds`.
run_script <- function(script, timeout = 60, args = NULL) {
  testthat::skip_if_not_installed("callr")
  env <- c(callr::rcmd_safe_env(), TF_CPP_MIN_LOG_LEVEL = "3", TF_ENABLE_ONEDNN_OPTS = "0")
  begun <- Sys.time()
  done <- callr::rscript(
    script, args, timeout = timeout, fail_on_status = FALSE, show = FALSE, env = env, echo = FALSE
  )
  done$seconds <- as.numeric(difftime(Sys.time(), begun, units = "secs"))
  done
}

# Fails with what the process said unless it ended well and its output matches all of `patterns`.
expect_process <- function(done, patterns = character()) {
  said <- paste0("stdout:\n", done$stdout, "\nstderr:\n", done$stderr)
  testthat::expect_false(isTRUE(done$timeout), info = said)
  testthat::expect_identical(done$status, 0L, info = said)
  for (pattern in patterns) testthat::expect_match(done$stdout, pattern, info = said)
}

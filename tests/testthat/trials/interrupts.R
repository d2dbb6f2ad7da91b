# Interrupts a running call again and again and says what became of each signal. A process of its own:
#
#   Rscript interrupts.R SETTING TRIALS
#
# prints a line for each trial, "arrived", "lost", "error", "thread" (one was left) or "broken" (the model
# does not train any more), with the seconds from the signal to the caller's handler and what else there is to
# say. bench/endurance/interrupts.R runs all settings and makes a table of them; test-promise-interrupts.R runs some
# trials of each.

library(fitgenerator)
keras <- reticulate::import("keras")
threading <- reticulate::import("threading")

# A signal that has not arrived after so many seconds is lost: then the generator ends and with it the call.
patience <- 8
# The longest time from the start of a call to its signal, in seconds.
latest <- 1.2

compiled <- function(loss = "mse", inputs = 4L, metrics = NULL, ...) {
  layers <- keras$layers
  model <- keras$Sequential(list(layers$Input(list(inputs)), layers$Dense(8L, "relu"), layers$Dense(1L)))
  model$compile(optimizer = "sgd", loss = loss, metrics = metrics, ...)
  model
}

mse <- function(y, p) keras$ops$mean(keras$ops$square(y - p), axis = -1L)

# A closure that ends when the patience does.
patient <- function(batch) {
  start <- Sys.time()
  function() if (difftime(Sys.time(), start, units = "secs") > patience + latest) NULL else batch()
}

matrices <- function() {
  x <- matrix(runif(128), 32)
  list(x, matrix(rowSums(x)))
}

frames <- function() {
  x <- data.frame(a = runif(32), b = runif(32), c = 1:32, d = 0)
  list(x, factor(sample(c("no", "yes"), 32, TRUE), c("no", "yes")))
}

tuples <- function() do.call(reticulate::tuple, matrices())

# Trains until it is stopped.
train <- function(model, batch = matrices, ...) {
  fit_generator(model, patient(batch), steps_per_epoch = 50, epochs = 1e5, verbose = 0, ...)
}

# A loss that takes a while to trace, in many short calls of Python.
slow_loss <- function(y, p) {
  start <- Sys.time()
  while (difftime(Sys.time(), start, units = "secs") < 0.3) keras$config$epsilon()
  mse(y, p)
}

# The model is compiled, and so traced, anew each time, so that the signal comes while R code runs inside
# TensorFlow's. Not during compile(): there, outside of our calls, Python may swallow a KeyboardInterrupt.
train_untraced <- function(model) {
  start <- Sys.time()
  while (difftime(Sys.time(), start, units = "secs") < patience) {
    suspendInterrupts(model$compile(optimizer = "sgd", loss = slow_loss))
    fit_generator(model, matrices, 1, verbose = 0)
  }
}

of_images <- function() {
  layers <- keras$layers
  model <- keras$Sequential(list(layers$Input(list(2L, 2L, 1L)), layers$Flatten(), layers$Dense(1L)))
  model$compile(optimizer = "sgd", loss = "mse")
  model
}

images <- function(n = 8) list(array(runif(4 * n), c(n, 2, 2, 1)), runif(n))

flow_of <- function(fn) {
  ends(Sys.time() + patience + latest)
  batch <- images(64)
  generator <- image_data_generator(preprocessing_function = fn)
  flow_images_from_data(batch[[1]], batch[[2]], generator, batch_size = 8)
}

ends <- local({
  time <- NULL
  function(new = time) time <<- new
})

patience_lasts <- function() if (Sys.time() > ends()) stop("the signal is lost")

hooked <- function() keras$callbacks$LambdaCallback(on_train_batch_end = function(batch, logs) Sys.time())

# Each: `model` makes the model of all trials, `run` is what gets interrupted.
settings <- list(
  matrices = list(model = compiled, run = train),
  frames = list(
    model = function() compiled("binary_crossentropy"),
    run = function(model) train(model, frames)
  ),
  sparse = list(model = compiled, run = function(model) {
    train(model, function() {
      x <- Matrix::rsparsematrix(32, 4, 0.5)
      list(x, Matrix::rowSums(x))
    })
  }),
  knits = list(model = compiled, run = function(model) {
    knitr::knit(text = c("```{r}", "train(model)", "```"), envir = environment(), quiet = TRUE)
  }),
  lambda = list(model = compiled, run = function(model) train(model, callbacks = list(hooked()))),
  predicts = list(model = compiled, run = function(model) {
    train(model, function() {
      batch <- matrices()
      list(batch[[1]], 0 * model$predict_on_batch(batch[[1]]))
    })
  }),
  traces = list(model = compiled, run = train_untraced),
  sleeps = list(model = compiled, run = function(model) {
    train(model, function() {
      Sys.sleep(5) # nolint: undesirable_function_linter. Nothing to wait for: it is to be interrupted.
      matrices()
    })
  }),
  hooks = list(model = compiled, run = function(model) {
    train(model, callbacks = list(on_train_batch_end = function(batch, logs) model$count_params()))
  }),
  validates = list(model = compiled, run = function(model) {
    train(model, validation_data = patient(matrices), validation_steps = 20)
  }),
  evaluates = list(model = compiled, run = function(model) {
    evaluate_generator(model, patient(matrices), steps = 1e6)
  }),
  images = list(model = of_images, batch = images, run = function(model) {
    flow <- flow_of(function(x) {
      patience_lasts()
      x / sqrt(length(x))
    })
    fit_generator(model, flow, 50, 1e5, workers = 2, verbose = 0)
  }),
  draws = list(model = compiled, run = function(model) {
    generator_next(flow_of(function(x) repeat patience_lasts()))
  }),
  lockstep = list(model = compiled, run = function(model) train(model, max_queue_size = 0)),
  python = list(model = compiled, run = function(model) {
    endless <- reticulate::py_eval("__import__('itertools').repeat")
    batch <- lapply(matrices(), reticulate::r_to_py)
    fit_generator(model, endless(reticulate::tuple(batch)), 50, 1e5, verbose = 0)
  })
)

# Python sources that hold R code.
settings <- c(settings, list(
  iterator = list(model = compiled, batch = tuples, run = function(model) train_on(model, reticulate::py_iterator)),
  calls = list(model = compiled, batch = tuples, run = function(model) train_on(model, calling)),
  dataset = list(model = compiled, batch = tuples, run = function(model) train_on(model, dataset_of)),
  evaluated = list(model = compiled, batch = tuples, run = function(model) {
    evaluate_generator(model, calling(as_tuples(patient(matrices))), steps = 1e6)
  }),
  predicted = list(model = compiled, batch = tuples, run = function(model) {
    predict_generator(model, calling(as_tuples(patient(matrices))), steps = 1e6)
  }),
  naps = list(model = compiled, batch = tuples, run = function(model) train_on(model, dataset_of, 0.3)),
  rests = list(model = compiled, run = function(model) {
    reticulate::py_run_string(paste(
      "import time", "def fitgenerator_resting(batch):", "    while True:", "        time.sleep(0.4)",
      "        yield batch", sep = "\n"
    ))
    resting <- reticulate::py_get_attr(reticulate::import_main(), "fitgenerator_resting")
    batch <- lapply(matrices(), reticulate::r_to_py)
    fit_generator(model, resting(reticulate::tuple(batch)), 50, 1e5, verbose = 0)
  })
))

train_on <- function(model, source, seconds = 0) {
  batch <- function() {
    if (seconds) Sys.sleep(seconds) # nolint: undesirable_function_linter. It is to be interrupted.
    matrices()
  }
  fit_generator(model, source(as_tuples(patient(batch))), 50, epochs = 1e5, verbose = 0)
}

as_tuples <- function(batch) function() if (!is.null(lists <- batch())) do.call(reticulate::tuple, lists)

reticulate::py_run_string("def fitgenerator_trial(function):\n    while True: yield function()")

calling <- function(fn) reticulate::py_get_attr(reticulate::import_main(), "fitgenerator_trial")(fn)

dataset_of <- function(batch) {
  item <- function(self, i) batch()
  of_r <- reticulate::PyClass(
    "FitgeneratorTrialOfR", list(`__len__` = function(self) 1e6L, `__getitem__` = item), keras$utils$PyDataset
  )
  of_r()
}

# The process that sends the signal writes down when.
interrupt_in <- function(seconds, file) {
  command <- sprintf("sleep %.3f; date +%%s.%%N > %s; kill -INT %d", seconds, file, Sys.getpid())
  system2("sh", c("-c", shQuote(command)), wait = FALSE)
}

ours_alive <- function() {
  names <- vapply(threading$enumerate(), function(thread) thread$name, "")
  names[startsWith(names, "fitgenerator")]
}

still <- function(model, batch = matrices) {
  before <- model$optimizer$iterations$numpy()
  fit_generator(model, batch, 2, verbose = 0)
  identical(as.numeric(model$optimizer$iterations$numpy() - before), 2)
}

# One trial: a list of `outcome`, `seconds` and `note`.
try_once <- function(setting, model) {
  file <- tempfile()
  interrupt_in(runif(1, 0.02, latest), file)
  note <- ""
  outcome <- tryCatch({
    setting$run(model)
    "lost"
  }, interrupt = function(cnd) "arrived", error = function(cnd) {
    note <<- paste(class(cnd)[[1L]], conditionMessage(cnd), sep = ": ")
    "error"
  })
  back <- as.numeric(Sys.time())
  if (outcome == "arrived" && length(ours_alive())) outcome <- "thread"
  trained <- tryCatch(still(model, setting$batch), error = function(cnd) FALSE)
  if (outcome == "arrived" && !trained) outcome <- "broken"
  list(outcome = outcome, seconds = back - as.numeric(readLines(file)), note = note)
}

# XLA compiles the steps of a model once, which nothing can interrupt: before the trials.
compile_steps <- function(name, model, batch) {
  stops <- list(on_epoch_end = function(epoch, logs) model$stop_training <- TRUE)
  fit_generator(model, batch, 50, epochs = 1e3, verbose = 0, callbacks = list(stops))
  if (grepl("^evaluate", name)) evaluate_generator(model, batch, 1e4)
  if (grepl("^predicted", name)) predict_generator(model, batch, 1e4)
}

run_trials <- function(name, trials) {
  setting <- settings[[name]]
  if (is.null(setting$batch)) setting$batch <- matrices
  model <- setting$model()
  compile_steps(name, model, setting$batch)
  stopifnot(still(model, setting$batch))
  for (i in seq_len(trials)) {
    trial <- try_once(setting, model)
    cat(name, trial$outcome, sprintf("%.3f", trial$seconds), gsub("\\s+", " ", trial$note), "\n")
  }
}

args <- commandArgs(trailingOnly = TRUE)
if (identical(args, "list")) writeLines(names(settings)) else run_trials(args[[1L]], as.integer(args[[2L]]))

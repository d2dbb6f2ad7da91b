skip_without_keras()

new_folder <- function() {
  folder <- tempfile()
  dir.create(folder)
  folder
}

# Batches that follow from the number of the epoch, beginning with the given one.
seeded_batches <- function(epoch, steps = 3) {
  step <- 0
  function() {
    if (step == 0) set.seed(100 + epoch)
    x <- matrix(stats::rnorm(12), ncol = 3)
    step <<- (step + 1) %% steps
    if (step == 0) epoch <<- epoch + 1
    list(x, x %*% c(1, -1, 2))
  }
}

dropout_model <- function() {
  keras()$utils$set_random_seed(3L)
  layers <- keras()$layers
  model <- keras()$Sequential(list(
    layers$Input(list(3L)), layers$Dense(4L, activation = "relu"), layers$Dropout(0.3), layers$Dense(1L)
  ))
  model$compile(optimizer = "adam", loss = "mse", metrics = list("mae"))
  model
}

crashing <- function(at) list(on_epoch_end = function(epoch, logs) if (epoch == at) stop("crash"))

train_saved <- function(model, saved, epochs = 4, beside = list(), start = saved$epoch) {
  fit_generator(
    model, seeded_batches(start), 3, epochs, verbose = 0, callbacks = c(if (!is.null(saved)) list(saved), beside),
    validation_data = seeded_batches(1000 + start), validation_steps = 3
  )
}

test_that("a training that crashed goes on, and equals an undisturbed one, history included", {
  folder <- new_folder()
  path <- file.path(folder, "training.npz")
  whole <- dropout_model()
  expected <- train_saved(whole, NULL, start = 0)
  saved <- checkpoint(path)
  expect_identical(saved$epoch, 0L)
  expect_error(train_saved(dropout_model(), saved, beside = list(crashing(2))), "crash")
  expect_identical(last_history()$epoch, 0:1)

  saved <- checkpoint(path)
  expect_identical(saved$epoch, 2L)
  resumed <- dropout_model()
  history <- train_saved(resumed, saved)
  expect_identical(history$metrics, expected$metrics)
  expect_identical(history$epoch, 0:3)
  expect_false(history$incomplete)
  expect_identical(as.data.frame(history), as.data.frame(expected))
  expect_identical(last_history()$metrics, expected$metrics)
  expect_output(print(history), "Trained epochs 1 to 4 of 4")
  expect_identical(weights_of(resumed), weights_of(whole))
  expect_identical(list.files(folder, all.files = TRUE, no.. = TRUE), "training.npz")
})

test_that("a finished training draws nothing, and more epochs go on", {
  saved <- checkpoint(file.path(new_folder(), "new", "training.npz"))
  fit <- function(generator, epochs) train(linear_model(), generator, 2, epochs, callbacks = list(saved))
  first <- fit(numbered(), 3)
  generator <- numbered()
  expect_identical(fit(generator, 3)$metrics, first$metrics)
  expect_identical(calls_of(generator), 0)
  expect_identical(fit(generator, 4)$epoch, 0:3)
  expect_identical(calls_of(generator), 2)
})

test_that("a model that is built by its first batch goes on", {
  saved <- checkpoint(file.path(new_folder(), "training.npz"))
  unbuilt <- function() {
    keras()$utils$set_random_seed(3L)
    model <- keras()$Sequential(list(keras()$layers$Dense(1L)))
    model$compile(optimizer = "adam", loss = "mse")
    model
  }
  expected <- train(unbuilt(), seeded_batches(0), 3, 3)
  train(unbuilt(), seeded_batches(0), 3, 2, callbacks = saved)
  history <- train(unbuilt(), seeded_batches(saved$epoch), 3, 3, callbacks = saved)
  expect_identical(history$metrics, expected$metrics)
})

test_that("D5 early stopping goes on counting, and what it stopped stays stopped", {
  path <- file.path(new_folder(), "training.npz")
  losses <- c(3, 2, 5, 6, 7, 8)
  for (epochs in c(3, 6, 6)) {
    saved <- checkpoint(path)
    stopping <- keras()$callbacks$EarlyStopping("loss", patience = 2L)
    batches <- lapply(losses[seq(saved$epoch + 1, 6)], function(loss) list(matrix(loss), matrix(0)))
    history <- train(echo_model(), cycling(batches), 1, epochs, callbacks = list(saved, stopping))
  }
  expect_identical(history$metrics$loss, losses[1:4])
})

test_that("a file that is no checkpoint is refused at once, with what to do", {
  path <- file.path(new_folder(), "training.npz")
  writeLines("x", path)
  expect_error(checkpoint(path), "training.npz is not a checkpoint.*remove the file",
               class = "fitgenerator_argument_error")
  for (wrong in list(NULL, NA, 1, "", c("a", "b"))) {
    expect_error(checkpoint(wrong), "`path` must be the name of a file", class = "fitgenerator_argument_error")
  }
})

test_that("a checkpoint of another model is refused, and nothing is drawn", {
  saved <- checkpoint(file.path(new_folder(), "training.npz"))
  train(linear_model(2L), random_batches(inputs = 2L), 1, 1, callbacks = saved)
  generator <- numbered()
  expect_error(
    train(linear_model(1L), generator, 1, 2, callbacks = saved),
    "does not fit the model: variable 1 of the model is .*kernel of shape \\(2, 1\\).*shape \\(1, 1\\)",
    class = "fitgenerator_argument_error"
  )
  expect_identical(calls_of(generator), 0)
  expect_identical(saved$epoch, 1L)
})

test_that("T16: a file that lacks a part is refused, and the model stays as it was", {
  path <- file.path(new_folder(), "c.npz")
  fit_generator(dropout_model(), seeded_batches(0), 3, 1, verbose = 0, callbacks = list(checkpoint(path)))
  zipfile <- reticulate::import("zipfile")
  archive <- zipfile$ZipFile(path)
  entries <- lapply(stats::setNames(nm = unlist(archive$namelist())), function(name) archive$read(name))
  archive$close()
  archive <- zipfile$ZipFile(path, "w")
  for (name in setdiff(names(entries), "model/2.npy")) archive$writestr(name, entries[[name]])
  archive$close()
  model <- dropout_model()
  before <- model$get_weights()
  saved <- checkpoint(path)
  expect_error(fit_generator(model, seeded_batches(1), 3, 2, verbose = 0, callbacks = list(saved)),
               "c.npz .*its entry model/2 is missing", class = "fitgenerator_argument_error")
  expect_identical(model$get_weights(), before)
})

test_that("T16: a link to itself is no file", {
  skip_on_os("windows")
  loop <- file.path(new_folder(), "loop")
  file.symlink(loop, loop)
  expect_error(checkpoint(loop), "`path` must name a file: .*loop", class = "fitgenerator_argument_error")
})

# -- within epochs -------------------------------------------------------------------------------

drawing_flow <- function(length = 7) {
  batch_sequence(function(index) {
    x <- matrix(stats::rnorm(12), ncol = 3)
    list(x, x %*% c(1, -1, 2))
  }, length, seed = 5)
}

test_that("a training that crashed within epochs equals an undisturbed one, R's random numbers included", {
  path <- file.path(new_folder(), "training.npz")
  drawn <- NULL
  draws <- list(on_epoch_end = function(epoch, logs) drawn <<- c(drawn, stats::runif(1L)))
  crashing_at <- function(at) {
    steps <- 0
    list(on_train_batch_begin = function(batch, logs) {
      steps <<- steps + 1
      if (steps == at) stop("crash")
    })
  }
  fit <- function(model, at, ...) {
    set.seed(1)
    train(model, drawing_flow(), NULL, epochs = 3, callbacks = list(draws, crashing_at(at), ...))
  }
  whole <- dropout_model()
  expected <- fit(whole, 100)
  numbers <- drawn
  seed <- .Random.seed
  drawn <- NULL
  for (at in c(5, 8)) {
    expect_error(fit(dropout_model(), at, checkpoint(path, every = 2)), "crash")
  }
  resumed <- dropout_model()
  expect_identical(fit(resumed, 100, checkpoint(path, seconds = 60))$metrics, expected$metrics)
  expect_identical(drawn, numbers)
  expect_identical(.Random.seed, seed)
  expect_identical(weights_of(resumed), weights_of(whole))
})

test_that("a closure is saved after epochs only, and a warning says so before the first step", {
  path <- file.path(new_folder(), "training.npz")
  generator <- numbered()
  expect_warning(train(linear_model(), generator, 2, 2, callbacks = list(checkpoint(path, every = 1))),
                 "gives batches that have no places", class = "fitgenerator_checkpoint_warning")
  expect_error(
    withCallingHandlers(
      train(linear_model(), generator, 2, 2, callbacks = list(checkpoint(tempfile(), seconds = 1))),
      fitgenerator_checkpoint_warning = function(cnd) stop("no step so far: ", calls_of(generator))
    ), "so far: 4"
  )
  expect_identical(checkpoint(path)$epoch, 2L)
})

test_that("SIGTERM saves the training without a wait for a batch, and ends a script with status 143", {
  skip_on_os("windows")
  path <- file.path(new_folder(), "training.npz")
  done <- run_r(bquote({
    asked <- sent <- 0
    flow <- function() {
      batch_sequence(function(index) {
        if (index == 30 && asked < 2) {
          asked <<- asked + 1
          sent <<- Sys.time()
          tools::pskill(Sys.getpid(), tools::SIGTERM)
          Sys.sleep(60) # nolint: undesirable_function_linter. The signal ends it.
        }
        x <- matrix(stats::rnorm(12), ncol = 3)
        list(x, x %*% c(1, -1, 2))
      }, 50, seed = 5)
    }
    fit <- function(...) train(linear_model(3L), flow(), NULL, epochs = 2, callbacks = list(...))
    fit_to_signal <- function() fit(checkpoint(.(path), on_signal = TRUE))
    stopped <- tryCatch(fit_to_signal(), fitgenerator_terminated = identity)
    stopifnot(inherits(stopped, "error"), difftime(Sys.time(), sent, units = "secs") < 20)
    cat(conditionMessage(stopped), "\n")
    asked <- 2
    metrics <- fit(checkpoint(.(path)))$metrics
    stopifnot(identical(metrics, fit()$metrics), file.remove(.(path)))
    asked <- 1
    fit_to_signal()
    cat("not reached\n")
  }), timeout = 120)
  expect_identical(done$status, 143L, info = done$stderr)
  expect_match(done$stdout, "the training was stopped after step [0-9]+ of epoch 1, and is kept in .*training.npz")
  expect_no_match(done$stdout, "not reached")
  expect_match(done$stderr, "Error: SIGTERM came")
  expect_identical(checkpoint(path)$epoch, 0L)
})

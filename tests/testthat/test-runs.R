# Runs of tfruns: what a training records in the one that is active.

test_that("a run holds the metrics epoch by epoch, what was trained, and the pipeline's figures", {
  skip_without_keras()
  run <- stand_in_for_tfruns()
  model <- linear_model(metrics = list("mae"))
  history <- train(model, random_batches(), 4, epochs = 3, validation_data = random_batches(), validation_steps = 2)

  metrics <- written_of(run, "metrics")
  expect_setequal(names(metrics[[1]]), c("loss", "mae", "val_loss", "val_mae"))
  finished <- vapply(metrics, function(each) sum(!is.na(each$loss)), 0L)
  expect_identical(finished, c(1L, 2L, 3L, 3L)) # and once more at the end
  expect_identical(vapply(metrics, nrow, 0L), rep(3L, 4L))
  expect_equal(as.list(metrics[[4]])[names(history$metrics)], history$metrics)

  properties <- written_of(run, "properties")
  expect_identical(as.integer(properties$epochs), 3L)
  expect_identical(as.integer(properties$steps_per_epoch), 4L)
  expect_false("steps" %in% names(properties)) # tfruns would take the epochs for steps
  expect_match(properties$model, "Total params")
  expect_identical(properties$loss_function, "mse")
  expect_identical(properties$optimizer, "SGD")
  expect_equal(properties$learning_rate, 0.1, tolerance = 1e-6)
  expect_match(properties$pipeline_share_model_waited, "^[01]\\.[0-9]{3}$")
  expect_identical(properties$pipeline_verdict, paste(history$pipeline$verdict, collapse = " "))
  expect_match(readLines(file.path(run$run_dir, "pipeline.txt"))[[1]], "Where the time went")
  expect_setequal(list.files(file.path(run$run_dir, "logs")), c("pipeline", "train", "validation"))
})

test_that("without an active run nothing is recorded, and tfruns is not loaded", {
  skip_without_keras()
  loaded <- isNamespaceLoaded("tfruns")
  train(linear_model(), random_batches())
  expect_identical(isNamespaceLoaded("tfruns"), loaded)
  run <- stand_in_for_tfruns()
  run$run_dir <- NULL
  train(linear_model(), random_batches())
  evaluate_generator(linear_model(), random_batches(), 1)
  expect_null(run$written)
})

test_that("after an error a run holds the finished epochs and where the time went", {
  skip_without_keras()
  run <- stand_in_for_tfruns()
  failing <- list(on_epoch_begin = function(epoch, logs) if (epoch == 2) stop("enough"))
  expect_error(train(linear_model(), random_batches(), epochs = 5, callbacks = failing), "enough")
  metrics <- written_of(run, "metrics")
  expect_identical(sum(!is.na(metrics[[length(metrics)]]$loss)), 2L)
  expect_identical(nrow(metrics[[length(metrics)]]), 5L)
  expect_true("pipeline_seconds" %in% names(written_of(run, "properties")))
})

test_that("metrics that were not measured after each epoch keep their places, and come first", {
  skip_without_keras()
  run <- stand_in_for_tfruns()
  train(linear_model(), random_batches(), epochs = 4, validation_data = random_batches(), validation_steps = 1,
        validation_freq = 2)
  metrics <- written_of(run, "metrics")
  for (each in metrics[3:5]) {
    expect_identical(names(each), c("val_loss", "loss"))
    expect_identical(is.na(each$val_loss[1:3]), c(TRUE, FALSE, TRUE))
  }
})

test_that("a resumed training's run holds the epochs before it", {
  skip_without_keras()
  path <- file.path(folder_of_test(environment()), "training.npz")
  first <- train(linear_model(), random_batches(), epochs = 2, callbacks = list(checkpoint(path)))
  run <- stand_in_for_tfruns()
  train(linear_model(), random_batches(), epochs = 3, callbacks = list(checkpoint(path)))
  metrics <- written_of(run, "metrics")
  expect_equal(metrics[[length(metrics)]]$loss[1:2], first$metrics$loss)
})

test_that("files that cannot be written are a warning, and the training goes on", {
  skip_without_keras()
  run <- stand_in_for_tfruns()
  run$fails <- TRUE
  expect_warning(
    history <- train(linear_model(), random_batches(), epochs = 2), "the disk is full",
    class = "fitgenerator_run_warning"
  )
  expect_length(history$epoch, 2L)
})

test_that("a TensorBoard callback that is given is the only one", {
  skip_without_keras()
  run <- stand_in_for_tfruns()
  folder <- folder_of_test(environment())
  train(linear_model(), random_batches(), callbacks = keras()$callbacks$TensorBoard(folder))
  expect_true("train" %in% list.files(folder))
  expect_false(dir.exists(file.path(run$run_dir, "logs")))
})

test_that("evaluations are recorded, but not those of hooks, nor their trainings", {
  skip_without_keras()
  run <- stand_in_for_tfruns()
  other <- echo_model()
  inner <- list(on_epoch_end = function(epoch, logs) {
    evaluate_generator(other, numbered(), 1)
    train(other, numbered(), 1, epochs = 7)
  })
  train(linear_model(), random_batches(), epochs = 1, callbacks = list(inner))
  expect_length(written_of(run, "evaluation"), 0L)
  expect_identical(as.integer(written_of(run, "properties")$epochs), 1L)
  evaluate_generator(echo_model(), numbered(), 1)
  expect_identical(written_of(run, "evaluation"), list(list(loss = 1)))
})

test_that("training_run() of tfruns: ls_runs() orders by a metric, with what was trained", {
  skip_without_keras()
  skip_if_not_installed("tfruns", "1.0")
  folder <- folder_of_test(environment())
  script <- file.path(folder, "train.R")
  runs <- file.path(folder, "runs")
  writeLines(c(
    "flags <- tfruns::flags(tfruns::flag_numeric('rate', 0.1))",
    "model <- linear_model(rate = flags$rate)",
    "data <- random_batches()",
    "train(model, data, 4, epochs = 3, validation_data = data, validation_steps = 2)",
    "fitgenerator::evaluate_generator(model, data, 2)"
  ), script)
  for (rate in c(0, 0.1)) {
    suppressMessages(tfruns::training_run(
      script, flags = list(rate = rate), run_dir = file.path(runs, paste0("rate", rate)), artifacts_dir = NULL,
      echo = FALSE, view = FALSE, envir = new.env()
    ))
  }
  found <- tfruns::ls_runs(order = metric_val_loss, decreasing = FALSE, runs_dir = runs)
  expect_identical(found$flag_rate, c(0.1, 0))
  expect_identical(found$epochs_completed, c(3L, 3L))
  expect_identical(found$steps_per_epoch, c("4", "4"))
  expect_true(all(c("eval_loss", "model", "pipeline_share_model_waited") %in% names(found)))
  unloadNamespace("tfruns")
})

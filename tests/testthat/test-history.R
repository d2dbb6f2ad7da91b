test_that("a history has the classes and elements of R keras", {
  h <- some_history()
  expect_s3_class(h, c("fitgenerator_history", "keras_training_history"), exact = TRUE)
  expect_identical(h$params$epochs, 50L)
  expect_identical(h$metrics$loss, c(1, 0.75, 0.5))
  expect_false(h$incomplete)
})

test_that("as.data.frame has a row for each metric and finished epoch, however many were asked for", {
  d <- as.data.frame(some_history())
  expect_identical(names(d), c("epoch", "value", "metric", "data"))
  expect_identical(d$epoch, c(1:3, 1:3))
  expect_identical(d$value, c(1, 0.75, 0.5, 2, 1.5, 1))
  expect_identical(d$metric, rep("loss", 6))
  expect_identical(d$data, factor(rep(c("training", "validation"), each = 3)))
})

test_that("epochs are numbered on from initial_epoch", {
  expect_identical(unique(as.data.frame(some_history(4:5))$epoch), 5:6)
  expect_output(print(some_history(4:5)), "epochs 5 to 6 of 50 with 10 steps each")
})

test_that("a history without a finished epoch prints, plots and is a data frame without rows", {
  for (h in list(empty_history(), new_history(list(), list(loss = numeric()), epochs = integer()))) {
    d <- as.data.frame(h)
    expect_identical(dim(d), c(0L, 4L))
    expect_identical(levels(d$data), c("training", "validation"))
    expect_gte(length(capture.output(print(h))), 2L)
  }
  expect_output(print(empty_history()), "No epoch of 5 was finished.*incomplete")
})

test_that("validation metrics stand at the epochs of validation_freq", {
  metrics <- list(loss = 5:1 / 1, val_loss = c(20, 40))
  value <- function(freq) {
    h <- new_history(list(validation_freq = freq), metrics, epochs = 0:4)
    as.data.frame(h)$value[6:10]
  }
  expect_identical(value(2L), c(NA, 20, NA, 40, NA))
  expect_identical(value(list(1L, 4L)), c(20, NA, NA, 40, NA))
})

test_that("a metric that a callback began to log late stands at the last epochs", {
  h <- new_history(list(), list(loss = c(3, 2, 1), learning_rate = list(0.1, 0.01)), epochs = 0:2)
  expect_identical(as.data.frame(h)$value[4:6], c(NA, 0.1, 0.01))
  expect_identical(as.character(as.data.frame(h)$data[4:6]), rep("training", 3))
})

test_that("lists and metrics of several values an epoch become plain numbers", {
  metrics <- list(loss = list(1, 2L), f1 = list(c(0.1, 0.2), c(0.3, 0.4)))
  h <- new_history(list(), metrics, epochs = list(0L, 1L))
  expect_identical(h$metrics, list(loss = c(1, 2), f1_1 = c(0.1, 0.3), f1_2 = c(0.2, 0.4)))
  nested <- list(inner = list(list(a = 1L, b = c(2, 3)), list(a = 4, b = c(5, 6))), text = list("x", "y"))
  expect_identical(new_history(list(), nested, epochs = 0:1)$metrics,
                   list(inner_a = c(1, 4), inner_b1 = c(2, 5), inner_b2 = c(3, 6), text = c(NA_real_, NA)))
})

test_that("print shows epochs, steps, the last metrics and where the time went, in two lines or more", {
  lines <- capture.output(shown <- print(some_history(0L, pipeline = list(verdict = "The model waited."))))
  expect_gte(length(lines), 2L)
  expect_match(lines[[1]], "Trained epoch 1 of 50 with 10 steps each.", fixed = TRUE)
  expect_match(lines, "val_loss +2", all = FALSE)
  expect_identical(utils::tail(lines, 1), "The model waited.")
  expect_output(print(some_history(incomplete = TRUE)), "incomplete")
  expect_identical(shown$epoch, 0L)
})

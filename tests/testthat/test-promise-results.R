# Results: the loss comes first, then the metrics as compiled. `metrics` of a history keeps the order of Keras's fit.

skip_without_keras()

# Metrics whose order is not that of the alphabet.
measured_model <- function(module = "keras") {
  keras <- reticulate::import(module)
  model <- keras$Sequential(list(keras$layers$Input(list(2L)), keras$layers$Dense(1L, "sigmoid")))
  compile(model, "sgd", "binary_crossentropy", metrics = list("mse", "accuracy"))
}

measured <- c("loss", "mse", "accuracy")
x <- matrix(1:24 / 24, 12)
y <- rep(0:1, 6)

test_that("T9: evaluations and single batches give the loss first, then the metrics as compiled", {
  for (module in c("keras", "tf_keras")) {
    model <- measured_model(module)
    scores <- evaluate_generator(model, function() list(x, y), 1)
    expect_identical(names(scores), measured)
    expect_equal(scores[[1L]], model$evaluate(x, array(y), verbose = 0L)[[1L]], tolerance = 1e-6)
    expect_identical(evaluate(model, x, y), scores)
    expect_identical(names(test_on_batch(model, x, y)), measured)
    expect_identical(names(train_on_batch(model, x, y)), measured)
  }
})

test_that("T9: so they do with several outputs, whose names are in no order of the alphabet", {
  names <- c("loss", "z_loss", "b_loss", "z_mse", "z_mae", "b_mape")
  for (module in c("keras", "tf_keras")) {
    keras <- reticulate::import(module)
    input <- keras$layers$Input(list(2L))
    outputs <- list(keras$layers$Dense(1L, name = "z")(input), keras$layers$Dense(1L, name = "b")(input))
    model <- keras$Model(input, outputs)
    compile(model, "sgd", list(z = "mse", b = "mae"), metrics = list(z = list("mse", "mae"), b = list("mape")))
    scores <- evaluate_generator(model, function() list(x, list(y, y)), 1)
    expect_identical(names(scores), names)
    expect_equal(scores$loss, scores$z_loss + scores$b_loss, tolerance = 1e-6)
    expect_identical(names(train_on_batch(model, x, list(y, y))), names)
  }
})

test_that("T9: printed lines, printed histories and plots begin with the loss, the history is as in Keras", {
  skip_if_not_installed("ggplot2")
  for (module in c("keras", "tf_keras")) {
    lines <- capture.output(
      history <- train(measured_model(module), function() list(x, y), 1, verbose = 2, validation_data = list(x, y))
    )
    expect_match(lines, "loss: .* mse: .* accuracy: .* val_loss: .* val_mse: .* val_accuracy: ", all = FALSE)
    expected <- measured_model(module)$fit(x, array(y), validation_data = reticulate::tuple(x, array(y)), verbose = 0L)
    expect_identical(names(history$metrics), names(expected$history))
    expect_identical(unique(as.data.frame(history)$metric), unique(sub("^val_", "", names(expected$history))))
    expect_identical(history$params$metrics, c(measured, paste0("val_", measured)))
    printed <- trimws(sub(" +[^ ]+$", "", grep("^  [a-z]", capture.output(print(history)), value = TRUE)))
    expect_identical(printed, c(measured, paste0("val_", measured)))
    expect_identical(levels(plot(history, method = "ggplot2")$data$metric), measured)
  }
})

test_that("T9: a metric that only a callback knows comes last", {
  history <- structure(
    class = c("fitgenerator_history", "keras_training_history"),
    list(params = list(epochs = 1, steps = 1, metrics = c("loss", "mse")),
         metrics = list(learning_rate = 1, loss = 2, mse = 3), epoch = 0L, incomplete = FALSE, pipeline = NULL)
  )
  expect_output(print(history), "loss.*mse.*learning_rate")
  history$params$metrics <- NULL
  expect_output(print(history), "learning_rate.*loss.*mse")
})

test_that("T11: logs of a step of the model's own may hold several values, and text", {
  model <- reticulate::py_eval("(lambda keras, tf: type('Own', (keras.Model,), {
    'built': True,
    'train_step': lambda self, data:
      {'z': tf.reduce_sum(data[0]), 'both': tf.constant([1, 2]), 'text': tf.constant('a')},
  })())(__import__('keras'), __import__('tensorflow'))")
  model$compile("sgd")
  seen <- NULL
  note <- list(on_epoch_end = function(epoch, logs) seen <<- logs)
  history <- train(model, function() list(matrix(1, 2, 3), c(0, 0)), 2, epochs = 2, callbacks = list(note))
  expect_equal(as.vector(seen$both), 1:2)
  expect_identical(history$metrics, list(both_1 = c(1, 1), both_2 = c(2, 2), text = c(NA_real_, NA), z = c(6, 6)))
  expect_output(print(history), "both_2 +2")
})

# The rest of the manual page: models made, compiled and looked at, for who has reticulate and Keras only.

skip_without_keras()

dense <- function(...) keras()$layers$Dense(...)

test_that("A sequential model is made of a shape and layers, or of layers alone", {
  model <- keras_model_sequential(c(4, NA, 1), name = "first", layers = list(dense(2L)))
  expect_equal(model$input_shape, list(NULL, 4L, NULL, 1L))
  expect_identical(model$name, "first")
  expect_length(keras_model_sequential(list(dense(2L), dense(1L)))$layers, 2)
  expect_length(keras_model_sequential(dense(2L))$layers, 1)
  expect_length(keras_model_sequential()$layers, 0)
  expect_error(keras_model_sequential("two"), "`input_shape` must be whole numbers",
               class = "fitgenerator_argument_error")
})

test_that("A model is made of inputs and outputs", {
  inputs <- list(keras()$Input(list(2L)), keras()$Input(list(2L)))
  model <- keras_model(inputs, keras()$layers$Add()(inputs), name = "sum")
  expect_length(model$inputs, 2)
  expect_equal(predict(model, list(matrix(1, 3, 2), matrix(2, 3, 2))), matrix(3, 3, 2))
})

test_that("compile() takes names, vectors of names, functions and lists, and returns the model", {
  model <- keras_model_sequential(2, layers = list(dense(1L)))
  tf <- reticulate::import("tensorflow")
  loss <- function(y_true, y_pred) tf$reduce_mean(tf$square(y_true - y_pred))
  expect_invisible(returned <- compile(model, "sgd", loss, metrics = c("mae", "mse"), steps_per_execution = 2))
  expect_identical(returned, model)
  scores <- evaluate(model, matrix(1, 8, 2), rep(0, 8))
  expect_identical(names(scores), c("loss", "mae", "mse"))
  expect_equal(scores$loss, scores$mse, tolerance = 1e-6)
  compile(model, "sgd", "mse", metrics = "mae")
  expect_identical(names(evaluate(model, matrix(1, 8, 2), rep(0, 8))), c("loss", "mae"))
  expect_error(compile(model, "no such"), class = "fitgenerator_python_error")
  expect_error(compile(model, "sgd", steps_per_execution = 0.5), class = "fitgenerator_argument_error")
})

test_that("Layers are found by name and by number from 1, and the last one is removed", {
  model <- keras_model_sequential(2, layers = list(dense(3L, name = "a"), dense(2L, name = "b"), dense(1L)))
  expect_identical(get_layer(model, "b")$name, "b")
  expect_identical(get_layer(model, index = 1)$name, "a")
  expect_identical(get_layer(model, 2)$name, "b")
  expect_equal(get_config(get_layer(model, index = -1))$units, 1)
  expect_identical(pop_layer(model), model)
  expect_length(model$layers, 2)
  expect_identical(get_config(model)$name, model$name)
  expect_error(get_layer(model, index = 3), "from 1 to 2", class = "fitgenerator_argument_error")
  expect_error(get_layer(model, index = 0), "from 1 to 2", class = "fitgenerator_argument_error")
  expect_error(get_layer(model), "needs either the `name`", class = "fitgenerator_argument_error")
  expect_error(get_layer(model, "c"), class = "fitgenerator_python_error")
  expect_error(pop_layer(get_layer(model, "a")), "sequential", class = "fitgenerator_argument_error")
})

test_that("summary() prints in R's own output, within the width, and returns the text", {
  for (model in list(linear_model(2), reticulate::import("tf_keras")$Sequential(list(
    reticulate::import("tf_keras")$layers$Dense(1L, input_shape = list(2L))
  )))) {
    shown <- capture.output(text <- summary(model, width = 60))
    expect_match(paste(shown, collapse = "\n"), "dense")
    expect_match(text, "Total params")
    expect_true(all(nchar(shown) <= 60))
  }
})

test_that("One batch at a time: trained on, tested and predicted, whatever its form", {
  model <- linear_model(weight = 1, rate = 0.5)
  expect_equal(train_on_batch(model, matrix(1, 2, 1), c(0, 0)), list(loss = 1))
  expect_equal(weights_of(model)[[1]], 0)
  expect_equal(test_on_batch(model, c(1, 1), matrix(2, 2, 1), sample_weight = c(1, 0)), list(loss = 2))
  model$set_weights(list(matrix(2)))
  expect_equal(predict_on_batch(model, data.frame(x = 1:3)), matrix(c(2, 4, 6)))
  expect_equal(train_on_batch(model, matrix(1, 2, 1), c(0, 1), class_weight = list("0" = 0, "1" = 1))$loss, 0.5)
  expect_error(train_on_batch(model, matrix(1, 2, 1), 1:3), "same number of rows", class = "fitgenerator_batch_error")
  expect_error(train_on_batch(model, "a", mean), class = "fitgenerator_argument_error")
  expect_error(train_on_batch(keras_model_sequential(1, layers = dense(1L)), matrix(1), 1), "must be compiled",
               class = "fitgenerator_argument_error")
  expect_error(predict_on_batch(model, matrix(1, 2, 3)), "drop = FALSE|incompatible",
               class = "fitgenerator_python_error")
})

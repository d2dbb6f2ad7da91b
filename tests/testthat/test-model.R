# Making, compiling and inspecting models with reticulate and Keras only.

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

test_that("T29: an R function among the metrics is called as it is named in the list", {
  error <- function(y_true, y_pred) keras()$ops$mean(keras()$ops$abs(y_true - y_pred), axis = -1L)
  names_of <- function(model, ...) {
    compile(model, "sgd", "mse", ...)
    setdiff(names(evaluate(model, matrix(1, 8, 2), rep(0, 8))), "loss")
  }
  model <- keras_model_sequential(2, layers = list(dense(1L)))
  expect_identical(names_of(model, metrics = list(dice = error)), "dice")
  expect_setequal(names_of(model, metrics = list("mae", dice = error)), c("dice", "mae"))
  expect_setequal(names_of(model, metrics = list(a = error, b = error)), c("a", "b"))
  expect_identical(names_of(model, weighted_metrics = list(dice = error)), "dice")
  expect_identical(names_of(model, metrics = list(dice = structure(error, py_function_name = "own"))), "own")
  expect_identical(names_of(model, metrics = list(mean = keras()$metrics$MeanAbsoluteError())), "mean_absolute_error")
  layers <- reticulate::import("tf_keras")$layers
  built <- reticulate::import("tf_keras")$Sequential(list(layers$Dense(1L, input_shape = list(2L))))
  expect_setequal(names_of(built, metrics = list("mae", dice = error)), c("dice", "mae"))
  for (metrics in list(list("mae", dice = error), list(dice = error))) {
    unbuilt <- reticulate::import("tf_keras")$Sequential(list(layers$Dense(1L)))
    expect_true("dice" %in% names_of(unbuilt, metrics = metrics))
  }
  reticulate::py_run_string(paste(
    "import keras, tf_keras",
    "def of(package):",
    "    class Own(package.Model):",
    "        def __init__(self):",
    "            super().__init__()",
    "            self.layer = package.layers.Dense(1)",
    "        def call(self, x): return self.layer(x)",
    "    return Own()",
    "fitgenerator_test_models = lambda: [of(keras), of(tf_keras)]",
    sep = "\n"
  ))
  for (model in reticulate::py$fitgenerator_test_models()) {
    expect_setequal(names_of(model, metrics = list("mae", dice = error)), c("dice", "mae"))
  }
})

test_that("T29: names of outputs stay those of outputs", {
  error <- function(y_true, y_pred) keras()$ops$mean(keras()$ops$abs(y_true - y_pred), axis = -1L)
  input <- keras()$Input(list(2L))
  model <- keras_model(input, list(dense(1L, name = "a")(input), dense(1L, name = "b")(input)))
  names_of <- function(metrics) {
    compile(model, "sgd", "mse", metrics = metrics)
    setdiff(names(evaluate(model, matrix(1, 8, 2), list(rep(0, 8), rep(0, 8)))), c("loss", "a_loss", "b_loss"))
  }
  expect_identical(names_of(list(a = error)), "a_python_function")
  expect_setequal(names_of(list(a = list(dice = error, "mae"), b = "mse")), c("a_dice", "a_mae", "b_mse"))
  expect_error(names_of(list(a = error, c = error)), class = "fitgenerator_python_error")
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

# Class weights and sample weights, against closed forms: a linear model w x without bias, SGD of rate 0.1,
# mse.

skip_without_keras()

x <- matrix(c(1, 2, 3))
y <- matrix(c(0, 1, 1))

# Loss and new weight after one step from weight 1, each row weighted.
closed_form <- function(weights) {
  residual <- as.vector(x - y)
  list(loss = sum(weights * residual^2) / 3, weight = 1 - 0.1 * 2 * sum(weights * residual * x) / 3)
}

expect_step <- function(batch, weights, class_weight = NULL) {
  model <- linear_model()
  loss <- train(model, function() batch, 1, class_weight = class_weight)$metrics$loss
  expected <- closed_form(weights)
  expect_equal(loss, expected$loss, tolerance = 1e-6)
  expect_equal(weights_of(model), list(expected$weight), tolerance = 1e-6)
}

test_that("W1: class weights and sample weights give the closed-form loss and weights", {
  expect_step(list(x, y), c(1, 1, 1))
  expect_step(list(x, y), c(2, 5, 5), class_weight = list("0" = 2, "1" = 5))
  expect_step(list(x, y, c(2, 5, 4)), c(2, 5, 4))
})

test_that("W1: classes may be integers, logicals, factors or one-hot rows", {
  targets <- list(as.vector(y), as.integer(y), factor(c("a", "b", "b")))
  for (target in targets) expect_step(list(x, target), c(2, 5, 5), class_weight = list("0" = 2, "1" = 5))
  one_hot <- rbind(c(1, 0), c(0, 1), c(0, 1))
  model <- linear_model(1, 2, rate = 0)
  weighted <- train(model, function() list(x, one_hot), 1, class_weight = c("0" = 2, "1" = 5))$metrics$loss
  expect_equal(weighted, mean(c(2, 5, 5) * rowMeans((cbind(x, x) - one_hot)^2)), tolerance = 1e-6)
})

test_that("W2: named lists and vectors in any order, also for classes that do not occur", {
  for (weights in list(c("1" = 5, "0" = 2), list("1" = 5L, "0" = 2), c("7" = 9, "0" = 2, "1" = 5))) {
    expect_step(list(x, y), c(2, 5, 5), class_weight = weights)
  }
})

test_that("W2: a class in the targets that has no weight is an error at that step", {
  model <- linear_model()
  e <- expect_error(train(model, function() list(x, y), 1, class_weight = c("0" = 2)),
                    class = "fitgenerator_batch_error")
  expect_match(conditionMessage(e), "^Batch 1 of `generator`: .*no weight for class 1 of the targets")
  expect_equal(weights_of(model), list(1))
})

test_that("W3: with class weights and sample weights the product counts", {
  expect_step(list(x, y, c(1, 2, 3)), c(2, 10, 15), class_weight = list("0" = 2, "1" = 5))
})

test_that("W3: class weights do not weigh validation", {
  model <- linear_model(rate = 0)
  history <- train(model, function() list(x, y), 1, class_weight = c("0" = 2, "1" = 5),
                   validation_data = list(x, y))
  expect_equal(history$metrics$val_loss, closed_form(1)$loss, tolerance = 1e-6)
})

test_that("W4: sample weights may be a vector, a column, or a list for the outputs", {
  for (weights in list(c(2, 5, 4), c(2L, 5L, 4L), matrix(c(2, 5, 4)))) {
    expect_step(list(x, y, weights), c(2, 5, 4))
  }
  layers <- keras()$layers
  input <- layers$Input(list(1L))
  outputs <- list(a = layers$Rescaling(1, name = "a")(input), b = layers$Rescaling(1, name = "b")(input))
  batch <- function(weights) list(x, list(a = 0 * x, b = 0 * x), weights)
  model <- keras()$Model(input, outputs)
  model$compile("sgd", "mae")
  expected <- c(mean(c(1, 0, 0) * x), mean(c(1, 2, 3) * x))
  for (weights in list(list(a = c(1, 0, 0), b = 1:3), list(b = 1:3, a = c(1, 0, 0)))) {
    metrics <- train(model, function() batch(weights), 1)$metrics
    expect_equal(c(metrics$a_loss, metrics$b_loss), expected, tolerance = 1e-6)
    expect_equal(metrics$loss, sum(expected), tolerance = 1e-6)
  }
  model <- keras()$Model(input, unname(outputs))
  model$compile("sgd", "mae")
  by_position <- function() list(x, list(0 * x, 0 * x), list(c(1, 0, 0), matrix(1:3)))
  expect_equal(train(model, by_position, 1)$metrics$loss, sum(expected), tolerance = 1e-6)
})

test_that("W5: class weights with targets that have no classes are an error before the first update", {
  model <- keras()$Sequential(list(keras()$layers$Input(list(2L, 3L)), keras()$layers$Dense(2L)))
  model$compile("sgd", "mse")
  before <- weights_of(model)
  batch <- function() list(array(0, c(2, 2, 3)), array(0, c(2, 2, 2)))
  expect_error(train(model, batch, 1, class_weight = c("0" = 1)), "give sample weights in the batch instead",
               class = "fitgenerator_batch_error")
  expect_identical(weights_of(model), before)
})

test_that("NULL as the third element means no weights", {
  expect_step(list(x, y, NULL), c(1, 1, 1))
})

test_that("T28: an output without sample weights has weights of 1, in both Kerases", {
  for (package in c("keras", "tf_keras")) {
    layers <- reticulate::import(package)$layers
    input <- reticulate::import(package)$Input(list(1L))
    dense <- function(name) layers$Dense(1L, use_bias = FALSE, kernel_initializer = "ones", name = name)(input)
    model <- reticulate::import(package)$Model(input, list(a = dense("a"), b = dense("b")))
    model$compile(reticulate::import(package)$optimizers$SGD(0), list(a = "mae", b = "mae"))
    batch <- function(weights) function() list(x, list(a = 0 * x, b = 0 * x), weights)
    metrics <- train(model, batch(list(b = 1:3)), 1)$metrics
    expect_equal(metrics, train(model, batch(list(a = c(1, 1, 1), b = 1:3)), 1)$metrics)
    expect_equal(metrics$loss, metrics$a_loss + metrics$b_loss, tolerance = 1e-6)
    expect_equal(metrics$b_loss, mean(1:3 * x), tolerance = 1e-6)
  }
})

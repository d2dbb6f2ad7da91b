# R values reach the model as the same numbers as their plain counterparts, in the same places.

skip_without_keras()

losses <- function(model, batches, ...) {
  train(model, cycling(batches), length(batches), epochs = 2, ...)$metrics$loss
}

test_that("G1: sparse matrices of every kind give the losses of dense ones", {
  skip_if_not_installed("Matrix")
  dense <- matrix(c(0, 2, 0, 0, 1, 0, 0, 0, 0, 3, 0, 4), 4)
  y <- matrix(1:4 + 0)
  expected <- losses(linear_model(3), list(list(dense, y)))
  for (kind in c("CsparseMatrix", "RsparseMatrix", "TsparseMatrix")) {
    expect_equal(losses(linear_model(3), list(list(methods::as(dense, kind), y))), expected)
  }
  logical <- dense != 0
  expected <- losses(linear_model(3), list(list(logical + 0, y)))
  for (kind in c("CsparseMatrix", "RsparseMatrix")) {
    expect_equal(losses(linear_model(3), list(list(methods::as(logical, kind), y))), expected)
  }
})

test_that("G1: a sparse input of the model gets the matrix as it is", {
  skip_if_not_installed("Matrix")
  sparse_model <- function() {
    layers <- keras()$layers
    input <- layers$Input(list(3L), sparse = TRUE)
    model <- keras()$Model(input, layers$Dense(1L, kernel_initializer = "ones")(input))
    model$compile(keras()$optimizers$SGD(0.01), "mse")
    model
  }
  dense <- matrix(c(0, 2, 0, 0, 1, 0, 0, 0, 0, 3, 0, 4), 4)
  x <- methods::as(dense, "CsparseMatrix")
  y <- matrix(1:4 + 0)
  expected <- train(linear_model(3, rate = 0.01), function() list(dense, y), 1)$metrics$loss
  expect_equal(train(sparse_model(), function() list(x, y), 1)$metrics$loss, expected, tolerance = 1e-6)
  for (model in list(sparse_model(), linear_model(3, rate = 0))) {
    many <- methods::as(dense[rep(1:4, 20), ], "CsparseMatrix")
    history <- train(model, function() list(x, y), 1, validation_data = list(many, rep(1:4, 20)))
    expect_equal(history$metrics$val_loss, unlist(model$evaluate(dense, y, verbose = 0L)), tolerance = 1e-6)
  }
  expect_equal(predict_generator(sparse_model(), function() x, 2), rbind(dense, dense) %*% c(1, 1, 1))
})

test_that("G2: bare numbers are a row, and vectors are matrices of one column, also when they alternate", {
  expected <- losses(linear_model(), list(list(matrix(1), matrix(2))))
  expect_equal(losses(linear_model(), list(list(1, 2))), expected)
  x <- matrix(1:3 / 3)
  flat <- list(x, 1:3 / 2)
  column <- list(x, matrix(1:3 / 2))
  expected <- losses(linear_model(), list(column, column, column, column))
  expect_equal(losses(linear_model(), list(flat, flat, flat, flat)), expected)
  expect_equal(losses(linear_model(), list(flat, column, column, flat)), expected)
  expect_equal(losses(linear_model(), list(column, flat, flat, column)), expected)
})

test_that("G4: data frames, tibbles and factors are matrices and codes", {
  frame <- data.frame(a = c(1, 2, 3), b = 4:6)
  y <- factor(c("no", "yes", "no"))
  model <- function() linear_model(2, loss = "binary_crossentropy", weight = 0.1)
  expected <- losses(model(), list(list(as.matrix(frame), matrix(c(0, 1, 0)))))
  expect_equal(losses(model(), list(list(frame, y))), expected)
  if (requireNamespace("tibble", quietly = TRUE)) {
    expect_equal(losses(model(), list(list(tibble::as_tibble(frame), y))), expected)
  }
  frame$c <- letters[1:3]
  expect_error(train(model(), function() list(frame, y), 1), "`c` (character)", fixed = TRUE,
               class = "fitgenerator_batch_error")
})

test_that("G5: doubles become floatx, logicals 0 and 1, integers stay integers", {
  seen <- NULL
  look <- function(x) {
    seen <<- x$dtype$name
    keras()$ops$cast(x, "float32")
  }
  for (type in list(list(1.5, "float32"), list(2L, "int32"), list(TRUE, "bool"), list(as.raw(7), "uint8"))) {
    layers <- keras()$layers
    input <- layers$Input(list(1L), dtype = type[[2]])
    model <- keras()$Model(input, layers$Lambda(look)(input))
    expect_equal(predict_generator(model, function() matrix(type[[1]]), 1), matrix(as.numeric(type[[1]])))
    expect_identical(seen, type[[2]])
  }
})

test_that("G5: integers index embeddings and are sparse labels", {
  layers <- keras()$layers
  embedding <- layers$Embedding(5L, 2L)
  model <- keras()$Sequential(list(
    layers$Input(list(2L), dtype = "int32"), embedding, layers$Flatten(), layers$Softmax()
  ))
  model$compile(keras()$optimizers$SGD(0), "sparse_categorical_crossentropy", metrics = list("accuracy"))
  table <- matrix(c(0, 1, 3, 0, 2, 5, 4, 1, 6, 0), 5)
  embedding$set_weights(list(table))
  x <- matrix(c(0L, 1L, 4L, 2L), 2)
  rows <- cbind(table[x[, 1] + 1, ], table[x[, 2] + 1, ])
  chances <- exp(rows) / rowSums(exp(rows))
  labels <- list(c(0L, 3L), factor(c("a", "d"), letters[1:4]), matrix(c(0L, 3L)), c(0, 3))
  for (y in labels) {
    metrics <- train(model, function() list(x, y), 1)$metrics
    expect_equal(metrics$loss, -mean(log(c(chances[1, 1], chances[2, 4]))), tolerance = 1e-6)
    expect_equal(metrics$accuracy, mean(max.col(chances) == c(1, 4)))
  }
})

test_that("Strings reach text layers", {
  layers <- keras()$layers
  input <- layers$Input(list(1L), dtype = "string")
  lookup <- layers$StringLookup(vocabulary = list("cat", "dog"), output_mode = "one_hot")
  model <- keras()$Model(input, lookup(input))
  animals <- matrix(c("dog", "cat", "cow"))
  expect_equal(predict_generator(model, function() animals, 1), diag(3)[c(3, 2, 1), ])
})

test_that("G6: x[i, j, k, l] arrives at its own place, from two dimensions to five", {
  for (dims in list(c(3L, 2L), c(2L, 3L, 4L), c(2L, 3L, 4L, 5L), c(2L, 3L, 2L, 3L, 2L))) {
    x <- array(seq_len(prod(dims)) + 0, dims)
    places <- reticulate::r_to_py(array(as.integer(dims[-1])))
    model <- keras()$Sequential(list(keras()$layers$Input(as.list(dims[-1])), keras()$layers$Flatten()))
    expect_equal(predict_generator(model, function() x, 1), matrix(aperm(x), dims[[1]], byrow = TRUE))
    np <- reticulate::import("numpy")
    y <- np$ascontiguousarray(x)
    expect_equal(predict_generator(model, function() y, 1), matrix(aperm(x), dims[[1]], byrow = TRUE))
  }
})

# Two inputs and two outputs with a closed form: the outputs are 2 left and 3 right.
forked_model <- function() {
  layers <- keras()$layers
  inputs <- list(left = layers$Input(list(1L), name = "left"), right = layers$Input(list(1L), name = "right"))
  outputs <- list(double = layers$Rescaling(2, name = "double")(inputs$left),
                  triple = layers$Rescaling(3, name = "triple")(inputs$right))
  list(named = keras()$Model(inputs, outputs), positional = keras()$Model(unname(inputs), unname(outputs)))
}

test_that("G7: several inputs and outputs find their places by name in any order, and by position", {
  left <- matrix(c(1, 2))
  right <- matrix(c(3, 5))
  zero <- matrix(0, 2, 1)
  models <- forked_model()
  for (model in models) model$compile("sgd", "mae")
  expected <- c(double_loss = 3, loss = 15, triple_loss = 12)
  batches <- list(
    list(list(left = left, right = right), list(double = zero, triple = zero)),
    list(list(right = right, left = left), list(triple = zero, double = zero))
  )
  for (batch in batches) {
    expect_equal(unlist(train(models$named, function() batch, 2)$metrics)[names(expected)], expected)
    expect_equal(unlist(evaluate_generator(models$named, function() batch, 1))[names(expected)], expected)
    history <- train(models$named, function() batch, 1, validation_data = batch)
    expect_equal(history$metrics$val_triple_loss, 12)
  }
  batch <- list(list(left, right), list(zero, zero))
  expect_equal(unlist(train(models$positional, function() batch, 2)$metrics)[names(expected)], expected)
})

test_that("G8: names are names, also where a Python object of that name is in scope", {
  left <- reticulate::r_to_py("not the key")
  right <- reticulate::import("numpy", convert = FALSE)
  reticulate::py_run_string("left = 'neither'")
  model <- forked_model()$named
  predicted <- predict_generator(model, function() list(left = matrix(1), right = matrix(2)), 1)
  expect_equal(predicted[c("double", "triple")], list(double = matrix(2), triple = matrix(6)))
})

test_that("G9: batches of changing length train, validate and predict with exact losses", {
  lengths <- c(4, 4, 7, 7, 9, 4)
  rows <- c(2, 2, 3, 2, 1, 5)
  batches <- Map(function(n, length) {
    x <- array(rnorm(n * length), c(n, length, 1))
    list(x, array(0, c(n, 1)))
  }, rows, lengths)
  layers <- keras()$layers
  model <- keras()$Sequential(list(layers$Input(list(NULL, 1L)), layers$GlobalAveragePooling1D()))
  model$compile("sgd", "mse")
  means <- lapply(batches, function(batch) apply(batch[[1]], 1, mean))
  expected <- mean(unlist(means)^2)
  history <- train(model, cycling(batches), 6, epochs = 2, validation_data = cycling(batches),
                   validation_steps = 6)
  expect_equal(unlist(history$metrics), rep(expected, 4), ignore_attr = TRUE, tolerance = 1e-5)
  expect_equal(as.vector(predict_generator(model, cycling(batches), 6)), unlist(means), tolerance = 1e-5)
})

test_that("Python arrays, tensors and tuples pass through a closure unchanged", {
  np <- reticulate::import("numpy", convert = FALSE)
  tf <- reticulate::import("tensorflow", convert = FALSE)
  x <- matrix(1:4 + 0)
  expected <- losses(linear_model(), list(list(x, x)))
  expect_equal(losses(linear_model(), list(list(np$array(x), np$array(x)))), expected)
  expect_equal(losses(linear_model(), list(list(tf$constant(x, "float32"), np$array(x)))), expected)
  pair <- reticulate::r_to_py(reticulate::tuple(np$array(x), np$array(x)))
  expect_equal(losses(linear_model(), list(pair)), expected)
})

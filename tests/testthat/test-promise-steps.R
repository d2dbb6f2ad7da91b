# Numbers of batches that are not whole are rounded down, with one warning before the first call of the generator.

skip_without_keras()

# The warnings of a call, by their texts; each must be about steps.
warned <- function(expr) {
  texts <- character()
  withCallingHandlers(expr, warning = function(cnd) {
    expect_s3_class(cnd, c("fitgenerator_steps_warning", "fitgenerator_warning", "warning", "condition"), exact = TRUE)
    texts <<- c(texts, conditionMessage(cnd))
    invokeRestart("muffleWarning")
  })
  texts
}

test_that("T21: steps are rounded down, each with one warning that names it and the number used", {
  generator <- numbered()
  validation <- numbered()
  texts <- warned(train(echo_model(), generator, 12 / 5, epochs = 3, validation_data = validation,
                        validation_steps = 1.9))
  expect_identical(texts, c("`steps_per_epoch` is 2.4, which is rounded down to 2.",
                            "`validation_steps` is 1.9, which is rounded down to 1."))
  expect_equal(c(calls_of(generator), calls_of(validation)), c(6, 3))
  for (run in list(evaluate_generator, predict_generator)) {
    generator <- numbered()
    expect_identical(warned(run(echo_model(), generator, 2.4)), "`steps` is 2.4, which is rounded down to 2.")
    expect_equal(calls_of(generator), 2)
  }
})

test_that("T21: the warning comes before the first call, and has a class", {
  generator <- numbered()
  cnd <- tryCatch(train(echo_model(), generator, 2.4), fitgenerator_steps_warning = identity)
  expect_identical(cnd$argument, "steps_per_epoch")
  expect_equal(calls_of(generator), 0)
})

test_that("T21: a prediction says how many rows it leaves out, where that is known", {
  images <- array(0, c(12, 4, 4, 1))
  flows <- list(
    list(echo_model(), flow_from_data(matrix(0, 12), batch_size = 5, shuffle = FALSE)),
    list(image_model(), flow_images_from_data(images, batch_size = 5, shuffle = FALSE))
  )
  for (flow in flows) {
    text <- warned(rows <- predict_generator(flow[[1L]], flow[[2L]], flow[[2L]]$n / flow[[2L]]$batch_size))
    expect_identical(text, "`steps` is 2.4, which is rounded down to 2: 2 of the 12 rows are left out.")
    expect_equal(nrow(rows), 10)
  }
  expect_identical(warned(predict(echo_model(), matrix(0, 11), batch_size = 5, steps = 2.5)),
                   "`steps` is 2.5, which is rounded down to 2: 1 of the 11 rows is left out.")
})

test_that("T21: below 1, NA and what is no number stay errors", {
  generator <- numbered()
  for (steps in list(0, 0.5, 0.99, -1, -2.5, NA, NA_real_, Inf, NaN, "2", TRUE, c(1.5, 2))) {
    for (run in list(train, evaluate_generator, predict_generator)) {
      expect_error(run(echo_model(), generator, steps), "must be a number of at least 1, not",
                   class = "fitgenerator_argument_error")
    }
  }
  expect_equal(calls_of(generator), 0)
})

test_that("T21: what is whole but for the last digits is taken in silence", {
  three <- 0.1 * 3 * 10
  expect_false(three == 3)
  for (x in list(three, 3 - 2e-8, 3 + 2e-8)) expect_identical(check_whole(x, "n", 3L), 3L)
  expect_silent(history <- train(echo_model(), numbered(), three, epochs = three, max_queue_size = three,
                                 validation_data = numbered(), validation_steps = three, validation_freq = three))
  expect_message(train(echo_model(), numbered(), 1, workers = three), "^`workers` = 3 has no effect on `generator`")
  expect_identical(history$params$steps, 3L)
  expect_length(history$epoch, 3)
  expect_length(history$metrics$val_loss, 1)
  expect_identical(flow_from_data(matrix(0, 7), batch_size = three)$batch_size, 3L)
  expect_identical(length(batch_sequence(function(i) list(1, 1), 3 - 1e-9)), 3L)
  model <- keras_model_sequential(3 - 1e-9, layers = list(keras()$layers$Dense(1L), keras()$layers$Dense(2L)))
  expect_identical(get_layer(model, index = 2 - 1e-9)$units, 2L)
  expect_identical(model$input_shape[[2L]], 3L)
  expect_error(train(echo_model(), numbered(), 2, epochs = 3 + 1e-6), "`epochs` must be a whole number")
})

test_that("T8: validation_steps do not cut fixed arrays, and that is said once", {
  rows <- matrix(c(rep(0, 32), rep(3, 68)))
  for (steps in list(1, 2.5, 7)) {
    text <- warned(history <- train(echo_model(), numbered(), 1, epochs = 3, validation_data = list(rows, 0 * rows),
                                    validation_steps = steps))
    expect_identical(text, "`validation_steps` has no effect on fixed arrays: all 100 rows are used.")
    expect_equal(history$metrics$val_loss, rep(mean(rows), 3), tolerance = 1e-6)
  }
  expect_silent(train(echo_model(), numbered(), 1, validation_data = list(rows, 0 * rows), validation_steps = 4))
  expect_error(train(echo_model(), numbered(), 1, validation_data = list(rows, 0 * rows), validation_steps = 0.5),
               "`validation_steps` must be a number of at least 1, not 0.5")
})

test_that("T8: steps cut arrays into batches, not rows off them, as in Keras; a batch size makes steps count", {
  rows <- matrix(c(rep(0, 32), rep(3, 68)))
  model <- echo_model()
  fit_rows <- function(...) fit(model, rows, 0 * rows, verbose = 0, ...)$metrics$val_loss
  theirs <- function(...) model$fit(rows, 0 * rows, verbose = 0L, ...)$history$val_loss
  both <- reticulate::tuple(rows, 0 * rows)
  expect_equal(fit_rows(validation_data = list(rows, 0 * rows), validation_steps = 1),
               theirs(validation_data = both, validation_steps = 1L), tolerance = 1e-6)
  expect_equal(fit_rows(validation_split = 0.7, validation_steps = 1),
               theirs(validation_split = 0.7, validation_steps = 1L), tolerance = 1e-6)
  expect_equal(fit_rows(validation_data = list(rows, 0 * rows), validation_steps = 1, batch_size = 10),
               theirs(validation_data = both, validation_steps = 1L, batch_size = 10L), tolerance = 1e-6)
  expect_equal(evaluate(model, rows, 0 * rows, steps = 1)$loss,
               model$evaluate(rows, 0 * rows, steps = 1L, verbose = 0L), tolerance = 1e-6)
  expect_equal(nrow(predict(model, rows, steps = 3)), 100)
  expect_equal(nrow(predict(model, rows, steps = 3, batch_size = 10)), 30)
})

test_that("T7: an R list is always arrays, also of Python tuples; a Python tuple is read as in Keras", {
  a <- matrix(1, 40)
  b <- matrix(3, 40)
  zero <- matrix(0, 40)
  generator <- function() list(list(a, b), list(zero, zero))
  tuples <- list(reticulate::tuple(a, b), reticulate::tuple(zero, zero))
  for (keras in lapply(c("keras", "tf_keras"), reticulate::import)) {
    inputs <- list(keras$layers$Input(list(1L)), keras$layers$Input(list(1L)))
    outputs <- lapply(inputs, function(input) keras$layers$Dense(1L, kernel_initializer = "ones")(input))
    model <- keras$Model(inputs, outputs)
    model$compile(keras$optimizers$SGD(0), list("mae", "mae"))
    for (data in list(tuples, reticulate::tuple(tuples), list(list(a, b), list(zero, zero)))) {
      expect_equal(train(model, generator, 1, validation_data = data)$metrics$val_loss, 4)
    }
  }
})

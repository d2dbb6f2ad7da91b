# Malformed and unusual batches of every kind train as their plain matrices do, or are refused with a message.

skip_without_keras()

test_that("E2: every batch trains as its plain matrix does or is refused in words, and the session works on", {
  tried <- try_malformed_cases(60, 1)
  failed <- tried[tried$word == "FAILED", ]
  expect_identical(paste(failed$place, failed$label, failed$text), character())
  expect_gt(sum(tried$word == "trained"), 5)
  expect_gt(sum(tried$word == "batch_error"), 5)
  expect_identical(our_threads(), character())
})

test_that("A masked array of NumPy's keeps its mask on the way, and is refused", {
  np <- reticulate::import("numpy", convert = FALSE)
  masked <- np$ma$array(matrix(1, 3), mask = matrix(c(TRUE, FALSE, FALSE)))
  e <- expect_error(train(linear_model(), function() list(masked, matrix(1, 3)), 1), class = "fitgenerator_batch_error")
  expect_match(conditionMessage(e), "^Batch 1 of `generator`: The batch.s inputs must be an array without masked")
})

test_that("NA and numbers above float32's come without a word of NumPy's", {
  warnings <- reticulate::import("warnings")
  catch <- warnings$catch_warnings()
  catch$`__enter__`()
  on.exit(catch$`__exit__`(NULL, NULL, NULL))
  warnings$filterwarnings("error", category = reticulate::import_builtins()$RuntimeWarning)
  history <- train(linear_model(), function() list(matrix(c(NA, 1e300)), matrix(1, 2)), 1)
  expect_true(is.nan(history$metrics$loss))
})

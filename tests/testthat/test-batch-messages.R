# Messages describe any value briefly.

refused <- function(expr) tryCatch({ expr; NULL }, fitgenerator_batch_error = identity)

test_that("long names and classes make no long message, and methods that fail no other error", {
  long <- strrep("n", 1e5)
  bad <- list(
    stats::setNames(list(sum), long), stats::setNames(data.frame(1, "a"), c("a", long)),
    structure(list(), class = strrep("c", 400))
  )
  for (x in bad) expect_lt(nchar(conditionMessage(refused(as_batch(list(x, 1))))), 500)
  expect_lt(nchar(conditionMessage(refused(as_batch(stats::setNames(list(1, 2), c(long, "inputs")))))), 300)
  registerS3method("dim", "fitgenerator_test_failing", function(x) stop("no dim"), baseenv())
  failing <- structure(list(), class = "fitgenerator_test_failing")
  said <- conditionMessage(refused(as_batch(list(failing, 1))))
  expect_match(said, "is an object of class `fitgenerator_test_failing`;")
})

test_that("language is described in words", {
  words <- list("a call" = quote(f(x)), "a symbol" = quote(x), "an expression" = expression(a), "a pairlist" =
                  pairlist(1), "an environment" = globalenv(), "an integer vector of length 2" = 1:2)
  for (i in seq_along(words)) expect_identical(describe(words[[i]]), names(words)[[i]])
})

test_that("T28, T33: what tuple() made of a vector is refused in R's words, and text where the loss needs numbers", {
  skip_without_keras()
  x <- matrix(1, 5, 1)
  refused <- function(targets, text) {
    batch <- reticulate::tuple(x, targets)
    e <- expect_error(train(linear_model(), function() batch, 1), class = "fitgenerator_batch_error")
    expect_match(conditionMessage(e), text)
    expect_identical(e$batch, 1L)
  }
  refused(c(1, 0, 1, 0, 1), "give as\\.array\\(targets\\)\\.")
  refused(array(rep("cat", 5)), "targets are text, and the loss needs numbers: give a factor")
})

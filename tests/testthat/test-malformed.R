# Batches of every wrong and unusual kind: trained on as their plain matrices, or refused in words.

skip_without_keras()

test_that("E2: every batch trains as its plain matrix does or is refused in words, and the session works on", {
  tried <- try_malformed_cases(60, 1)
  failed <- tried[tried$word == "FAILED", ]
  expect_identical(paste(failed$place, failed$label, failed$text), character())
  expect_gt(sum(tried$word == "trained"), 5)
  expect_gt(sum(tried$word == "batch_error"), 5)
  expect_identical(our_threads(), character())
})

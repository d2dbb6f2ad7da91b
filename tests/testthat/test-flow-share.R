# The part of an indexed source that one of several processes reads.

skip_without_keras()

# Batch i consists of the values i.
indexed_batch <- function(i) list(matrix(i + 0, 2L, 1L), matrix(0, 2L, 1L))

test_that("The shares of a sequence have as many batches, and none in common", {
  asked <- NULL
  batches <- batch_sequence(function(i) {
    asked <<- c(asked, i)
    indexed_batch(i)
  }, length = 7, shuffle = TRUE, seed = 1)
  seen <- lapply(0:1, function(index) {
    asked <<- NULL
    train(echo_model(), share_of(batches, index, 2), NULL, epochs = 2)
    asked
  })
  expect_identical(lengths(seen), c(6L, 6L))
  expect_length(unique(c(seen[[1L]][1:3], seen[[2L]][1:3])), 6L)
  expect_length(unique(c(seen[[1L]][4:6], seen[[2L]][4:6])), 6L)
  share <- share_of(batches, 1, 2)
  expect_length(share, 3L)
  expect_output(print(share), "A sequence of 3 batches, shuffled")
  share$shuffle <- FALSE
  expect_equal(as.vector(predict_generator(echo_model(), share)), rep(c(2, 4, 6), each = 2))
})

test_that("A flow is shared as well, and TF_CONFIG says which process this is", {
  flow <- flow_from_data(matrix(1:14 + 0), batch_size = 2, shuffle = FALSE)
  expect_equal(as.vector(predict_generator(echo_model(), share_of(flow, 1, 3))), c(3, 4, 9, 10))
  withr::local_envvar(TF_CONFIG = NA)
  expect_length(share_of(flow), 7L)
  config <- '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
  withr::local_envvar(TF_CONFIG = config)
  reticulate::import("os")$environ$update(list(TF_CONFIG = config)) # Python has its own
  withr::defer(reticulate::import("os")$environ$pop("TF_CONFIG"))
  expect_length(share_of(flow), 3L)
  expect_equal(as.vector(predict_generator(echo_model(), share_of(batch_sequence(indexed_batch, 4)))),
               rep(c(2, 4), each = 2))
})

test_that("What cannot be shared is refused", {
  refused <- function(source, index, text, count = 2) {
    expect_error(share_of(source, index, count), text, class = "fitgenerator_argument_error")
  }
  batches <- batch_sequence(indexed_batch, 2)
  refused(function() NULL, 0, "`source` must be an indexed source")
  refused(reticulate::py_eval("iter([])", convert = FALSE), 0, "`source` must be an indexed source")
  refused(batches, 0, "`source` has 2 batches, fewer than the 3 processes", 3)
  refused(batches, 2, "`index` must be below `count`, 2, not 2")
  refused(batches, 0, "`index` needs `count`, too", NULL)
})

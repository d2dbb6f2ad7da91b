test_that("print shows each stage with seconds and share, the queue, and the verdict", {
  lines <- capture.output(print(some_pipeline()))
  expect_identical(lines, c(
    "Where the time went (2,000 steps, 2,010 batches drawn)",
    "  generator                  12.3 s  98 %",
    "  conversion to tensors      0.40 s   3 %",
    "  generator waited for room  0.00 s   0 %",
    "  model waited for data      8.00 s  63 %",
    "  steps of the model         3.60 s  29 %",
    "  callbacks                  0.70 s   6 %",
    "  everything else            0.30 s   2 %",
    "  whole call                 12.6 s",
    "Queue: 0.2 of 10 batches waiting on average",
    "The model waited 63 % of the time for the generator."
  ))
})

test_that("print returns its pipeline, format the lines", {
  x <- some_pipeline()
  lines <- capture.output(shown <- print(x))
  expect_identical(shown, x)
  expect_identical(format(x), lines)
})

test_that("numbers that were not measured are left out", {
  unmeasured <- list(conversion = NULL, queue_fill = NULL, steps = NULL, batches = NULL, wall = NULL)
  lines <- format(do.call(some_pipeline, unmeasured))
  expect_identical(lines[[1]], "Where the time went")
  expect_no_match(lines, "conversion|Queue")
  expect_match(lines, "whole call +not measured", all = FALSE)
  expect_identical(format(new_pipeline(list())), c("Where the time went", "  whole call  not measured"))
})

test_that("several steps in a call are told of, and why there are not", {
  line <- function(...) utils::tail(format(some_pipeline(...)), 2)[[1]]
  expect_match(line(calls = 2000), "^Queue")
  expect_identical(line(calls = 250, xla_steps = 0), "2,000 steps in 250 calls")
  expect_identical(line(calls = 218, xla_steps = 1980), "2,000 steps in 218 calls, 1,980 of them compiled by XLA")
  expect_identical(line(calls = 2000, fallback = "loop: a reason"), "2,000 steps in 2,000 calls (no loop: a reason)")
})

test_that("Workers are told of, and how busy they were", {
  busy <- function(...) grep("^Workers", format(some_pipeline(workers = list(...))), value = TRUE)
  expect_identical(busy("worker 1" = 12, "worker 2" = 9), "Workers: 2, busy for 71 % to 95 % of the time")
  expect_identical(busy("worker 1" = 12.6), "Workers: 1, busy for 100 % of the time")
  expect_length(busy(), 0L)
})

test_that("lock-step is said in words", {
  expect_match(format(some_pipeline(max_queue_size = 0)), "^No queue", all = FALSE)
})

test_that("T26: callbacks and everything else are stages, and the stages of the training add up to the call", {
  skip_without_keras()
  pause <- function(...) Sys.sleep(0.05) # nolint: undesirable_function_linter. It is measured.
  model <- echo_model()
  train(model, numbered(), 2)
  hooks <- list(list(on_train_batch_end = pause), keras()$callbacks$LambdaCallback(on_epoch_end = pause))
  slow <- function() { pause(); list(matrix(1, 2, 1), matrix(0, 2, 1)) }
  for (size in c(0, 10)) {
    x <- train(model, slow, 4, epochs = 2, callbacks = hooks, max_queue_size = size)$pipeline
    expect_gte(x$callbacks, 0.5)
    expect_equal(x$model_waited + x$step + x$callbacks + x$other, x$wall)
    expect_lt(x$other, x$wall / 3)
    lines <- format(x)
    expect_match(lines, "^  callbacks +0[.][5-9]", all = FALSE)
    expect_match(lines, "^  everything else +0", all = FALSE)
  }
  called <- x$timeline[x$timeline$what == "callbacks", ]
  expect_identical(called$batch, c(1:4, 4L, 5:8, 8L))
})

test_that("T28: a decimal comma of the session does not disturb the printing", {
  withr::local_options(OutDec = ",")
  expect_silent(lines <- format(some_pipeline()))
  expect_match(lines[[1L]], "2,000 steps, 2,010 batches", fixed = TRUE)
})

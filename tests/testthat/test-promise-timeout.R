# `timeout` ends a generator that is stuck, and shows where it stands.

skip_without_keras()

# A closure that runs `act` in call `n` and returns batches otherwise.
stuck_at <- function(n, act) {
  calls <- 0
  batch <- random_batches()
  function() {
    calls <<- calls + 1
    if (calls == n) act()
    batch()
  }
}

helper <- function(seconds) {
  Sys.sleep(seconds) # nolint: undesirable_function_linter. Nothing to wait for: it is to be stopped.
}

timed_out <- function(...) {
  begun <- Sys.time()
  e <- expect_error(train(..., timeout = 0.3), class = "fitgenerator_timeout_error")
  expect_lt(as.numeric(difftime(Sys.time(), begun, units = "secs")), 10)
  conditionMessage(e)
}

test_that("a closure that takes too long is stopped, with the calls in which it stands", {
  model <- linear_model()
  for (size in c(0, 1, 10)) {
    said <- timed_out(model, stuck_at(3, function() helper(60)), 5, max_queue_size = size)
    expect_identical(said, paste0(
      "`generator` gave no batch 3 within 0.3 seconds (`timeout`). It stands at:\n",
      "  generator()\n  act()\n  helper(60)\n  Sys.sleep(seconds)"
    ))
    expect_clean(model)
  }
  said <- timed_out(model, stuck_at(1, function() repeat sqrt(2)), 5)
  expect_match(said, "gave no batch 1 within")
  expect_clean(model)
})

test_that("so is one that validates, or is evaluated", {
  model <- linear_model()
  closure <- stuck_at(3, function() helper(60))
  said <- timed_out(model, random_batches(), 2, validation_data = closure, validation_steps = 4)
  expect_match(said, "^`validation_data` gave no batch 3 within .* helper\\(60\\)")
  e <- expect_error(evaluate_generator(model, stuck_at(2, function() helper(60)), 5, timeout = 0.3),
                    class = "fitgenerator_timeout_error")
  expect_match(conditionMessage(e), "gave no batch 2")
  expect_clean(model)
})

test_that("a closure that takes the interrupt itself, or cannot be interrupted, fails when it returns", {
  model <- linear_model()
  takes <- stuck_at(3, function() tryCatch(helper(60), interrupt = function(cnd) NULL))
  said <- timed_out(model, takes, 5)
  expect_match(said, "gave no batch 3 within 0.3 seconds")
  expect_clean(model)
  foreign <- stuck_at(3, function() system("sleep 1"))
  said <- timed_out(model, foreign, 5)
  expect_match(said, "gave no batch 3 within 0.3 seconds")
  expect_clean(model)
})

test_that("a closure that is quick enough, and one that is only slow in sum, is let be", {
  model <- linear_model()
  expect_length(train(model, stuck_at(3, function() helper(0.2)), 5, timeout = 5)$epoch, 1)
  slow <- function() { helper(0.1); random_batches()() }
  expect_length(train(model, slow, 10, timeout = 5, max_queue_size = 1)$epoch, 1)
})

test_that("the user's own interrupt stays one where there is a timeout", {
  done <- run_r(quote({
    signals <- function() {
      press_ctrl_c()
      for (i in 1:1e6) sqrt(i)
      random_batches()()
    }
    cat(tryCatch(train(linear_model(), signals, 5, timeout = 30), interrupt = function(cnd) "interrupt"),
        our_threads(), "\n")
  }))
  expect_process(done, "^interrupt *\n$")
})

test_that("O2: without a way to signal a thread, as on Windows, an R function is stopped all the same", {
  done <- run_r(quote({
    reticulate::py_run_string("import signal; vars(signal).pop('pthread_kill', None)")
    # It computes: where R sleeps on Linux, it takes signals by a jump, which another thread must not make.
    slow <- function() for (i in 1:1e10) sqrt(i)
    train(model <- linear_model(), random_batches(), 2) # what a first call takes is not looked at
    begun <- Sys.time()
    error <- tryCatch(train(model, slow, 5, timeout = 1), error = identity)
    took <- as.numeric(difftime(Sys.time(), begun, units = "secs"))
    cat(class(error)[[1L]], conditionMessage(error), if (took < 10) "soon", our_threads(), "\n")
    interrupts <- function() {
      reticulate::import("signal")$raise_signal(2L)
      for (i in 1:1e6) sqrt(i)
      random_batches()()
    }
    cat(tryCatch(train(linear_model(), interrupts, 5, timeout = 30), interrupt = function(cnd) "interrupt"), "\n")
  }))
  expect_process(done, c("^fitgenerator_timeout_error `generator` gave no batch 1 .*soon", "interrupt"))
})

test_that("a Python generator that takes too long is named, with its Python stack", {
  reticulate::py_run_string(paste(
    "import time, numpy as np",
    "def fitgenerator_test_stuck():",
    "    yield np.ones((2, 1)), np.ones((2, 1))",
    "    time.sleep(1.5)",
    "    yield np.ones((2, 1)), np.ones((2, 1))",
    sep = "\n"
  ))
  for (size in c(0, 10)) {
    said <- timed_out(linear_model(), reticulate::py$fitgenerator_test_stuck(), 5, max_queue_size = size)
    expect_match(said, "^`generator` gave no batch 2 within 0.3 seconds.* in fitgenerator_test_stuck")
  }
  expect_identical(our_threads(), character())
})

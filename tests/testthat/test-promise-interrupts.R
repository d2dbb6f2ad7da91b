# Rule 2: an interrupt arrives, whatever runs. Each setting in a process of its own, several trials each.
# bench/endurance/interrupts.R runs more of them.

skip_without_keras()
skip_on_os("windows")

trials_of <- function(setting, trials = 5) {
  script <- normalizePath(test_path("trials", "interrupts.R"))
  done <- run_script(script, timeout = 120, args = c(setting, trials))
  expect_process(done)
  found <- utils::read.table(text = done$stdout, fill = TRUE, quote = "", sep = " ",
                             col.names = c("setting", "outcome", "seconds", "note", "rest"))
  expect_equal(nrow(found), trials, info = done$stdout)
  expect_identical(found$outcome, rep("arrived", trials), info = done$stdout)
  found$seconds
}

# Some seconds for a machine that is busy with something else.
in_time <- 5

test_that("rule 2, F1: interrupts arrive while a closure of matrices trains", {
  expect_true(all(trials_of("matrices") < in_time))
})

test_that("rule 2, F1: interrupts arrive while a closure of data frames and factors trains", {
  expect_true(all(trials_of("frames") < in_time))
})

test_that("rule 2, F1: interrupts arrive while an R function in a LambdaCallback runs", {
  expect_true(all(trials_of("lambda") < in_time))
})

test_that("rule 2, F1: interrupts arrive while a closure predicts with the model", {
  expect_true(all(trials_of("predicts") < in_time))
})

test_that("rule 2, F1: interrupts arrive while an R loss is traced", {
  expect_true(all(trials_of("traces") < in_time))
})

test_that("rule 2, F1: interrupts arrive while a flow of images calls an R function", {
  expect_true(all(trials_of("images") < in_time))
})

test_that("rule 2, F1: interrupts arrive while a batch of a flow is drawn by hand", {
  expect_true(all(trials_of("draws", 3) < in_time))
})

test_that("T13: interrupts arrive while R code inside a Python source runs", {
  for (setting in c("iterator", "calls", "dataset")) expect_true(all(trials_of(setting) < in_time))
  for (setting in c("evaluated", "predicted")) expect_true(all(trials_of(setting, 3) < in_time))
  expect_true(all(trials_of("naps") < 2))
})

test_that("F2: interrupts arrive while a Python generator sleeps by itself", {
  expect_true(all(trials_of("rests") < in_time))
})

test_that("F2: an interrupt ends a long closure", {
  expect_true(all(trials_of("sleeps", 3) < 2))
})

test_that("rule 2: while a call runs Python's handler stands by and C's stays", {
  outside <- interrupt_handlers()
  inside <- list()
  look <- function(...) inside <<- c(inside, list(interrupt_handlers()))
  closure <- function() { look(); random_batches()() }
  train(linear_model(), closure, 2, callbacks = list(list(on_epoch_end = look),
                                                     keras()$callbacks$LambdaCallback(on_epoch_end = look)))
  expect_length(inside, 4)
  for (one in inside) {
    expect_match(one[[1]], "_stand_by")
    expect_identical(one[[2]], outside[[2]])
  }
  expect_identical(interrupt_handlers(), outside)
})

test_that("rule 2: Python code ends first, and R code below Python; other R code is left at once", {
  done <- run_r(quote({
    signal_self <- press_ctrl_c
    reticulate::py_run_string(paste(
      "import os, signal", "def signal_and_work():", "    os.kill(os.getpid(), signal.SIGINT)",
      "    print('python', sum(range(10**6)), flush=True)", sep = "\n"
    ))
    in_python <- reticulate::py_get_attr(reticulate::import_main(), "signal_and_work")
    in_r <- function() {
      signal_self()
      for (i in 1:1e6) sqrt(i)
    }
    batch <- random_batches()
    lambda <- keras()$callbacks$LambdaCallback
    act <- function(what) { in_r(); cat(what, "") }
    try_it <- function(what, ..., model = linear_model()) {
      cat(what, ": ", sep = "")
      cat(tryCatch(train(model, ...), interrupt = function(cnd) "interrupt"), our_threads(), "\n")
    }
    try_it("python", function() { in_python(); batch() }, 5)
    try_it("closure", function() { act("R"); batch() }, 5)
    try_it("hook", batch, 5, callbacks = list(on_epoch_end = function(logs) act("R")))
    try_it("lambda", batch, 5, callbacks = list(lambda(on_epoch_end = function(epoch, logs) act("R"))))
    loss <- function(y, p) { act("R"); keras()$ops$mean(y - p) }
    try_it("loss", batch, 5, model = linear_model(loss = loss))
  }))
  expect_process(done)
  expect_identical(strsplit(done$stdout, " *\n")[[1]], c(
    "python: python 499999500000", "interrupt", "closure: interrupt", "hook: interrupt",
    "lambda: R interrupt", "loss: R interrupt"
  ))
})

test_that("F1: after an interrupt nothing moves, the finished epochs are there, and a script stops", {
  done <- run_r(quote({
    model <- linear_model()
    batch <- random_batches()
    calls <- 0
    train(model, batch, 1)
    interrupt <- press_ctrl_c
    hooks <- list(on_epoch_begin = function(epoch, logs) if (epoch == 3) interrupt())
    counted <- function() { calls <<- calls + 1; batch() }
    said <- tryCatch(train(model, counted, 5, epochs = 100, callbacks = hooks), interrupt = class)
    cat("caught", said, "epochs", last_history()$epoch, last_history()$incomplete, "\n")
    before <- c(calls, iterations_of(model))
    system2("sleep", "1")
    cat("moved", c(calls, iterations_of(model)) - before, "threads", our_threads(), "\n")
    train(model, batch, 5, epochs = 100, callbacks = hooks)
    cat("not reached\n")
  }))
  expect_match(done$stdout, "caught interrupt condition epochs 0 1 2 TRUE \nmoved 0 0 threads +\n$")
  expect_false(done$status == 0)
  expect_lt(done$seconds, 60)
})

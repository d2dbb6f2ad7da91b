# Issue 16: what a function needs is found and sent; what forbids other processes is refused before the first batch.

skip_without_workers()

test_that("Globals, functions that they need, attached packages, options and the folder are there", {
  at_top <- c("fitgenerator_test_data", "fitgenerator_test_scale", "fitgenerator_test_factor")
  on.exit(rm(list = at_top, envir = globalenv()))
  assign(at_top[[1L]], matrix(as.numeric(1:8), 8L), globalenv())
  assign(at_top[[2L]], eval(quote(function(x) x * fitgenerator_test_factor), globalenv()), globalenv())
  assign(at_top[[3L]], 3, globalenv())
  old <- options(fitgenerator.test = 7, digits = 5)
  on.exit(options(old), add = TRUE)
  fn <- eval(quote(function(i) {
    stopifnot(getOption("fitgenerator.test") == 7, getOption("digits") == 5, file.exists("helper-workers.R"))
    x <- fitgenerator_test_scale(fitgenerator_test_data[i, , drop = FALSE])
    list(x, matrix(0, 1L, 1L))
  }), globalenv())
  history <- train(echo_model(), batch_sequence(fn, 8), NULL, workers = 2)
  expect_equal(history$metrics$loss, 13.5)
  closed <- local({
    data <- 5
    helper <- function(i) data + i
    function(i) list(matrix(helper(i), 1L), matrix(0, 1L))
  })
  expect_equal(train(echo_model(), batch_sequence(closed, 4), NULL, workers = 2)$metrics$loss, 7.5)
  suppressPackageStartupMessages(library(splines))
  on.exit(detach("package:splines"), add = TRUE)
  spline <- function(i) list(matrix(bs(1:5, df = 3)[i, 1L], 1L), matrix(0, 1L))
  expect_identical(losses_of(spline, 2, 4), losses_of(spline, NULL, 4))
})

test_that("Python objects around a function stay here, and its variables are shared there as they are here", {
  made_in <- function(model, batches = NULL, unset, weight = 2) {
    held <- list(model)
    calls <- 0
    count <- function() calls
    inner <- local({
      own <- model
      function(i) list(matrix(weight * i, 1L), matrix(0, 1L))
    })
    list(functions = list(list(fn = inner), list(fn = function(i) calls <<- calls + 1)), globals = list(count = count))
  }
  environment(made_in) <- globalenv()
  job <- made_in(reticulate::import("math"))
  here <- ls(environment(job$globals$count))
  there <- unpacked(packed(job, xdr = FALSE))
  expect_identical(ls(environment(job$globals$count)), here)
  frame <- environment(there$globals$count)
  expect_identical(sort(ls(frame)), c("batches", "calls", "count", "inner", "unset", "weight"))
  expect_identical(parent.env(frame), globalenv())
  expect_identical(ls(environment(there$functions[[1L]]$fn)), character())
  expect_identical(parent.env(environment(there$functions[[1L]]$fn)), frame)
  expect_identical(there$functions[[1L]]$fn(3), list(matrix(6, 1L), matrix(0, 1L)))
  there$functions[[2L]]$fn(1)
  expect_identical(there$globals$count(), 1)
  expect_identical(frame$count(), 1)
  expect_identical(environment(job$globals$count)$calls, 0)
  plain <- local({
    x <- 3
    list(functions = list(list(fn = function(i) x)), globals = list())
  }, globalenv())
  expect_length(frames_with_python(list(plain$functions[[1L]]$fn)), 0L)
})

test_that("Workers load neither reticulate nor this package for a function that a model is beside", {
  loaded <- eval(quote((function(model) {
    function(i) list(matrix(as.numeric("reticulate" %in% loadedNamespaces()), 1L), matrix(0, 1L))
  })(reticulate::import("math"))), globalenv())
  expect_identical(train(echo_model(), batch_sequence(loaded, 4), NULL, workers = 2)$metrics$loss, 0)
})

test_that("A function may change the folder, write, and open connections of its own", {
  moves <- function(i) {
    stopifnot(file.exists("helper-workers.R"))
    setwd(tempdir()) # nolint: undesirable_function_linter. The worker goes back.
    cat("noise\n")
    print(i)
    con <- textConnection("a line")
    on.exit(close(con))
    list(matrix(nchar(readLines(con)), 1L), matrix(0, 1L))
  }
  expect_output(history <- train(echo_model(), batch_sequence(moves, 6), NULL, workers = 2), NA)
  expect_equal(history$metrics$loss, 6)
})

refused <- function(text, fn) {
  expect_nothing_left({
    error <- expect_error(losses_of(fn, 2), text, class = "fitgenerator_argument_error")
    expect_identical(error$argument, "workers")
  })
}

test_that("A function that assigns outside of itself is refused, by the name of the variable", {
  count <- 0
  refused("assigns `count` outside of itself", function(i) {
    count <<- count + 1
    list(matrix(count, 1L), 0)
  })
  refused("assigns `count` outside", function(i) list(matrix((function() count[i] <<- 1)(), 1L), 0))
  refused("assigns `total` outside", function(i) assign("total", i, envir = globalenv()))
  calling <- evalq({
    helper <- function(x) count <<- x
    function(i) list(matrix(helper(i), 1L), 0)
  }, new.env(parent = globalenv()))
  refused("assigns `count` outside .* function\\(i\\)", calling)
  # On R's own thread, and with variables of its own, it is allowed.
  counts <- function(i) {
    sum <- 0
    lapply(1:3, function(k) sum <<- sum + k)
    assign("also", 1)
    list(matrix(sum, 1L), matrix(0, 1L))
  }
  expect_identical(losses_of(counts, 2), losses_of(counts, NULL))
})

test_that("Connections, pointers and Python objects that it uses are refused by name; others do not matter", {
  con <- textConnection("a")
  on.exit(close(con))
  refused("uses `con`, a connection", function(i) readLines(con))
  model <- linear_model()
  refused("uses `model`, an object of Python", function(i) model$predict(i))
  nested <- list(a = list(model))
  refused("uses `nested`, with an object of Python", function(i) nested$a)
  fine <- function(i) list(matrix(i, 1L), matrix(0, 1L)) # `con` and `model` are in the same place
  expect_identical(losses_of(fine, 2), losses_of(fine, 1))
})

test_that("A package that is missing in a worker, and one that is missing here, are errors that name it", {
  needs <- function(...) list(globals = list(), packages = "noSuchPackage")
  error <- expect_error(
    with_mocked("needs_of", needs, losses_of(drawn_batch, 2)),
    "could not be set up.*noSuchPackage", class = "fitgenerator_worker_error"
  )
  expect_identical(error$batch, 1L)
})

test_that("A function of no number trains on R's own thread, with one message that says how to change it", {
  expect_message(
    history <- train(echo_model(), numbered(), 4, workers = 3),
    "`workers` = 3 has no effect on `generator`.*batch_sequence\\(generator, length = Inf, seed = 1\\)"
  )
  expect_equal(history$metrics$loss, 2.5)
  expect_message(train(echo_model(), numbered(), 4, workers = 1), NA)
})

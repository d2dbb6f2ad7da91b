# Issue 16: methods and classes, which no function names, are in workers what they are in the session.

skip_without_workers()

# The session after `code`, which is taken back when the frame ends.
local_session <- function(code, frame = parent.frame()) {
  before <- ls(globalenv(), all.names = TRUE)
  eval(code, globalenv())
  new <- setdiff(ls(globalenv(), all.names = TRUE), before)
  s4 <- lapply(s4_here(), function(part) part[intersect(names(part), new)])
  withr::defer({
    remove_s4(s4)
    rm(list = intersect(new, ls(globalenv(), all.names = TRUE)), envir = globalenv())
  }, envir = frame)
}

# Expects that workers make of `fn`, a function of global variables, what the session makes of it.
expect_same_everywhere <- function(fn, kinds = "own") {
  environment(fn) <- globalenv()
  alone <- losses_of(fn, NULL, 2)
  for (kind in worker_kinds[kinds]) {
    workers <- kind$start()
    for (k in 1:2) expect_identical(losses_of(fn, workers, 2), alone) # nodes of the user's are called twice
    kind$end(workers)
  }
}

all_kinds <- c("own", "cluster", if (nzchar(system.file(package = "mirai"))) "mirai")

test_that("S3 methods of the session are there, with what they need", {
  local_session(quote({
    fg_test_low <- function(x) min(x)
    fg_test_con <- stdin() # cannot be sent, and is not needed
    print.fg_test <- function(x, ...) readLines(fg_test_con)
    scale.fg_test <- function(x, ...) (unclass(x) - fg_test_low(x)) / max(x)
    Ops.fg_test <- function(e1, e2) 3 * unclass(e1)
    registerS3method("mean", "fg_test", function(x, ...) 40, envir = globalenv())
    fg_test_x <- structure(matrix(1:4 / 8), class = "fg_test")
  }))
  withr::defer(rm("mean.fg_test", envir = asNamespace("base")[[".__S3MethodsTable__."]]))
  fn <- function(i) list(scale(fg_test_x) + (fg_test_x + mean(fg_test_x)), matrix(mean(fg_test_x), 4L))
  expect_same_everywhere(fn, all_kinds)
})

test_that("Classes and methods of S4, and reference classes, are there", {
  local_session(quote({
    setClass("FgTest", representation(v = "numeric"))
    setClass("FgTestMore", contains = "FgTest", validity = function(object) if (any(object@v < 0)) "below 0" else TRUE)
    setClassUnion("FgTestEither", c("FgTest", "character"))
    fg_test_ten <- function() 10
    setMethod("length", "FgTest", function(x) as.integer(fg_test_ten()))
    setMethod("summary", "FgTest", function(object, ...) 5)
    setMethod("+", signature("FgTest", "FgTest"), function(e1, e2) e1@v + e2@v)
    setGeneric("fg_test_area", function(x) standardGeneric("fg_test_area"))
    setMethod("fg_test_area", "FgTest", function(x) 100)
    setMethod("fg_test_area", "FgTestEither", function(x) 200)
    setMethod("fg_test_area", "FgTestMore", function(x) 1 + callNextMethod())
    setAs("FgTest", "numeric", function(from) 7)
    fg_test_count <- setRefClass("FgTestCount", fields = list(n = "numeric"), methods = list(twice = function() 2 * n))
    fg_test_x <- new("FgTestMore", v = 2)
  }))
  expect_same_everywhere(function(i) {
    bad <- tryCatch(new("FgTestMore", v = -1), error = conditionMessage)
    x <- c(
      length(fg_test_x), fg_test_x + fg_test_x, fg_test_area(new("FgTestMore")), fg_test_area("a"), nchar(bad),
      summary(fg_test_x), as(fg_test_x, "numeric"), fg_test_count$new(n = 4)$twice()
    )
    list(matrix(x / 100), matrix(0, length(x)))
  }, all_kinds)
})

test_that("Nodes of a cluster are put back, and keep classes and methods of their own", {
  local_session(quote({
    setClass("FgTest", representation(v = "numeric"))
    setClass("FgTestOther", contains = "FgTest")
    setMethod("length", "FgTest", function(x) 10L)
    setGeneric("fg_test_area", function(x) standardGeneric("fg_test_area"))
    setMethod("fg_test_area", "FgTest", function(x) 100)
  }))
  fn <- function(i) list(matrix(length(new("FgTest")) + fg_test_area(new("FgTestOther"))), matrix(0, 1L))
  environment(fn) <- globalenv()
  alone <- losses_of(fn, NULL, 20)
  with_cluster(parallel::makeCluster(2), function(cl, pids) {
    there <- function(code) parallel::clusterCall(cl, eval, code, globalenv())
    listed <- quote(list(sort(ls(globalenv(), all.names = TRUE)), isGeneric("fg_test_area"), isClass("FgTest")))
    before <- there(listed)
    expect_identical(losses_of(fn, cl, 20), alone)
    expect_identical(there(listed), before)
    there(quote({
      setClass("FgTest", representation(w = "character"))
      setMethod("length", "FgTest", function(x) 99L)
      setMethod("names", "FgTest", function(x) x@w)
      setGeneric("fg_test_area", function(x) standardGeneric("fg_test_area"))
      setMethod("fg_test_area", "FgTest", function(x) 98)
      NULL
    }))
    before <- there(listed)
    expect_identical(losses_of(fn, cl, 20), alone)
    expect_identical(there(listed), before)
    theirs <- there(quote({
      x <- new("FgTest", w = "b")
      list(length(x), names(x), fg_test_area(x))
    }))
    expect_identical(theirs, rep(list(list(99L, "b", 98)), 2))
  })
})

test_that("Packages with methods for what is sent are there", {
  skip_if_not_installed("Matrix")
  local_session(quote(fg_test_x <- Matrix::Matrix(diag(4), sparse = TRUE)))
  fn <- function(i) list(as.matrix(fg_test_x[1:4, 1L, drop = FALSE]), matrix(i, 4L))
  expect_same_everywhere(fn, c("own", "cluster"))
  skip_if_not_installed("tibble")
  local_session(quote(fg_test_y <- list(tibble::tibble(a = 1:4 / 4, b = 1:4 / 8))))
  expect_same_everywhere(function(i) list(matrix(length(fg_test_y[[1L]][, "a"]), 4L), matrix(i, 4L)))
})

test_that("Packages are attached as they are in the session, and not if they are only loaded", {
  before <- search()
  suppressPackageStartupMessages({
    library(splines)
    library(tools)
  })
  withr::defer(for (name in setdiff(search(), before)) detach(name, character.only = TRUE))
  session <- rev(sub("^package:", "", search()))
  packages <- packages_for(c("tools", "splines", "noSuchPackage"), c("parallel", "tools"))
  expect_identical(packages$attach, intersect(session, c("splines", "tools", "parallel")))
  expect_identical(packages$load, setdiff(c("noSuchPackage", "parallel"), session))
  loaded <- function(i) {
    used <- c(parallel::mcparallel, bs)
    list(matrix("package:parallel" %in% search(), 1L), matrix("package:splines" %in% search(), 1L))
  }
  expect_same_everywhere(loaded)
})

test_that("A package that a worker does not have is an error only if a function needs it", {
  take_packages(list(needed = NULL, load = "noSuchPackage", attach = "noSuchPackageEither"))
  expect_error(take_packages(list(needed = "noSuchPackage", load = "noSuchPackage")), "noSuchPackage")
  expect_error(take_packages(list(needed = "noSuchPackage", attach = "noSuchPackage")), "noSuchPackage")
})

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

test_that("Methods that were registered, and those for generics of packages that are not attached, are there", {
  local_session(quote({
    fg_test_area <- function(x, ...) UseMethod("fg_test_area")
    assign("fg_test_area.default", function(x, ...) -1)
    registerS3method("fg_test_area", "fg_test_square", function(x, ...) 1, envir = globalenv())
    assign("splineKnots.fg_test_square", function(object) 3) # of a package that may not be loaded yet
    fg_test_x <- structure(list(), class = "fg_test_square")
  }))
  withr::defer(rm(list = ".__S3MethodsTable__.", envir = globalenv()))
  unloadNamespace("splines")
  fn <- function(i) {
    list(matrix(c(fg_test_area(fg_test_x), fg_test_area(1), splines::splineKnots(fg_test_x))), matrix(0, 3L))
  }
  expect_same_everywhere(fn, c("own", "cluster"))
})

test_that("Data that is attached has no methods for dispatch, there as here", {
  data <- list(mean.fg_test = function(x, ...) 7)
  attach(data, name = "fg_test_data")
  withr::defer(detach("fg_test_data", character.only = TRUE))
  expect_same_everywhere(function(i) list(matrix(mean(structure(1, class = "fg_test"))), matrix(0, 1L)))
})

test_that("What else lies in the global environment is no error", {
  local_session(quote({
    assign(".ls.objects", function(...) 1) # `isS3method()` fails with such a name
    delayedAssign("fg.test.lazy", stop("lazy"))
    makeActiveBinding("fg.test.active", function() stop("active"), globalenv())
    makeActiveBinding("fg_test_active", function() stop("active"), globalenv())
    fg_test_missing <- quote(expr = ) # nolint: spaces_inside_linter.
    fg_test_alist <- alist(a = , b = 1)
    print.fg_test <- function(x, ...) c(fg.test.lazy, fg_test_active, fg_test_missing, fg_test_alist)
    summary.fg_test <- function(object, ...) fg_test_alist$b
  }))
  expect_true(all(c("print.fg_test", "summary.fg_test") %in% names(session_dispatch()$globals)))
  fn <- function(i) list(matrix(c(summary(structure(1, class = "fg_test")), length(fg_test_alist))), matrix(0, 2L))
  expect_same_everywhere(fn)
})

test_that("A method that assigns outside of itself is refused, if it is one for what is used", {
  local_session(quote({
    fg_test_count <- 0
    `[.fg_test` <- function(x, i) {
      fg_test_count <<- fg_test_count + i
      fg_test_count
    }
    fg_test_x <- structure(list(), class = "fg_test")
  }))
  using <- eval(quote(function(i) list(matrix(fg_test_x[i]), matrix(0, 1L))), globalenv())
  expect_error(losses_of(using, 2), "assigns `fg_test_count` outside", class = "fitgenerator_argument_error")
  expect_same_everywhere(function(i) list(matrix(i), matrix(0, 1L)))
})

test_that("Many methods with helpers in common are looked through at once", {
  local_session(quote({
    for (k in 1:30) assign(paste0("fg_test_h", k), eval(bquote(function(x) .(as.name(paste0("fg_test_h", k + 1)))(x))))
    fg_test_h31 <- function(x) 5
    for (k in 1:60) assign(paste0("print.fg_test", k), eval(bquote(function(x, ...) fg_test_h1(x))))
  }))
  found <- globals_used(s3_methods(character()))
  expect_length(found, 1L)
  expect_true(all(paste0("fg_test_h", 1:31) %in% names(found[[1L]])))
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
  local_session(quote({
    setClass("FgTestHolder", representation(d = "ANY"))
    fg_test_y <- list(tibble::tibble(a = 1:4 / 4, b = 1:4 / 8))
    fg_test_holder <- new("FgTestHolder", d = fg_test_y[[1L]])
    fg_test_env <- structure(list2env(list(d = fg_test_y[[1L]])), class = "fg_test_env") # as one of R6
    fg_test_attr <- structure(1, d = fg_test_y[[1L]])
  }))
  of_tibble <- function(use) {
    eval(bquote(function(i) list(matrix(length(.(use)[, "a"]), 4L), matrix(i, 4L))), globalenv())
  }
  expect_same_everywhere(of_tibble(quote(fg_test_y[[1L]])))
  for (use in list(quote(fg_test_holder@d), quote(fg_test_env$d), quote(attr(fg_test_attr, "d")))) {
    expect_true("tibble" %in% needs_of(list(of_tibble(use)), "generator")$others)
  }
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
  local_session(quote({
    setClass("FgTest", representation(v = "numeric"))
    setGeneric("fg_test_area", function(x) standardGeneric("fg_test_area"))
    setMethod("fg_test_area", "FgTest", function(x) 100)
  }))
  s4 <- s4_here()
  s4$tables <- s4$tables[".__T__fg_test_area:.GlobalEnv"]
  attr(s4$tables[[1L]]$FgTest@generic, "package") <- "noSuchPackage"
  expect_no_error(define_s4(s4))
  expect_no_error(remove_s4(s4))
  take_packages(list(needed = NULL, load = "noSuchPackage", attach = "noSuchPackageEither"))
  expect_error(take_packages(list(needed = "noSuchPackage", load = "noSuchPackage")), "noSuchPackage")
  expect_error(take_packages(list(needed = "noSuchPackage", attach = "noSuchPackage")), "noSuchPackage")
})

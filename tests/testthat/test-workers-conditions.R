# Issue 16: what functions signal in worker processes arrives in the session as it does from R's own thread.

skip_without_workers()

condition_of <- function(fn, workers, ...) {
  tryCatch(losses_of(fn, workers, ...), error = identity)
}

test_that("An error has the classes, message, call, place and batch that it has on R's own thread", {
  kinds <- list(
    function() stop("no such file: a.png"),
    function() stop(errorCondition("odd", class = c("no_signal", "lost"), call = quote(f(1)))),
    function() log(-1:2 + "a"),
    function() (function(n) sys.function()(n))(1),
    function() stop("caf\u00e9 \u20ac", call. = FALSE)
  )
  for (fails in kinds) {
    fn <- function(i) if (i == 3) fails() else list(matrix(0, 1, 1), 0)
    here <- condition_of(fn, NULL)
    there <- condition_of(fn, 2)
    expect_identical(class(there), class(here))
    if (inherits(here$parent, "stackOverflowError")) next # how deep it went differs
    expect_identical(conditionMessage(there), conditionMessage(here))
    expect_identical(class(there$parent), class(here$parent))
    expect_identical(conditionMessage(there$parent), conditionMessage(here$parent))
    expect_equal(conditionCall(there$parent), conditionCall(here$parent), ignore_attr = TRUE)
    expect_identical(there[c("place", "batch", "stage")], here[c("place", "batch", "stage")])
    expect_identical(there$batch, 3L)
  }
  expect_clean(linear_model())
})

test_that("A condition with bytes that are no text, and one that cannot be read, arrive as what they are", {
  fails <- function(cnd) {
    force(cnd)
    found <- condition_of(function(i) stop(cnd), 2)
    expect_s3_class(found, "fitgenerator_generator_error")
    found$parent
  }
  long <- fails(errorCondition("caf\xe9 is missing in row 17", class = "latin\xe9", call = call("f", "\xe9")))
  expect_match(conditionMessage(long), "caf<e9> is missing in row 17", fixed = TRUE)
  expect_s3_class(long, "latin<e9>")
  expect_match(conditionMessage(fails("caf\xe9 au lait")), "caf<e9> au", fixed = TRUE)
  odd <- fails(structure(class = c("odd", "error", "condition"), list(message = mean, call = mean)))
  expect_match(conditionMessage(odd), "The condition cannot be sent")
})

test_that("A value that is no batch is refused in the same words", {
  values <- list(3, NULL, list(1, 2, 3, 4), list(matrix(NA, 1, 1), 0), list(quote(x), 0), list(matrix(0, 2), 1:3))
  for (value in values) {
    fn <- function(i) if (i == 2) value else list(matrix(0, 1, 1), 0)
    here <- condition_of(fn, NULL)
    there <- condition_of(fn, 2)
    expect_identical(class(there), class(here))
    expect_identical(conditionMessage(there), conditionMessage(here))
    expect_identical(there$batch, here$batch)
  }
  deep <- function(i) list(array(0, rep(1, 12)), 0)
  expect_error(losses_of(deep, 2), "an array of 12 dimensions", class = "fitgenerator_batch_error")
})

test_that("An error in a validation batch, and in a later epoch, is found by its number", {
  unseen <- batch_sequence(function(i) if (i == 2) stop("unseen") else list(matrix(0, 1, 1), 0), 3, seed = 1)
  found <- tryCatch(losses_of(drawn_batch, 2, validation_data = unseen), error = identity)
  expect_identical(found[c("place", "batch")], list(place = "validation_data", batch = 2L))
  late <- function(i, epoch) if (epoch == 1 && i == 2) stop("late") else list(matrix(0, 1, 1), 0)
  expect_identical(condition_of(late, 2)$batch, 8L)
  expect_identical(condition_of(late, NULL)$batch, 8L)
})

test_that("Warnings and messages are signalled in the session, each once, with the number of their batch", {
  talk <- function(i) {
    if (i == 2) warning("odd weather")
    if (i == 4) message("half way")
    if (i == 5) warning(structure(class = c("my_warning", "warning", "condition"), list(message = "mine", call = NULL)))
    list(matrix(0, 1, 1), 0)
  }
  seen <- list()
  note <- function(restart) {
    function(cnd) {
      seen[[length(seen) + 1L]] <<- cnd
      invokeRestart(restart)
    }
  }
  expect_nothing_left(withCallingHandlers(
    losses_of(talk, 2, epochs = 1), warning = note("muffleWarning"), message = note("muffleMessage")
  ))
  seen <- seen[order(vapply(seen, function(cnd) cnd$batch, 0L))]
  expect_identical(vapply(seen, function(cnd) cnd$batch, 0L), c(2L, 4L, 5L))
  expect_identical(vapply(seen, conditionMessage, ""), c(
    "odd weather (batch 2 of `generator`)", "half way (batch 4 of `generator`)\n", "mine (batch 5 of `generator`)"
  ))
  expect_s3_class(seen[[3L]], "my_warning")
  # A handler that leaves the call ends it as it would on R's own thread.
  left <- expect_nothing_left(tryCatch(losses_of(talk, 2, epochs = 50), warning = function(cnd) "left"))
  expect_identical(left, "left")
  old <- options(warn = 2)
  on.exit(options(old))
  expect_error(losses_of(talk, 2), "odd weather", class = "fitgenerator_generator_error")
})

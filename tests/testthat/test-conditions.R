test_that("an error of ours is caught by its class, by ours, and by the class of its parent", {
  parent <- structure(class = c("disk_error", "error", "condition"), list(message = "disk full", call = NULL))
  for (class in c("fitgenerator_generator_error", "fitgenerator_error", "disk_error", "error")) {
    taken <- NULL
    handlers <- structure(list(function(e) taken <<- e), names = class)
    do.call(tryCatch, c(list(quote(stop(generator_error(parent, "generator", 3L)))), handlers))
    expect_identical(taken$parent, parent)
  }
  expect_identical(conditionMessage(taken), "The code of `generator` failed at batch 3: disk full")
  expect_identical(taken$batch, 3L)
  expect_identical(tail(class(taken), 2), c("error", "condition"))
})

test_that("a callback's error names the hook", {
  e <- callback_error(simpleError("no \"x\""), "on_epoch_end", "Mine")
  expect_identical(conditionMessage(e), "`on_epoch_end` of the callback `Mine` failed: no \"x\"")
  expect_s3_class(e, "fitgenerator_callback_error")
})

test_that("the text of a parent from rlang is ours alone", {
  skip_if_not_installed("rlang")
  parent <- tryCatch(rlang::abort(c("first", i = "second"), class = "theirs"), error = identity)
  e <- tryCatch(stop(generator_error(parent, "generator", 2L)), theirs = identity)
  expect_match(conditionMessage(e), "^The code of `generator` failed at batch 2: first\n.*second$")
})

test_that("the warning of an early end is a warning with a class", {
  ended <- list(warnings = list(list("Short.", "EndedEarlyWarning")), value = 1)
  expect_warning(resolve(ended), class = "fitgenerator_ended_warning")
  expect_warning(resolve(ended), class = "fitgenerator_warning")
})

test_that("every kind of warning of the core's has a class of its own", {
  for (kind in names(warning_classes)) {
    given <- list(warnings = list(list("Text.", kind)), value = 1)
    expect_warning(expect_identical(resolve(given), 1), "Text.", class = warning_classes[[kind]])
  }
  expect_identical(anyDuplicated(warning_classes), 0L)
})

test_that("an exception of Python keeps its class and its notes", {
  skip_if_not(tryCatch(reticulate::py_module_available("numpy"), error = function(e) FALSE), "python")
  code <- "e = KeyError('gone')\ne.add_note('at batch 2')\nraise e"
  exception <- tryCatch(reticulate::py_run_string(code), error = identity)
  e <- python_error(exception)
  expect_identical(conditionMessage(e), "KeyError: 'gone'\nat batch 2")
  expect_s3_class(e, "python.builtin.KeyError")
  expect_s3_class(e$exception, "python.builtin.KeyError")
  expect_identical(tryCatch(stop(e), python.builtin.LookupError = class)[[1]], "fitgenerator_python_error")
})

test_that("a long text of Python's keeps its beginning and its end, where our notes are", {
  text <- shortened(paste0("First.", strrep("x", 1e5), "\nWhile batch 3 of `generator` was evaluated."))
  expect_match(text, "^First\\.x+\n\\[\\.\\.\\.\\]\nx+\nWhile batch 3 of `generator` was evaluated\\.$")
  expect_lt(nchar(text), 1500)
  expect_identical(shortened("Short."), "Short.")
})

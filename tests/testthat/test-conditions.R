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

# -- fields ------------------------------------------------------------------------------------------------------------

fields <- c("place", "batch", "stage", "image", "callback", "hook", "argument")

# The fields of a condition that say what is to blame, and where.
said_in_fields <- function(call) {
  e <- tryCatch(call, fitgenerator_error = identity)
  testthat::expect_s3_class(e, "fitgenerator_error")
  Filter(Negate(is.null), unclass(e)[fields])
}

made_by <- function(place, batch, ...) list(place = place, batch = batch, stage = "made", ...)

failing_at <- function(number, act = function() stop("no")) {
  calls <- 0
  function() if ((calls <<- calls + 1) == number) act() else random_batches()()
}

test_that("an error of an R closure says in fields which batch of which argument it was", {
  skip_without_keras()
  model <- linear_model()
  expect_identical(said_in_fields(train(model, failing_at(3), 5)), made_by("generator", 3L))
  unseen <- failing_at(2)
  expect_identical(said_in_fields(train(model, random_batches(), 2, validation_data = unseen, validation_steps = 2)),
                   made_by("validation_data", 2L))
  for (call in list(evaluate_generator, predict_generator)) {
    expect_identical(said_in_fields(call(model, failing_at(2), 3)), made_by("generator", 2L))
  }
  expect_identical(said_in_fields(train(model, failing_at(2, function() 1), 3)), made_by("generator", 2L))
  expect_identical(said_in_fields(train(model, failing_at(2, function() list(1:2, 1:3)), 3)), made_by("generator", 2L))
  slow <- failing_at(2, function() repeat sqrt(2))
  expect_identical(said_in_fields(train(model, slow, 3, timeout = 0.5)), made_by("generator", 2L))
  expect_identical(said_in_fields(evaluate_generator(model, function() NULL, 3)), list(place = "generator"))
})

test_that("so does an error of a Python generator", {
  skip_without_keras()
  source <- function() python_generator(c("yield from ()", "raise KeyError('gone')"))
  model <- linear_model()
  expect_identical(said_in_fields(train(model, source(), 2)), made_by("generator", 1L))
  unseen <- said_in_fields(train(model, random_batches(), 2, validation_data = source(), validation_steps = 2))
  expect_identical(unseen, made_by("validation_data", 1L))
  slow <- python_generator(c("import time", "time.sleep(0.5)", "yield 1"))
  expect_identical(said_in_fields(train(model, slow, 2, timeout = 0.05)), made_by("generator", 1L))
})

test_that("an error of a callback says in fields which callback and which hook it was", {
  skip_without_keras()
  hook <- function(epoch, logs) stop("no")
  of_keras <- keras()$callbacks$LambdaCallback(on_epoch_end = hook)
  expect_identical(said_in_fields(train(linear_model(), random_batches(), 2, callbacks = list(of_keras))),
                   list(callback = "LambdaCallback", hook = "on_epoch_end"))
  expect_identical(said_in_fields(train(linear_model(), random_batches(), 2, callbacks = list(on_epoch_end = hook))),
                   list(hook = "on_epoch_end"))
})

test_that("an error of the model says in fields at which batch it came, and in which stage", {
  skip_without_keras()
  loss <- function(y, p) {
    if (y$shape$as_list()[[2L]] == 2L) stop("no")
    keras()$losses$mean_squared_error(y, p)
  }
  model <- linear_model(loss = loss)
  bad <- function() list(matrix(1, 4, 1), matrix(1, 4, 2))
  at <- function(place, stage) list(place = place, batch = 1L, stage = stage)
  expect_identical(said_in_fields(train(model, bad, 2)), at("generator", "trained on"))
  expect_identical(said_in_fields(evaluate_generator(model, bad, 2)), at("generator", "evaluated"))
  expect_identical(said_in_fields(train(model, random_batches(), 2, validation_data = bad, validation_steps = 1)),
                   at("validation_data", "evaluated"))
  wide <- function() matrix(1, 4, 3)
  expect_identical(said_in_fields(predict_generator(linear_model(), wide, 1)), at("generator", "predicted"))
})

test_that("an error of an image flow says in fields which image it was", {
  skip_without_keras()
  failing <- function(x) if (x[1, 1, 1] == 5) stop("no five") else x
  generator <- image_data_generator(preprocessing_function = failing)
  flow <- function(from = generator) flow_images_from_data(pictures(), rep(0, 8), from, batch_size = 2, shuffle = FALSE)
  five <- list(image = 5L, argument = "preprocessing_function")
  for (workers in 0:2) {
    of_r <- said_in_fields(train(mean_model(), flow(), NULL, workers = workers))
    expect_identical(of_r, c(made_by("generator", 3L), five))
  }
  drawn <- flow()
  for (i in 1:2) generator_next(drawn)
  expect_identical(said_in_fields(generator_next(drawn)), five)
  of_python <- image_data_generator(preprocessing_function = reticulate::py_eval("lambda x: x.nothing", FALSE))
  expect_identical(said_in_fields(train(mean_model(), flow(of_python), NULL)), made_by("generator", 1L, image = 1L))
  folder <- class_folders(a = 6)
  file <- list.files(folder, recursive = TRUE, full.names = TRUE)[[1L]]
  writeLines("no image", file)
  of_files <- said_in_fields(train(mean_model(), flow_of_folder(folder, batch_size = 2, shuffle = FALSE), NULL))
  expect_identical(of_files[c("place", "batch", "stage")], made_by("generator", 1L))
  expect_identical(basename(of_files$image), basename(file))
})

test_that("an error of an argument names it, whichever language has checked it", {
  skip_without_keras()
  expect_identical(said_in_fields(train(linear_model(), random_batches(), 0.5)), list(argument = "steps_per_epoch"))
  expect_identical(said_in_fields(train(linear_model(), reticulate::import("sys", convert = FALSE))),
                   list(argument = "generator"))
  expect_identical(said_in_fields(flow_from_data(reticulate::py_eval("'text'", FALSE))), list(argument = "x"))
  expect_identical(said_in_fields(flow_from_frame(iris, "Sepal")), list(argument = "inputs"))
  expect_identical(said_in_fields(checkpoint("gs://bucket/a.npz")), list(argument = "path"))
  expect_identical(said_in_fields(train_on_batch(linear_model(), 1, 1, class_weight = list("0" = -1))),
                   list(argument = "class_weight"))
})

test_that("several batches of one call are a first and a last one, in fields and in words", {
  failure <- list(kind = "batch", text = "No.", place = "generator", batch = list(5L, 8L))
  e <- failure_condition(failure)
  expect_identical(e$batch, c(5L, 8L))
  expect_identical(conditionMessage(e), "Batches 5 to 8 of `generator`: No.")
})

test_that("G3: a dimension that was dropped is explained for a single batch too", {
  skip_without_keras()
  x <- matrix(rnorm(12), 4)
  expect_error(train_on_batch(linear_model(3), x[1, ], 1), "drop = FALSE", class = "fitgenerator_batch_error")
  expect_error(predict_on_batch(linear_model(3), x[1, ]), "drop = FALSE", class = "fitgenerator_python_error")
  expect_no_match(conditionMessage(tryCatch(predict_on_batch(linear_model(3), x[, 1:2]), error = identity)), "drop")
})

test_that("U2: the calls that led to an error are in the message and in the condition, without ours", {
  inner <- function(x) log(x) + "a"
  outer <- function(x) inner(x)
  code <- "It failed in:\n  %s()\n  outer(1)\n  inner(x)\n  log(x) + \"a\""
  shown <- function(e) vapply(e$calls, function(call) deparse(call)[[1L]], "")
  batches <- random_batches()
  images <- array(runif(36), c(4, 3, 3, 1))
  flow <- function(fn) flow_images_from_data(images, generator = image_data_generator(preprocessing_function = fn))
  failing <- list(
    generator = function() train(linear_model(), function() outer(1)),
    generator = function() train(linear_model(), batch_sequence(function(i) outer(1), 3)),
    generator = function() evaluate_generator(linear_model(), function() outer(1), 2),
    validation_data = function() {
      train(linear_model(), batches, validation_data = function() outer(1), validation_steps = 1)
    },
    on_epoch_end = function() train(linear_model(), batches, callbacks = list(on_epoch_end = function(...) outer(1))),
    preprocessing_function = function() generator_next(flow(function(image) outer(1)))
  )
  for (i in seq_along(failing)) {
    name <- names(failing)[[i]]
    e <- expect_error(failing[[i]](), class = "fitgenerator_error", info = name)
    expect_match(conditionMessage(e), sprintf(code, name), fixed = TRUE)
    expect_identical(shown(e), c(paste0(name, "()"), "outer(1)", "inner(x)", "log(x) + \"a\""))
  }
})

test_that("U2: each call that led to an error is shown once, whatever the error names, and if code keeps its source", {
  shown <- function(fn) {
    e <- expect_error(train(linear_model(), fn), class = "fitgenerator_generator_error")
    vapply(e$calls, function(call) deparse(call)[[1L]], "")
  }
  indexed <- function(fn) {
    call <- sys.call()
    fn(call)
  }
  element <- function(call) stop(errorCondition("no", call = call))
  expect_identical(shown(function() indexed(element)), c("generator()", "indexed(element)", "fn(call)"))
  kept <- eval(parse(text = "function(x) {\n  stop(x)\n}", keep.source = TRUE))
  calling <- eval(parse(text = "function() {\n  kept(1)\n}", keep.source = TRUE))
  expect_identical(shown(calling), c("generator()", "kept(1)"))
})

test_that("U2: a function that fails itself, and one whose stack is full, have no more than the error's text", {
  e <- expect_error(train(linear_model(), function() stop("no")), class = "fitgenerator_generator_error")
  expect_match(conditionMessage(e), "failed at batch 1: no$")
  endless <- function(n) endless(n + 1)
  e <- expect_error(train(linear_model(), function() endless(1)), class = "fitgenerator_generator_error")
  expect_no_match(conditionMessage(e), "It failed in")
  expect_clean(linear_model())
})

test_that("U2: the calls of R code that Python calls are in the message and in the condition", {
  inner <- function(x) log(x) + "a"
  outer <- function(x) inner(x)
  failing <- function(...) outer(1)
  main <- reticulate::import_main()
  reticulate::py_run_string("def fitgenerator_calling(function):\n    while True: yield function()")
  source <- reticulate::py_get_attr(main, "fitgenerator_calling")
  lambda <- keras()$callbacks$LambdaCallback(on_epoch_end = function(epoch, logs) outer(1))
  batches <- random_batches()
  runs <- list(
    function() train(linear_model(loss = failing), batches, 2),
    function() train(linear_model(metrics = list(failing)), batches, 2),
    function() train(linear_model(), batches, 2, callbacks = list(lambda)),
    function() train(linear_model(), source(failing), 2)
  )
  for (run in runs) {
    e <- expect_error(run(), class = "fitgenerator_error")
    shown <- vapply(e$calls, function(call) deparse(call)[[1L]], "")
    expect_identical(shown, c("R_function()", "outer(1)", "inner(x)", "log(x) + \"a\""))
    said <- "It failed in:\n  R_function()\n  outer(1)\n  inner(x)\n  log(x) + \"a\""
    expect_match(conditionMessage(e), said, fixed = TRUE)
    expect_null(e$parent$fitgenerator_calls)
  }
})

test_that("U2: traceback() and options(error = ) show the calls, whatever they are", {
  done <- run_r(quote({
    options(error = quote({ traceback(2); q("no") }))
    inner <- function(x) log(x) + "a"
    outer <- function(x, ...) inner(x)
    train(linear_model(), function() outer(1), 2)
  }))
  expect_match(done$stdout, "\\d+: stop\\(cnd\\)\n\\d+: log\\(x\\) \\+ \"a\"\n\\d+: inner\\(x\\)\n\\d+: outer\\(1\\)")
  raised <- function(calls) {
    cnd <- fg_condition("no", "fitgenerator_generator_error", calls = calls)
    found <- NULL
    e <- tryCatch(
      withCallingHandlers(stop_in_calls(cnd), error = function(cnd) found <<- sys.calls()),
      error = identity
    )
    expect_identical(e, cnd)
    vapply(found, function(call) deparse(call)[[1L]], "")
  }
  calls <- expression(
    f(), pkg::g(1, x = ), # nolint: spaces_inside_linter.
    (function(x) x)(missing), h[[1]](2), if (NA) 1, x[, 1], `my name`()
  )
  expect_true(all(c("f()", "x[, 1]", "`my name`()") %in% raised(as.list(calls))))
  expect_length(grep("^deep", raised(rep(list(quote(deep(n - 1))), 900))), 50)
  raised(NULL)
})

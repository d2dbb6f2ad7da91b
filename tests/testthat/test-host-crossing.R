# Rule 1: if a handler around the call takes a condition, the session keeps working, no thread remains, and the process
# exits.

skip_without_keras()

# What user code signals, and what outside the call takes it.
ways_out <- quote({
  act <- list(
    warning = function() warning("W!"),
    message = function() message("M!"),
    custom = function() signalCondition(structure(class = c("mine", "condition"), list(message = "C!"))),
    error = function() stop(structure(class = c("my_error", "error", "condition"), list(message = "E!"))),
    restart = function() invokeRestart("mine")
  )
  take <- list(
    warning = function(run) tryCatch(run(), warning = conditionMessage),
    message = function(run) tryCatch(run(), message = conditionMessage),
    custom = function(run) tryCatch(run(), mine = conditionMessage),
    error = function(run) tryCatch(run(), my_error = conditionMessage),
    restart = function(run) withRestarts(run(), mine = function() "R!")
  )
})

# The places in which user code runs.
places <- quote({
  model <- linear_model()
  batch <- random_batches()
  lambda <- keras()$callbacks$LambdaCallback
  schedule <- keras()$callbacks$LearningRateScheduler
  with_callback <- function(callback) train(model, batch, 3, 2, callbacks = list(callback))
  run_in <- list(
    closure = function(act) train(model, function() { act(); batch() }, 3, 2),
    validation = function(act) {
      train(model, batch, 3, 2, validation_data = function() { act(); batch() }, validation_steps = 2)
    },
    table = function(act) with_callback(list(on_epoch_end = function(epoch, logs) act())),
    batch_table = function(act) with_callback(list(on_train_batch_begin = function(batch, logs) act())),
    lambda = function(act) with_callback(lambda(on_epoch_end = function(epoch, logs) act())),
    batch_lambda = function(act) with_callback(lambda(on_train_batch_end = function(batch, logs) act())),
    schedule = function(act) with_callback(schedule(function(epoch, rate) { act(); rate })),
    loss = function(act) {
      loss <- function(y, p) { act(); keras()$ops$mean(keras()$ops$square(y - p), axis = -1L) }
      train(linear_model(loss = loss), batch, 3, 2)
    },
    evaluation = function(act) evaluate_generator(model, function() { act(); batch() }, 3),
    prediction = function(act) predict_generator(model, function() { act(); batch() }, 3)
  )
})

try_all <- quote({
  for (place in names(run_in)) for (way in names(act)) {
    run <- function() { run_in[[place]](act[[way]]); "nothing" }
    took <- tryCatch(take[[way]](run), error = function(e) paste("error:", conditionMessage(e)))
    left <- our_threads()
    cat(place, way, if (length(left)) "THREADS" else "clean", sub("\n.*", "", took), "\n")
  }
  before <- iterations_of(model)
  train(model, batch, 4)
  cat("trained", iterations_of(model) - before, "\n")
  cat("ended", as.numeric(Sys.time()), "\n")
})

block <- function(...) as.call(c(quote(`{`), list(...)))

test_that("rule 1: conditions and restarts taken outside leave all as it was", {
  done <- run_r(block(ways_out, places, try_all), timeout = 120)
  exited <- as.numeric(Sys.time())
  expect_process(done, "trained 4 ")
  lines <- strsplit(done$stdout, "\n")[[1]]
  ended <- as.numeric(sub("ended ", "", grep("^ended", lines, value = TRUE)))
  expect_lt(exited - ended, 5)
  fields <- sub("(\\S+ \\S+ \\S+) ", "\\1\t", lines[seq_len(50)])
  trials <- utils::read.table(text = fields, sep = "\t", quote = "")
  names(trials) <- c("where", "took")
  expect_match(trials$where, "clean$")
  trials$way <- sub("\\S+ (\\S+) \\S+", "\\1", trials$where)
  through_python <- grepl("^(lambda|batch_lambda|schedule|loss) restart", trials$where)
  expect_match(trials$took[through_python], "^error: (R code in the model .* failed: )?no 'restart' 'mine' found")
  taken <- c(warning = "W!", message = "M!", custom = "C!", error = "E!", restart = "R!")
  for (i in which(!through_python)) {
    expect_match(trials$took[[i]], paste0(taken[[trials$way[[i]]]], " ?$"), info = trials$where[[i]])
  }
})

test_that("rule 1: what R code signalled below Python is signalled again, in order, and can be muffled", {
  model <- linear_model()
  talks <- keras()$callbacks$LambdaCallback(on_epoch_end = function(epoch, logs) {
    message("first")
    warning("second")
    signalCondition(structure(class = c("third", "condition"), list(message = "third")))
  })
  heard <- character()
  hear <- function(cnd) heard <<- c(heard, sub("\n", "", conditionMessage(cnd)))
  withCallingHandlers(
    train(model, random_batches(), 2, callbacks = list(talks)),
    message = function(cnd) { hear(cnd); invokeRestart("muffleMessage") },
    warning = function(cnd) { hear(cnd); invokeRestart("muffleWarning") },
    third = hear
  )
  expect_identical(heard, c("first", "second", "third"))
  expect_clean(model)
})

test_that("E5: warnings and messages of a closure reach handlers around the call, which may let it go on", {
  heard <- NULL
  talking <- function() {
    warning("careful")
    message("hello")
    random_batches()()
  }
  model <- linear_model()
  withCallingHandlers(
    history <- train(model, talking, 2),
    warning = function(cnd) { heard <<- c(heard, conditionMessage(cnd)); invokeRestart("muffleWarning") },
    message = function(cnd) { heard <<- c(heard, conditionMessage(cnd)); invokeRestart("muffleMessage") }
  )
  expect_identical(heard, rep(c("careful", "hello\n"), 2))
  expect_length(history$epoch, 1)
})

test_that("rule 1: an exit through a continuation leaves all as it was", {
  model <- linear_model()
  expect_identical(callCC(function(exit) train(model, function() exit("left"), 2)), "left")
  hooks <- function(exit) list(on_epoch_end = function(epoch, logs) exit("hook"))
  expect_identical(callCC(function(exit) train(model, random_batches(), 2, callbacks = hooks(exit))), "hook")
  expect_clean(model)
})

test_that("T11: a time limit that expires while Python code runs is an error of the call, each time", {
  reticulate::py_run_string(paste(
    "import time",
    "def fitgenerator_test_busy(*given):",
    "    until = time.monotonic() + 1.5",
    "    while time.monotonic() < until:",
    "        time.sleep(0.01)",
    sep = "\n"
  ))
  busy <- reticulate::py_get_attr(reticulate::import_main(), "fitgenerator_test_busy")
  model <- linear_model()
  train(model, random_batches(), 2)
  on.exit(setTimeLimit())
  for (i in 1:3) {
    limited <- function() {
      setTimeLimit(elapsed = 0.3)
      train(model, random_batches(), 2, callbacks = list(keras()$callbacks$LambdaCallback(on_epoch_end = busy)))
    }
    suppressMessages(expect_error(limited(), "time limit"))
    setTimeLimit()
    expect_clean(model)
  }
  calls <- list(
    function(hooks) evaluate_generator(model, random_batches(), 2, callbacks = hooks),
    function(hooks) predict_generator(model, random_batches(), 2, callbacks = hooks)
  )
  for (call in calls) {
    limited <- function() {
      setTimeLimit(elapsed = 0.3)
      call(list(keras()$callbacks$LambdaCallback(on_test_batch_end = busy, on_predict_batch_end = busy)))
    }
    suppressMessages(expect_error(limited(), "time limit"))
    setTimeLimit()
  }
  expect_clean(model)
})

test_that("T11: only R's own message of a time limit is one", {
  said <- c(
    "Error: reached elapsed time limit\n", "Error in .Call(f, x) : reached CPU time limit\n",
    "Error in .Call(`_reticulate_py_call_impl`, x, args, keywords) : \n  reached session elapsed time limit\n"
  )
  for (each in said) expect_error(raise_time_limit(each), "^reached .* time limit$")
  others <- c(
    "", "Error: The service reached elapsed time limit\n", "Error in f() : reached elapsed time limit of 5 s\n",
    "Error in try(g(), silent = TRUE) : \n  service: reached CPU time limit\n"
  )
  for (each in others) expect_null(raise_time_limit(each))
})

test_that("U5: a time limit of the caller that expires in a closure, a hook or a loss is named as what it is", {
  model <- linear_model()
  batch <- random_batches()
  train(model, batch, 2)
  on.exit(setTimeLimit())
  slow <- function(...) for (i in 1:1e9) sqrt(i)
  computing <- linear_model(loss = function(y, p) { slow(); keras()$ops$mean(y - p) })
  runs <- list(
    function() train(model, function() { slow(); batch() }, 2),
    function() train(model, batch, 2, validation_data = function() { slow(); batch() }, validation_steps = 1),
    function() train(model, batch, 2, callbacks = list(on_epoch_end = slow)),
    function() train(computing, batch, 2)
  )
  for (run in runs) {
    limited <- function() {
      setTimeLimit(elapsed = 0.3)
      run()
    }
    e <- suppressMessages(tryCatch(limited(), error = identity))
    setTimeLimit()
    expect_identical(conditionMessage(e), "reached elapsed time limit")
    expect_clean(model)
  }
})

test_that("U5: a time limit is told by its message in the language of the session", {
  done <- run_r(quote({
    Sys.setlocale("LC_ALL", "C.UTF-8")
    Sys.setenv(LANGUAGE = "de")
    reticulate::py_run_string(paste(
      "import time", "def busy(*given):", "    until = time.monotonic() + 1.5",
      "    while time.monotonic() < until:", "        time.sleep(0.01)", sep = "\n"
    ))
    busy <- reticulate::py_get_attr(reticulate::import_main(), "busy")
    model <- linear_model()
    batch <- random_batches()
    train(model, batch, 2)
    slow <- function(...) for (i in 1:1e9) sqrt(i)
    expected <- gettext("reached elapsed time limit", domain = "R")
    cat("language", expected == "Zeitlimit erreicht", "\n")
    hooks <- list(list(on_epoch_end = slow), list(keras()$callbacks$LambdaCallback(on_epoch_end = busy)))
    runs <- c(
      function() train(model, function() { slow(); batch() }, 2),
      lapply(hooks, function(hook) function() train(model, batch, 2, callbacks = hook))
    )
    for (run in runs) {
      limited <- function() {
        setTimeLimit(elapsed = 0.3)
        run()
      }
      e <- suppressMessages(tryCatch(limited(), error = identity))
      setTimeLimit()
      cat("told", identical(conditionMessage(e), expected), our_threads(), "\n")
    }
  }))
  expect_process(done, "(told TRUE *\n){3}$")
  if (!grepl("language TRUE", done$stdout, fixed = TRUE)) skip("R's translations")
})

test_that("an array that compiled code fills again has the values that it had when it was returned", {
  folder <- withr::local_tempdir()
  writeLines(c(
    "#include <Rinternals.h>", "SEXP fill_again(SEXP x, SEXP v) {",
    "for (R_xlen_t i = 0; i < XLENGTH(x); i++) REAL(x)[i] = asReal(v);", "return x; }"
  ), file.path(folder, "fill_again.c"))
  command <- c("CMD", "SHLIB", "fill_again.c")
  callr::run(file.path(R.home("bin"), "R"), command, wd = folder)
  library <- dyn.load(file.path(folder, paste0("fill_again", .Platform$dynlib.ext)))
  withr::defer(dyn.unload(library[["path"]]))
  fill <- getNativeSymbolInfo("fill_again", library)
  model <- keras()$Sequential(list(keras()$layers$Input(list(1L)), keras()$layers$Activation("linear")))
  for (rows in c(1, 20000)) { # the larger array is not copied
    number <- 0
    buffer <- matrix(0, rows, 1)
    filled <- predict_generator(model, function() {
      number <<- number + 1
      .Call(fill, buffer, number)
      list(buffer)
    }, 40)
    expect_identical(as.vector(filled), rep(1:40 + 0, each = rows))
  }
})

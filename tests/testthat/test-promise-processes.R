# Whole processes (Rscript, R -f, knitr) with closures that detect calls from other threads, and how they end.

skip_without_keras()

# Trains, evaluates and predicts; each call of the closure calls gc() and checks which thread it runs on.
everything <- quote({
  threads <- NULL
  batch <- random_batches()
  checked <- function() {
    gc()
    threads <<- c(threads, current_thread())
    batch()
  }
  model <- linear_model()
  train(model, checked, 5, epochs = 2, validation_data = checked, validation_steps = 2)
  scores <- evaluate_generator(model, checked, 3)
  predicted <- predict_generator(model, checked, 3)
  stopifnot(is.finite(scores$loss), dim(predicted) == c(12, 1), threads == "MainThread")
  cat("calls", length(threads), "\n")
  cat("ended", as.numeric(Sys.time()), "\n")
})

expect_prompt_exit <- function(stdout, exited) {
  ended <- as.numeric(sub(".*ended ([0-9.]+).*", "\\1", paste(stdout, collapse = " ")))
  expect_lt(exited - ended, 5)
}

test_that("A1: closures train, evaluate and predict under Rscript", {
  done <- run_r(everything)
  exited <- as.numeric(Sys.time())
  expect_process(done, "calls 20")
  expect_prompt_exit(done$stdout, exited)
})

test_that("A1: closures train, evaluate and predict under R -f", {
  script <- tempfile(fileext = ".R")
  helper <- normalizePath(test_path("helper-models.R"), "/")
  writeLines(c("library(fitgenerator)", sprintf("source(\"%s\")", helper), deparse(everything)), script)
  libraries <- paste(.libPaths(), collapse = .Platform$path.sep)
  said <- suppressWarnings(system2(
    file.path(R.home("bin"), "R"), c("--no-echo", "--no-save", "-f", shQuote(script)), timeout = 60,
    env = c(paste0("R_LIBS=", libraries), "TF_CPP_MIN_LOG_LEVEL=3"), stdout = TRUE, stderr = TRUE
  ))
  exited <- as.numeric(Sys.time())
  expect_null(attr(said, "status"), info = paste(said, collapse = "\n"))
  expect_match(said, "calls 20", all = FALSE)
  expect_prompt_exit(said, exited)
})

test_that("A1: closures train, evaluate and predict in a knitted page", {
  skip_if_not_installed("knitr")
  page <- c("```{r}", deparse(everything), "```")
  done <- run_r(bquote(cat(knitr::knit(text = .(page), quiet = TRUE))))
  expect_process(done, "## calls 20")
})

test_that("F3: a process ends at once after errors and an early end, and its status says so", {
  done <- run_r(quote({
    model <- linear_model()
    silent <- function(...) try(train(model, ...), silent = TRUE)
    silent(function() stop("no"), 2)
    silent(random_batches(), 2, callbacks = list(on_epoch_end = function(epoch, logs) stop("no")))
    suppressWarnings(train(model, cycling(list(list(1, 2), NULL)), 9))
    cat("ended", as.numeric(Sys.time()), "\n")
    train(model, function() stop("the last word"), 2)
  }))
  exited <- as.numeric(Sys.time())
  expect_identical(done$status, 1L)
  expect_match(done$stderr, "The code of `generator` failed at batch 1: the last word")
  expect_prompt_exit(done$stdout, exited)
})

# Trains in two forks, with what `before` has made; what they say.
in_forks <- function(before, make = quote(model)) {
  skip_on_os("windows") # which has no forks
  run_r(bquote({
    .(before)
    begun <- Sys.time()
    said <- parallel::mclapply(1:2, function(i) {
      tryCatch({
        model <- .(make)
        history <- fit_generator(model, random_batches(), 3, verbose = 0, timeout = 20)
        paste("finite", is.finite(history$metrics$loss))
      }, fitgenerator_setup_error = conditionMessage)
    })
    for (text in said) cat(text, "\n")
    cat("seconds", as.numeric(Sys.time() - begun, units = "secs"), "\n")
  }))
}

test_that("U1: a fork of a process in which TensorFlow ran is refused at once, and told what to use", {
  for (before in list(quote(model <- linear_model()), quote(train(model <- linear_model(), random_batches(), 2)))) {
    done <- in_forks(before)
    expect_process(done, c("is a fork .*callr.*PSOCK.*multisession", "seconds [0-9]"))
    expect_lt(as.numeric(sub(".*seconds ([0-9.]+).*", "\\1", done$stdout)), 8)
  }
})

test_that("U1: a fork in which TensorFlow begins anew trains", {
  done <- in_forks(quote(random_batches()), quote(linear_model()))
  expect_process(done, "finite TRUE.*finite TRUE")
})

test_that("U3: Python objects of another session are refused by the argument's name, with what to do", {
  past <- tempfile(fileext = ".rds")
  on.exit(unlink(past))
  made <- run_r(bquote(saveRDS(list(
    model = linear_model(), flow = flow_from_data(matrix(1:4), 1:4), saver = checkpoint(tempfile(fileext = ".npz")),
    images = image_data_generator()
  ), .(past))))
  expect_process(made)
  past <- readRDS(past)
  model <- linear_model()
  batches <- random_batches()
  images <- array(0, c(2, 3, 3, 1))
  named <- list(
    object = quote(compile(past$model, "sgd", "mse")),
    object = quote(train(past$model, batches)),
    object = quote(predict_generator(past$model, batches, 1)),
    object = quote(predict(past$model, matrix(1:4))),
    object = quote(train_on_batch(past$model, matrix(1:4), 1:4)),
    object = quote(summary(past$model)),
    generator = quote(train(model, past$flow)),
    validation_data = quote(train(model, batches, validation_data = past$flow)),
    x = quote(fit(model, past$flow)),
    callbacks = quote(train(model, batches, callbacks = past$saver)),
    optimizer = quote(compile(model, past$saver, "mse")),
    generator = quote(generator_next(past$flow))
  )
  for (i in seq_along(named)) {
    error <- expect_error(eval(named[[i]]), class = "fitgenerator_argument_error", info = deparse(named[[i]]))
    expect_identical(error$argument, names(named)[[i]])
    expect_match(conditionMessage(error), "must hold a Python object of this session.*model\\$save.*cache = FALSE")
  }
  inside <- expect_error(train(model, function() list(past$flow, 1)), class = "fitgenerator_error")
  expect_match(conditionMessage(inside), "of this session")
  expect_error(flow_images_from_data(images, generator = past$images), "of this session")
  expect_clean(model)
})

test_that("A first fit prints nothing of TensorFlow's, unless the user wants it", {
  skip_if_not_installed("callr")
  script <- tempfile(fileext = ".R")
  helper <- normalizePath(test_path("helper-models.R"))
  writeLines(c(
    "library(fitgenerator)", sprintf("source(\"%s\")", helper),
    "fit_generator(linear_model(), numbered(), 1, verbose = 0)", "cat(Sys.getenv('TF_CPP_MIN_LOG_LEVEL'))"
  ), script)
  said <- function(level) {
    env <- c(callr::rcmd_safe_env(), TF_CPP_MIN_LOG_LEVEL = level)
    callr::rscript(script, timeout = 60, fail_on_status = FALSE, show = FALSE, env = env, echo = FALSE)
  }
  done <- said("")
  expect_process(done, "^1$")
  # Where TensorFlow 2.21 uses oneDNN by default, it says so whatever is set.
  lines <- strsplit(done$stderr, "\n")[[1L]]
  expect_identical(lines[!grepl("absl::InitializeLog|oneDNN custom operations", lines)], character())
  expect_process(said("0"), "^0$")
})

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
  helper <- normalizePath(test_path("helper-models.R"))
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

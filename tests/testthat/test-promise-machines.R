# R scripts that train as one, here on one machine: with the numbers of a single process, and an end that all learn of.

skip_on_cran()
skip_without_keras()
skip_if_not_installed("callr")

# What each process does; alone, it trains on the batches of all.
program <- quote({
  tf <- reticulate::import("tensorflow")
  config <- reticulate::import("json")$loads(Sys.getenv("TF_CONFIG", "{}"))
  count <- max(1L, length(config$cluster$worker))
  index <- if (count > 1L) config$task$index else 0L
  strategy <- if (count > 1L) tf$distribute$MultiWorkerMirroredStrategy() else tf$distribute$get_strategy()
  new_model <- function() {
    keras()$utils$set_random_seed(1L)
    with(strategy$scope(), linear_model(3L, rate = 0.05))
  }
  shown <- function(name, value) cat(name, formatC(unlist(value), digits = 9, format = "g"), "\n")

  set.seed(1)
  x <- matrix(rnorm(3 * 9 * 12), ncol = 3)
  step <- 0L
  closure <- function() {
    step <<- step %% 12L + 1L
    rows <- 9 * (step - 1) + (if (count > 1L) seq(index + 1L, 9L, by = 2L) else 1:9) # 5 rows and 4
    list(x[rows, , drop = FALSE], matrix(rowSums(x[rows, , drop = FALSE]^2)))
  }
  model <- new_model()
  history <- train(model, closure, 12, epochs = 3)
  shown("closure", c(weights_of(model), history$metrics$loss, evaluate_generator(model, closure, 12)$loss))

  # Alone, a batch is what both processes have of two.
  one <- function(i) list(x[9 * (i - 1) + 1:9, ], matrix(rowSums(x[9 * (i - 1) + 1:9, ]^2)))
  both <- function(i) Map(rbind, one(2 * i - 1), one(2 * i))
  batches <- if (count > 1L) share_of(batch_sequence(one, 12)) else batch_sequence(both, 6)
  model <- new_model()
  history <- train(model, batches, NULL, epochs = 3)
  shown("share", c(weights_of(model), history$metrics$loss))
  cat("rows", nrow(predict_generator(model, batches)), "\n")

  if (count > 1L) {
    failing <- function() {
      if (index == 1L && step == 5L) stop("no more of this")
      closure()
    }
    step <- 0L
    ended <- tryCatch(train(new_model(), failing, 12), error = identity)
    cat("ended", class(ended)[[1L]], conditionMessage(ended), "\n")
  }
})

# What so many processes have said, line by line.
said_by <- function(count) {
  script <- withr::local_tempfile(fileext = ".R")
  helper <- normalizePath(test_path("helper-models.R"), "/")
  writeLines(c("library(fitgenerator)", sprintf("source(\"%s\")", helper), deparse(program, 100L)), script)
  sockets <- lapply(seq_len(count), function(i) {
    socket <- reticulate::import("socket")$socket()
    socket$bind(reticulate::tuple("127.0.0.1", 0L))
    socket
  })
  ports <- vapply(sockets, function(socket) as.integer(socket$getsockname()[[2L]]), 0L)
  for (socket in sockets) socket$close()
  workers <- paste(sprintf("\"127.0.0.1:%d\"", ports), collapse = ", ")
  processes <- lapply(seq_len(count) - 1L, function(index) {
    task <- sprintf("{\"type\": \"worker\", \"index\": %d}", index)
    config <- sprintf("{\"cluster\": {\"worker\": [%s]}, \"task\": %s}", workers, task)
    env <- c(callr::rcmd_safe_env(), TF_CPP_MIN_LOG_LEVEL = "3", CUDA_VISIBLE_DEVICES = "-1",
             if (count > 1L) c(TF_CONFIG = config))
    options <- callr::rscript_process_options(
      script = script, env = env, stdout = withr::local_tempfile(.local_envir = parent.frame(2L)), stderr = "2>&1"
    )
    callr::rscript_process$new(options)
  })
  withr::defer(for (process in processes) process$kill())
  lapply(processes, function(process) {
    process$wait(240000)
    lines <- readLines(process$get_output_file())
    expect_identical(process$get_exit_status(), 0L, info = paste(lines, collapse = "\n"))
    lines
  })
}

numbers <- function(lines, name) {
  line <- grep(paste0("^", name, " "), lines, value = TRUE)
  as.numeric(strsplit(trimws(sub(name, "", line)), " +")[[1L]])
}

test_that("Two R processes give the numbers of one, and the failure of one ends both in words", {
  two <- said_by(2L)
  alone <- said_by(1L)[[1L]]
  for (name in c("closure", "share")) {
    expect_identical(numbers(two[[1L]], name), numbers(two[[2L]], name))
    expect_equal(numbers(two[[1L]], name), numbers(alone, name), tolerance = 1e-5)
  }
  for (lines in two) expect_identical(numbers(lines, "rows"), 54)
  expect_match(two[[1L]], "^ended fitgenerator_process_error Process 1 of 2 .*no more of this", all = FALSE)
  expect_match(two[[2L]], "^ended .*no more of this", all = FALSE)
})

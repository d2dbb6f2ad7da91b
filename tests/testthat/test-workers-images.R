# Issue 16: R functions of image flows run in workers, where these can be given what the functions need.

skip_without_workers()

noise <- function(x) {
  stopifnot(is.double(x), identical(dim(x), c(4L, 4L, 1L)))
  x + array(rnorm(length(x)), dim(x))
}

flow_with <- function(fn, n = 8, ...) {
  generator <- image_data_generator(rotation_range = 90, preprocessing_function = fn)
  flow_images_from_data(pictures(n), rep(0, n), generator, batch_size = 3, seed = 5, ...)
}

# What comes of a training with validation, of evaluation and prediction.
outcomes_of <- function(fn, workers, ...) {
  model <- mean_model()
  list(
    train(model, flow_with(fn), NULL, 2, workers = workers, validation_data = flow_with(fn, 4), ...)$metrics,
    evaluate_generator(model, flow_with(fn), workers = workers),
    predict_generator(model, flow_with(fn, shuffle = FALSE), workers = workers)
  )
}

test_that("One seed gives the same pictures in workers and on R's own thread, which takes no part", {
  alone <- outcomes_of(noise, 1)
  for (workers in 2:3) expect_nothing_left(expect_identical(outcomes_of(noise, workers), alone))
  expect_identical(outcomes_of(noise, 2, max_queue_size = 0), alone)
  local_unlinked(expect_identical(outcomes_of(noise, 2), alone))
  set.seed(4)
  before <- session_seed()
  outcomes_of(noise, 2)
  expect_identical(session_seed(), before)
  folder <- seen_folder()
  note <- function(x) {
    file.create(file.path(folder, Sys.getpid()))
    x
  }
  train(mean_model(), flow_with(note), NULL, workers = 2)
  expect_false(Sys.getpid() %in% as.integer(list.files(folder)))
})

test_that("A cluster of the user's runs them, and a sequence may be validation data beside it", {
  cl <- parallel::makeCluster(2)
  on.exit(parallel::stopCluster(cl))
  pids <- unlist(parallel::clusterCall(cl, Sys.getpid))
  expect_identical(outcomes_of(noise, cl), outcomes_of(noise, 1))
  expect_identical(unlist(parallel::clusterCall(cl, Sys.getpid)), pids)
  drawn <- batch_sequence(function(i) list(array(rnorm(16), c(1, 4, 4, 1)), 0), 3, seed = 2)
  both <- function(workers) train(mean_model(), flow_with(noise), NULL, workers = workers, validation_data = drawn)
  expect_identical(both(2)$metrics, both(1)$metrics)
})

test_that("So do futures and daemons; what they cannot be given runs on R's own thread, with the reason", {
  testthat::skip_if_not_installed("future")
  alone <- outcomes_of(noise, 1)
  count <- 0
  counting <- function(x) {
    count <<- count + 1
    x
  }
  in_workers <- function(workers) {
    expect_identical(outcomes_of(noise, workers), alone)
    folder <- seen_folder()
    note <- function(x) {
      file.create(file.path(folder, Sys.getpid()))
      x
    }
    train(mean_model(), flow_with(note), NULL, workers = workers)
    expect_false(Sys.getpid() %in% as.integer(list.files(folder)))
    before <- count
    expect_message(
      train(mean_model(), flow_with(counting), NULL, workers = workers),
      "`preprocessing_function` is not run by `workers`, but on R's own thread\\. .* assigns `count` outside of itself"
    )
    expect_identical(count, before + 8)
  }
  old <- future::plan("cluster", workers = 2)
  on.exit(future::plan(old))
  in_workers("future")
  cl <- parallel::makeCluster(1)
  on.exit(parallel::stopCluster(cl), add = TRUE)
  in_workers(cl)
  testthat::skip_if_not_installed("mirai")
  mirai::daemons(2)
  on.exit(mirai::daemons(0), add = TRUE)
  in_workers("mirai")
})

test_that("An image of doubles is sent and returned as doubles", {
  keras()$config$set_floatx("float64")
  on.exit(keras()$config$set_floatx("float32"))
  third <- function(x) x / 3
  expect_identical(outcomes_of(third, 2), outcomes_of(third, 1))
})

test_that("A function that cannot run there runs on R's own thread, with one message that says why", {
  count <- 0
  counting <- function(x) {
    count <<- count + 1
    x
  }
  expect_identical(
    testthat::capture_messages(train(mean_model(), flow_with(counting), NULL, workers = 2,
                                     validation_data = flow_with(counting))),
    paste("`preprocessing_function` is not run by `workers`, but on R's own thread. The function of",
          "`preprocessing_function` assigns `count` outside of itself, which each of several processes would do by",
          "itself.\n")
  )
  expect_identical(count, 16)
  con <- textConnection("a")
  on.exit(close(con))
  reading <- function(x) x + length(readLines(con))
  expect_message(train(mean_model(), flow_with(reading), NULL, workers = 2), "uses `con`, a connection")
  no_globals <- function(...) fitgenerator:::abort_setup("No globals.", reason = "No globals.")
  expect_message(
    with_mocked("require_globals", no_globals, train(mean_model(), flow_with(noise), NULL, workers = 2)),
    "own thread. No globals"
  )
  expect_no_message(train(mean_model(), flow_with(noise), NULL, workers = 1))
})

test_that("Errors, warnings and what is no image are what they are on R's own thread", {
  failing <- function(x) if (x[1, 1, 1] == 5) signal_mine(x) else x
  signal_mine <- function(x) stop(errorCondition("no five", class = "mine", call = sys.call()))
  flow <- function(fn) {
    generator <- image_data_generator(preprocessing_function = fn)
    flow_images_from_data(pictures(), rep(0, 8), generator, batch_size = 2, shuffle = FALSE)
  }
  caught <- function(fn, workers) {
    cnd <- tryCatch(train(mean_model(), flow(fn), NULL, workers = workers), error = identity)
    fields <- c("place", "batch", "stage", "image", "argument")
    list(conditionMessage(cnd), class(cnd), unclass(cnd)[fields], cnd$calls, cnd$parent)
  }
  for (fn in list(failing, function(x) if (x[1, 1, 1] == 5) x[, 1, ] else x)) {
    expect_identical(caught(fn, 2), caught(fn, 1))
  }
  expect_match(caught(failing, 2)[[1L]], "failed at batch 3 of `generator`, on image 5 of the flow: no five")
  warns <- function(x) {
    if (x[1, 1, 1] == 5) warning("a five")
    x
  }
  expect_warning(train(mean_model(), flow(warns), NULL, workers = 2), "a five \\(batch 3 of `generator`\\)")
})

test_that("A worker that dies is replaced; one that hangs is shown; an interrupt does not wait", {
  folder <- seen_folder()
  kept <- once_only("once", folder)
  dies <- function(x) {
    kept(quit(save = "no", status = 3L))
    x
  }
  history <- train(mean_model(), flow_with(dies), NULL, workers = 2)
  expect_identical(history$metrics, train(mean_model(), flow_with(identity), NULL, workers = 1)$metrics)
  expect_identical(history$pipeline$redone, 1L)
  fatal <- function(x) if (x[1, 1, 1] == 5) quit(save = "no") else x
  error <- expect_error(train(mean_model(), flow_with(fatal), NULL, workers = 2),
                        "An image has ended two worker processes", class = "fitgenerator_worker_error")
  expect_false(is.null(error$image))
  hangs <- function(x) Sys.sleep(60) # nolint: undesirable_function_linter.
  expect_nothing_left(expect_error(
    train(mean_model(), flow_with(hangs), NULL, workers = 2, timeout = 3),
    "gave no batch 1 within 3 seconds.*worker [12].*Sys.sleep", class = "fitgenerator_timeout_error"
  ))
})

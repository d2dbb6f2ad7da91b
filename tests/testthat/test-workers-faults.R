# Issue 16: workers that die, hang or misbehave. Nothing is lost, made twice or out of order, and nothing is left.

skip_on_os("windows") # processes are stopped and ended by signals

skip_without_workers()

real_launch <- fitgenerator:::launch_of

# Evaluates the code in a batch once, in whichever process comes first.
batch_with <- function(what, batches = 4L) {
  folder <- seen_folder()
  function(i) {
    if (i %in% batches && dir.create(file.path(folder, i), showWarnings = FALSE)) what()
    list(matrix(rnorm(4) + i, 4L), matrix(0, 4L, 1L))
  }
}

kill_self <- function() {
  tools::pskill(Sys.getpid(), tools::SIGKILL)
  Sys.sleep(10) # nolint: undesirable_function_linter. The signal ends it.
}

test_that("A worker that dies is replaced and its batch made again: the history is the same", {
  plain <- losses_of(batch_with(function() NULL), NULL)
  deaths <- list(
    kill_self, function() quit(save = "no"), function() quit(save = "no", status = 3L),
    function() closeAllConnections(), function() tools::pskill(Sys.getpid(), 11L)
  )
  for (death in deaths) {
    for (batches in list(1L, 4L, 6L)) {
      expect_nothing_left(expect_identical(losses_of(batch_with(death, batches), 2), plain))
    }
  }
  pipeline <- train(linear_model(), batch_sequence(batch_with(kill_self, c(2L, 5L)), 6), NULL, workers = 2)$pipeline
  expect_identical(pipeline$redone, 2L)
  expect_output(print(pipeline), "2 batches made again")
  unseen <- batch_sequence(batch_with(kill_self, 2L), 3, seed = 1)
  quiet <- batch_sequence(batch_with(function() NULL), 3, seed = 1)
  fn <- batch_with(function() NULL)
  expect_identical(losses_of(fn, 2, validation_data = unseen), losses_of(fn, NULL, validation_data = quiet))
})

test_that("A batch that ends two workers is an error that names the signal or status, and the batch", {
  killer <- function(i) if (i == 3) kill_self() else list(matrix(0, 1, 1), 0)
  error <- expect_nothing_left(expect_error(losses_of(killer, 2, epochs = 1), class = "fitgenerator_worker_error"))
  expect_match(conditionMessage(error), "Batch 3 has ended two worker processes.*SIGKILL")
  expect_identical(error[c("place", "batch")], list(place = "generator", batch = 3L))
  quitter <- function(i) if (i == 3) quit(save = "no", status = 7L) else list(matrix(0, 1, 1), 0)
  expect_error(losses_of(quitter, 2, epochs = 1), "status 7", class = "fitgenerator_worker_error")
  expect_clean(linear_model())
})

test_that("Workers that all die are an error, after as many as there are and one more", {
  all_die <- function(i) kill_self()
  expect_nothing_left(expect_error(losses_of(all_die, 2), class = "fitgenerator_worker_error"))
  error <- expect_error(
    with_mocked("launch_of", function(...) utils::modifyList(real_launch(...), list(program = "no such program")),
                losses_of(drawn_batch, 2)),
    class = "fitgenerator_worker_error"
  )
  expect_match(conditionMessage(error), "do not start: .*could not be started")
})

test_that("A function that hangs is the call's timeout error: it names worker and batch, and shows where it stands", {
  nap <- function(seconds) Sys.sleep(seconds) # nolint: undesirable_function_linter. It is to be stopped.
  sleeper <- function(i) {
    if (i == 3) nap(600)
    list(matrix(0, 1, 1), 0)
  }
  spin <- function(i) {
    while (i == 3) i <- i + 0
    list(matrix(0, 1, 1), 0)
  }
  stopped <- function(i) {
    if (i == 3) tools::pskill(Sys.getpid(), tools::SIGSTOP)
    list(matrix(0, 1, 1), 0)
  }
  for (case in list(list(sleeper, "nap\\(600\\)"), list(spin, "generator\\(\\)"), list(stopped, "does not answer"))) {
    late <- function() expect_error(losses_of(case[[1L]], 2, timeout = 2), class = "fitgenerator_timeout_error")
    seconds <- system.time(error <- expect_nothing_left(late()))[["elapsed"]]
    named <- "`generator` gave no batch 3 within 2 seconds.*worker [12] \\(process [0-9]+\\)"
    expect_match(conditionMessage(error), named)
    expect_match(conditionMessage(error), case[[2L]])
    expect_identical(error$batch, 3L)
    expect_lt(seconds, 15)
  }
})

test_that("A huge batch, and children of a worker, do no harm", {
  huge <- function(i) list(array(rnorm(1e6) + i, c(4L, 250000L)), matrix(0, 4L, 1L))
  model <- function() linear_model(inputs = 250000L)
  flow <- function() batch_sequence(huge, 3, seed = 1)
  expect_identical(
    train(model(), flow(), NULL, workers = 2)$metrics, train(model(), flow(), NULL)$metrics
  )
  forks <- function(i) {
    parallel::mcparallel(Sys.sleep(60)) # nolint: undesirable_function_linter. Nobody waits for it.
    list(matrix(i, 1L), matrix(0, 1L))
  }
  expect_nothing_left(expect_equal(train(echo_model(), batch_sequence(forks, 4), NULL, workers = 2)$metrics$loss, 2.5))
  dies_with_child <- batch_with(function() {
    parallel::mcparallel(Sys.sleep(60)) # nolint: undesirable_function_linter. Nobody waits for it.
    kill_self()
  })
  expect_nothing_left(expect_identical(losses_of(dies_with_child, 2), losses_of(batch_with(function() NULL), NULL)))
})

test_that("An early stop does not wait for the batches that are being made", {
  slow <- function(i) {
    if (i > 3) Sys.sleep(600) # nolint: undesirable_function_linter. It is to be stopped.
    list(matrix(i, 1L), matrix(0, 1L))
  }
  model <- echo_model()
  stops <- list(on_train_batch_end = function(batch, logs) if (batch == 2) model$stop_training <- TRUE)
  seconds <- system.time(expect_nothing_left(
    train(model, batch_sequence(slow, 20), NULL, workers = 2, callbacks = list(stops))
  ))[["elapsed"]]
  expect_lt(seconds, 10)
})

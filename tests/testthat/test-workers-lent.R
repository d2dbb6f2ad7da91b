# Issue 16: the nodes of a user's cluster make the batches. They are never ended or replaced, and the cluster is of use
# afterwards.

skip_without_workers()

# Expects that the nodes answer a call with their own process numbers: never with the value of another call.
expect_usable <- function(cl, pids) {
  order <- if (inherits(cl, "miraiCluster")) sort else identity # mirai does not tie a node to a process
  testthat::expect_identical(order(pids_of(cl)), order(pids))
}

test_that("The history is that of R's own thread, to the bit, with every kind of cluster", {
  alone <- losses_of(drawn_batch, NULL)
  makers <- list(parallel = function() parallel::makeCluster(2))
  if (requireNamespace("parallelly", quietly = TRUE)) {
    makers$parallelly <- function() parallelly::makeClusterPSOCK(2, autoStop = FALSE)
  }
  if (requireNamespace("mirai", quietly = TRUE)) makers$mirai <- function() mirai::make_cluster(2)
  for (make in makers) {
    with_cluster(make(), function(cl, pids) {
      losses_of(drawn_batch, cl) # what is loaded once
      for (size in c(10, 1, 0)) {
        expect_nothing_left(expect_identical(losses_of(drawn_batch, cl, max_queue_size = size), alone))
        expect_usable(cl, pids)
      }
    })
  }
})

test_that("A cluster of one node, training with validation, evaluation, prediction, a resumed training", {
  unseen <- batch_sequence(function(i) list(matrix(rnorm(4) * i, 4L), matrix(0, 4L, 1L)), 3, seed = 2)
  with_cluster(parallel::makeCluster(2), function(cl, pids) {
    both <- losses_of(drawn_batch, NULL, validation_data = unseen)
    expect_identical(losses_of(drawn_batch, cl[1], validation_data = unseen), both)
    expect_identical(losses_of(drawn_batch, cl, validation_data = unseen), both)
    late <- function(workers) losses_of(drawn_batch, workers, epochs = 3, initial_epoch = 1)
    expect_identical(late(cl), late(NULL))
    model <- linear_model()
    expect_identical(evaluate_generator(model, unseen, workers = cl), evaluate_generator(model, unseen))
    expect_identical(predict_generator(model, unseen, workers = cl), predict_generator(model, unseen))
    expect_usable(cl, pids)
  })
})

test_that("It is the nodes that make the batches, and they are left as they were", {
  folder <- seen_folder()
  note <- function(i) {
    file.create(file.path(folder, Sys.getpid()))
    setwd(tempdir()) # nolint: undesirable_function_linter. It is to be put back.
    list(matrix(fitgenerator_test_global + runif(1) * 0, 1L), matrix(0, 1L))
  }
  environment(note) <- list2env(list(folder = folder), parent = globalenv())
  assign("fitgenerator_test_global", 2, globalenv())
  on.exit(rm("fitgenerator_test_global", envir = globalenv()))
  with_cluster(parallel::makeCluster(2), function(cl, pids) {
    parallel::clusterCall(cl, eval, quote({
      set.seed(1)
      fitgenerator_test_global <- "theirs"
    }), globalenv())
    state <- function() {
      parallel::clusterCall(cl, eval, quote(list(
        sort(ls(globalenv(), all.names = TRUE)), .Random.seed, RNGkind(), getwd(), fitgenerator_test_global,
        length(list.files("/proc/self/fd")), nrow(showConnections())
      )), globalenv())
    }
    before <- state()
    RNGkind(normal.kind = "Box-Muller")
    on.exit(RNGkind(normal.kind = "default"))
    history <- train(echo_model(), batch_sequence(note, 40, seed = 1), NULL, workers = cl)
    expect_equal(history$metrics$loss, 2)
    expect_setequal(as.integer(list.files(folder)), pids)
    expect_identical(state(), before)
    local_unlinked(train(echo_model(), batch_sequence(note, 40, seed = 1), NULL, workers = cl))
    expect_identical(state(), before)
  })
})

test_that("After an error of a function, a warning that leaves the call, an early stop, the cluster is usable", {
  with_cluster(parallel::makeCluster(2), function(cl, pids) {
    failing <- function(i) if (i == 3) stop("no such file") else list(matrix(0, 1, 1), 0)
    error <- expect_error(losses_of(failing, cl), "no such file", class = "fitgenerator_generator_error")
    expect_identical(error$batch, 3L)
    expect_usable(cl, pids)
    talk <- function(i) {
      if (i == 2) warning("odd weather")
      list(matrix(0, 1L, 1L), matrix(0, 1L, 1L))
    }
    expect_identical(tryCatch(losses_of(talk, cl, epochs = 50), warning = function(cnd) "left"), "left")
    expect_usable(cl, pids)
    slow <- function(i) {
      if (i > 3) Sys.sleep(2) # nolint: undesirable_function_linter. It is not waited for.
      list(matrix(i, 1L), matrix(0, 1L))
    }
    model <- echo_model()
    stops <- list(on_train_batch_end = function(batch, logs) if (batch == 2) model$stop_training <- TRUE)
    train(model, batch_sequence(slow, 20), NULL, workers = cl, callbacks = list(stops))
    expect_usable(cl, pids) # it waits for the function
    train(model, batch_sequence(slow, 20), NULL, workers = cl, callbacks = list(stops))
    expect_identical(losses_of(drawn_batch, cl), losses_of(drawn_batch, NULL)) # so does the next call
    missing <- function(i) fitgenerator.none::f(i)
    expect_error(losses_of(missing, cl), "fitgenerator.none", class = "fitgenerator_generator_error")
    expect_usable(cl, pids)
  })
})

kill_node <- function() {
  tools::pskill(Sys.getpid(), tools::SIGKILL)
  Sys.sleep(10) # nolint: undesirable_function_linter. The signal ends it.
}

test_that("A node that dies is done without; none left is an error; the others are of use", {
  alone <- losses_of(drawn_batch, NULL)
  deadly <- function(batches, folder = seen_folder()) {
    force(folder)
    function(i, epoch) {
      if (i %in% batches && dir.create(file.path(folder, i), showWarnings = FALSE)) kill_node()
      list(matrix(stats::rnorm(4) + i, 4L), matrix(epoch, 4L, 1L))
    }
  }
  with_cluster(parallel::makeCluster(3), function(cl, pids) {
    expect_identical(losses_of(deadly(2), cl), alone)
    there <- alive(pids)
    expect_identical(sum(there), 2L)
    expect_usable(cl[there], pids[there])
    tools::pskill(pids[there][[1L]], tools::SIGKILL)
    expect_identical(losses_of(drawn_batch, cl), alone) # two are dead before it begins
    there <- alive(pids)
    expect_identical(sum(there), 1L)
    error <- expect_nothing_left(expect_error(losses_of(deadly(3), cl), class = "fitgenerator_worker_error"))
    last <- sprintf("left: the last one, worker 1 \\(process %d\\), has gone", pids[there])
    expect_match(conditionMessage(error), last)
    expect_error(losses_of(drawn_batch, cl), "No worker of the cluster is left", class = "fitgenerator_worker_error")
  })
})

test_that("A node that hangs is named and left; others are not held up by it", {
  with_cluster(parallel::makeCluster(2), function(cl, pids) {
    losses_of(drawn_batch, cl) # what is loaded once
    stopped <- function(i) {
      if (i == 3) tools::pskill(Sys.getpid(), tools::SIGSTOP)
      list(matrix(0, 1, 1), 0)
    }
    late <- function() losses_of(stopped, cl, epochs = 1, timeout = 2)
    error <- expect_nothing_left(expect_error(late(), class = "fitgenerator_timeout_error"))
    named <- regmatches(conditionMessage(error), regexpr("(?<=process )[0-9]+", conditionMessage(error), perl = TRUE))
    expect_true(as.integer(named) %in% pids)
    expect_match(conditionMessage(error), "no batch 3 within 2 seconds.*which is yours and is not stopped")
    expect_true(all(alive(pids)))
    expect_identical(losses_of(drawn_batch, cl), losses_of(drawn_batch, NULL)) # by the other one
    tools::pskill(as.integer(named), tools::SIGCONT)
    expect_usable(cl, pids)
    for (pid in pids) tools::pskill(pid, tools::SIGSTOP)
    nobody <- function() with_options(list(fitgenerator.patience = 1), losses_of(drawn_batch, cl))
    expect_nothing_left(expect_error(nobody(), "No worker has answered within 1 seconds",
                                     class = "fitgenerator_worker_error"))
    for (pid in pids) tools::pskill(pid, tools::SIGCONT)
    expect_usable(cl, pids)
  })
})

test_that("The value of a call of the user's that waits in a connection is not touched", {
  with_cluster(parallel::makeCluster(2), function(cl, pids) {
    utils::getFromNamespace("sendCall", "parallel")(cl[[1L]], function() "theirs", list())
    Sys.sleep(0.2) # nolint: undesirable_function_linter. Until it has come.
    expect_identical(losses_of(drawn_batch, cl), losses_of(drawn_batch, NULL)) # by the other one
    expect_identical(utils::getFromNamespace("recvResult", "parallel")(cl[[1L]]), "theirs")
    expect_usable(cl, pids)
  })
})

test_that("Sources that a cluster does not make are read as ever, with a message", {
  with_cluster(parallel::makeCluster(1), function(cl, pids) {
    closure <- function() list(matrix(1, 1L), matrix(0, 1L))
    expect_message(train(linear_model(), closure, 2, workers = cl), "`workers` = a cluster has no effect")
    code <- "import numpy as np\nfitgenerator_test_batches = iter([(np.ones((1, 1)), np.zeros((1, 1)))] * 3)"
    python <- reticulate::py_run_string(code, convert = FALSE)$fitgenerator_test_batches
    expect_message(train(linear_model(), python, 2, workers = cl), "only a batch_sequence\\(\\) of an R function")
    expect_usable(cl, pids)
  })
  for (wrong in list("futures", list(), -1, 1.5, quote(x), parallel::makeCluster)) {
    expect_error(losses_of(drawn_batch, wrong), "a cluster of the package parallel, \"future\", \"mirai\" or NULL",
                 class = "fitgenerator_argument_error")
  }
  expect_error(evaluate_generator(linear_model(), print, workers = "threads"), "\"future\"",
               class = "fitgenerator_argument_error")
  expect_error(predict_generator(linear_model(), print, workers = "threads"), "\"future\"",
               class = "fitgenerator_argument_error")
})

# Issue 16: futures of the user's plan, and daemons of mirai, make the batches.

skip_without_workers()

with_plan <- function(..., code) {
  testthat::skip_if_not_installed("future")
  old <- future::plan(list(future::tweak(...)))
  on.exit(future::plan(old))
  force(code)
}

# The classes of the nodes that the plan has.
node_classes <- function() {
  plan_has_them <- utils::packageVersion("future") >= "1.40.0"
  lapply(if (plan_has_them) future::plan("backend")$workers else formals(future::plan("next"))$workers, class)
}

test_that("Futures of any plan with processes give the history of R's own thread, to the bit", {
  alone <- losses_of(drawn_batch, NULL)
  for (kind in c("cluster", "multisession")) {
    with_plan(kind, workers = 3, code = {
      future::value(future::future(1)) # from here on, the plan has nodes
      classes <- node_classes()
      losses_of(drawn_batch, "future") # what is loaded once
      expect_nothing_left(expect_identical(losses_of(drawn_batch, "future"), alone))
      expect_identical(losses_of(drawn_batch, "future", max_queue_size = 0), alone)
      expect_equal(future::nbrOfFreeWorkers(), 3)
      expect_identical(future::value(future::future(1 + 1)), 2)
      fails <- function(i) if (i == 3) stop("no such file") else list(matrix(0, 1, 1), 0)
      error <- expect_error(losses_of(fails, "future"), "no such file", class = "fitgenerator_generator_error")
      expect_identical(error$batch, 3L)
      expect_identical(future::value(future::future(1 + 1)), 2)
      expect_identical(node_classes(), classes)
    })
  }
})

test_that("One worker of two or more stays free; one alone is used; those that are busy are not waited for", {
  folder <- seen_folder()
  note <- function(i) {
    file.create(file.path(folder, Sys.getpid()))
    Sys.sleep(0.02) # nolint: undesirable_function_linter. So that all take part.
    list(matrix(0, 1L), matrix(0, 1L))
  }
  free <- NULL
  count <- list(on_train_batch_end = function(batch, logs) if (batch == 1) free <<- future::nbrOfFreeWorkers())
  with_plan("cluster", workers = 3, code = {
    losses_of(note, "future", length = 30, epochs = 1, callbacks = list(count))
    expect_equal(free, 1)
    expect_length(list.files(folder), 2L)
    over <- tempfile()
    wait <- function(k) {
      future::future({
        since <- Sys.time()
        while (!file.exists(over) && Sys.time() < since + 120) Sys.sleep(0.05) # nolint: undesirable_function_linter.
      })
    }
    busy <- lapply(1:2, wait)
    losses_of(note, "future", length = 4, epochs = 1)
    expect_false(future::resolved(busy[[1L]]))
    file.create(over)
  })
  with_plan("cluster", workers = 1, code = {
    expect_identical(losses_of(drawn_batch, "future"), losses_of(drawn_batch, NULL))
  })
})

test_that("Plans without processes, and forks, are refused", {
  testthat::skip_if_not_installed("future")
  refused <- function() {
    expect_error(losses_of(drawn_batch, "future"), "plan\\(multisession, workers = 2\\)",
                 class = "fitgenerator_argument_error")
  }
  with_plan("sequential", code = refused())
  with_plan("multisession", workers = 1, code = refused()) # which is no process, either
  with_plan("multicore", workers = 2, code = refused())
})

test_that("Daemons of mirai give the history of R's own thread, to the bit", {
  testthat::skip_if_not_installed("mirai")
  expect_error(losses_of(drawn_batch, "mirai"), "mirai::daemons", class = "fitgenerator_argument_error")
  alone <- losses_of(drawn_batch, NULL)
  for (dispatcher in c(TRUE, FALSE)) {
    mirai::daemons(2, dispatcher = dispatcher)
    losses_of(drawn_batch, "mirai") # what is loaded once
    expect_nothing_left(expect_identical(losses_of(drawn_batch, "mirai"), alone))
    expect_identical(mirai::mirai(1 + 1)[], 2)
    fails <- function(i) if (i == 3) stop("no such file") else list(matrix(0, 1, 1), 0)
    expect_error(losses_of(fails, "mirai"), "no such file", class = "fitgenerator_generator_error")
    expect_identical(mirai::mirai(1 + 1)[], 2)
    mirai::daemons(0)
  }
})

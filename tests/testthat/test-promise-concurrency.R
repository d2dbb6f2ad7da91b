# Trainings within trainings, and R processes that run in parallel with a training.

skip_without_keras()

test_that("A6: a hook and a closure may train another model", {
  inner <- NULL
  other <- echo_model()
  train_other <- function(...) inner <<- c(inner, train(other, numbered(), 3)$metrics$loss)
  closure <- numbered()
  training <- function() { train_other(); closure() }
  lambda <- keras()$callbacks$LambdaCallback(on_epoch_end = function(epoch, logs) train_other())
  history <- train(echo_model(), training, 2, epochs = 2, validation_data = training, validation_steps = 1,
                   callbacks = list(list(on_epoch_end = train_other), lambda))
  expect_equal(history$metrics, list(loss = c(1.5, 4.5), val_loss = c(3, 6)))
  expect_equal(inner, rep(2, 4 + 2 + 2 + 2))
  expect_equal(last_history(), history) # not that of a call within it
  expect_clean(linear_model())
})

test_that("A6: a call within another draws the same random numbers, whatever the queue", {
  run <- function(size) {
    set.seed(4)
    inner <- NULL
    other <- linear_model()
    hook <- function(epoch, logs) inner <<- c(inner, train(other, random_batches(), 2)$metrics$loss)
    outer <- train(linear_model(), random_batches(), 5, epochs = 3, max_queue_size = size,
                   callbacks = list(on_epoch_end = hook))
    list(outer$metrics$loss, inner, stats::runif(1))
  }
  expect_identical(run(0), run(10))
})

test_that("A6: a second training of the same model within a hook or a closure is refused in words", {
  model <- echo_model()
  again <- function(...) train(model, numbered(), 2)
  said <- "being trained by another call of fit_generator\\(\\)"
  e <- expect_error(train(model, numbered(), 2, callbacks = list(on_epoch_end = again)), said,
                    class = "fitgenerator_callback_error")
  expect_s3_class(e$parent, "fitgenerator_argument_error")
  e <- expect_error(train(model, again, 2), said, class = "fitgenerator_generator_error")
  expect_s3_class(e$parent, "fitgenerator_argument_error")
  expect_equal(train(model, numbered(), 2)$metrics$loss, 1.5)
})

test_that("A6: a hook may evaluate and predict with the model that trains", {
  model <- echo_model()
  scores <- NULL
  look <- function(epoch, logs) {
    scores <<- c(scores, evaluate_generator(model, numbered(), 3)$loss, predict_generator(model, numbered(), 1))
  }
  history <- train(model, numbered(), 2, epochs = 2, callbacks = list(on_epoch_end = look))
  expect_equal(history$metrics$loss, c(1.5, 3.5))
  expect_equal(scores, rep(c(2, 1, 1), 2))
})

test_that("A8: closures may use a PSOCK cluster, run other programs, and fork; hooks too", {
  skip_on_os("windows")
  done <- run_r(quote({
    np <- reticulate::import("numpy")
    calls <- 0
    bound <- function(parts) list(do.call(rbind, parts), rep(0, 4))
    cluster <- parallel::makePSOCKcluster(2)
    clustered <- function() bound(parallel::clusterApply(cluster, 1:2, function(i) matrix(i, 2, 1)))
    shell <- function() list(matrix(as.numeric(system("echo 3", intern = TRUE))), 0)
    history <- train(echo_model(), clustered, 50, validation_data = shell, validation_steps = 5)
    parallel::stopCluster(cluster)
    cat("losses", unlist(history$metrics), "threads", our_threads(), "\n")

    in_child <- function(i) {
      message("child ", i)
      if (calls %% 10 == 1) gc() # drops Python objects of the parent
      matrix(as.numeric(np$float64(i)), 2, 1)
    }
    forking <- function(...) {
      calls <<- calls + 1
      bound(parallel::mclapply(1:2, in_child, mc.cores = 2L))
    }
    history <- train(echo_model(), forking, 50, validation_data = forking, validation_steps = 5,
                     callbacks = list(on_epoch_end = forking))
    failing <- function() parallel::mclapply(1:2, function(i) stop("in the child"), mc.cores = 2L)[[1]][[1]]
    said <- tryCatch(suppressWarnings(train(echo_model(), failing, 2)), error = conditionMessage)
    cat("losses", unlist(history$metrics), "calls", calls, "threads", our_threads(), "\n")
    cat("then", substr(said, 1, 7), unlist(parallel::mccollect(parallel::mcparallel(6 * 7))), "\n")
  }))
  said <- c("losses 1.5 3 threads +\n", "losses 1.5 1.5 calls 56 threads +\n", "then Batch 1 42")
  expect_process(done, said)
})

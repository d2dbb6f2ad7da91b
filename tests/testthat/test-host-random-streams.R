# Rule 8: the same seed gives the same history and leaves the same state, whatever the queue and the load.

skip_without_keras()

random_seed <- function() get(".Random.seed", globalenv())

# A run in which everything draws random numbers. `pause` is called in each function, to shift their order.
draw_everywhere <- function(size, pause = function() NULL, seed = 1, steps = 6, ...) {
  drawing <- function() {
    pause()
    x <- matrix(rnorm(4))
    list(x, x * runif(4))
  }
  also_drawing <- function() drawing()
  noise <- NULL
  hooks <- list(
    on_train_batch_begin = function(batch, logs) { pause(); noise <<- c(noise, rnorm(1)) },
    on_epoch_end = function(epoch, logs) noise <<- c(noise, runif(1))
  )
  rates <- keras()$callbacks$LearningRateScheduler(function(epoch, rate) 0.01 + 0.1 * runif(1))
  set.seed(seed)
  history <- train(linear_model(), drawing, steps, epochs = 3, max_queue_size = size, ...,
                   callbacks = list(hooks, rates), validation_data = also_drawing, validation_steps = 3)
  list(metrics = history$metrics, noise = noise, seed = random_seed())
}

test_that("rule 8: queues of any size give one history and leave one state", {
  plain <- draw_everywhere(0)
  for (size in c(1, 3, 10, 50)) expect_identical(draw_everywhere(size), plain)
  expect_false(identical(draw_everywhere(3, seed = 2)$metrics, plain$metrics))
  expect_identical(draw_everywhere(3, workers = 0), plain)
})

test_that("rule 8: delays and a busy processor change nothing", {
  plain <- draw_everywhere(3)
  # Delays from a stream that R does not know.
  delay <- reticulate::py_eval("lambda: __import__('time').sleep(__import__('random').random() / 100)")
  for (size in c(0, 1, 10)) expect_identical(draw_everywhere(size, delay), plain)
  skip_if_not_installed("callr")
  busy <- callr::r_bg(function() repeat sum(as.numeric(1:1e5)))
  on.exit(busy$kill())
  for (size in c(1, 10)) expect_identical(draw_everywhere(size), plain)
})

test_that("rule 8: the state afterwards is that right after the last trained batch was drawn", {
  draws <- function(n) { set.seed(7); for (i in seq_len(n)) rnorm(3); random_seed() }
  generator <- function() list(matrix(rnorm(3)), matrix(0, 3))
  for (size in c(0, 10)) {
    set.seed(7)
    train(linear_model(), generator, 4, epochs = 2, max_queue_size = size)
    expect_identical(random_seed(), draws(8))
    set.seed(7)
    model <- linear_model()
    stop_early <- list(on_train_batch_end = function(batch, logs) if (batch == 2) model$stop_training <- TRUE)
    train(model, generator, 100, max_queue_size = size, callbacks = stop_early)
    expect_identical(random_seed(), draws(3))
    set.seed(7)
    evaluate_generator(model, generator, 5, max_queue_size = size)
    expect_identical(random_seed(), draws(5))
    set.seed(7)
    predict_generator(model, generator, 5, max_queue_size = size)
    expect_identical(random_seed(), draws(5))
  }
})

test_that("rule 8: validation and callbacks do not advance the session's stream, and differ from it", {
  taken <- list()
  note <- function(what) function(...) taken[[what]] <<- c(taken[[what]], runif(1))
  batch <- list(matrix(1), matrix(1))
  validation <- function() { note("validation")(); batch }
  set.seed(5)
  train(linear_model(), function() batch, 2, epochs = 2, validation_data = validation, validation_steps = 2,
        callbacks = list(list(on_epoch_end = note("first")), list(on_epoch_end = note("second"))))
  after <- random_seed()
  set.seed(5)
  expect_identical(after, random_seed())
  own <- runif(4)
  expect_identical(anyDuplicated(c(own, unlist(taken))), 0L)
  expect_identical(lengths(taken), c(first = 2L, second = 2L, validation = 4L)[names(taken)])
})

test_that("rule 8: after an error or a way out the state is that of the last trained batch as well", {
  model <- linear_model()
  for (size in c(0, 10)) {
    calls <- 0
    failing <- function() {
      calls <<- calls + 1
      if (calls == 4) stop("no")
      list(matrix(rnorm(3)), matrix(0, 3))
    }
    set.seed(7)
    try(train(model, failing, 10, max_queue_size = size), silent = TRUE)
    after <- random_seed()
    set.seed(7)
    rnorm(9)
    expect_identical(after, random_seed())
  }
})

test_that("rule 8: the kind of random numbers is kept", {
  kind <- RNGkind("Wichmann-Hill", "Box-Muller", "Rounding") |> suppressWarnings()
  on.exit(suppressWarnings(do.call(RNGkind, as.list(kind))))
  mine <- RNGkind()
  seen <- list()
  look <- function(...) { seen <<- c(seen, list(RNGkind())); rnorm(1) }
  closure <- function() { look(); list(matrix(1), matrix(1)) }
  plain <- draw_everywhere(0)
  expect_identical(draw_everywhere(10), plain)
  train(linear_model(), closure, 2, validation_data = function() closure(), validation_steps = 1,
        callbacks = list(on_epoch_end = look))
  expect_identical(unique(seen), list(mine))
  expect_identical(RNGkind(), mine)
})

test_that("T11: the second number of Box-Muller stays in its batch, whatever the queue, in one call or two", {
  kind <- suppressWarnings(RNGkind("Mersenne-Twister", "Box-Muller"))
  on.exit(suppressWarnings(do.call(RNGkind, as.list(kind))))
  drawn_in <- function(size, calls = 1L) {
    drawn <- list()
    draw <- function(what) {
      x <- rnorm(3)
      drawn[[what]] <<- c(drawn[[what]], x)
      list(matrix(x), matrix(0, 3))
    }
    drawing <- function(what) function(...) draw(what)
    hooks <- list(on_epoch_end = drawing("hook"))
    set.seed(1)
    rnorm(1)
    for (i in seq_len(calls)) {
      train(echo_model(), drawing("generator"), 6, epochs = 2 / calls, max_queue_size = size,
            callbacks = list(hooks), validation_data = drawing("validation"), validation_steps = 3)
    }
    c(drawn, rnorm(1))
  }
  plain <- drawn_in(0)
  for (size in c(1, 3, 10)) expect_identical(drawn_in(size), plain)
  expect_identical(drawn_in(10, calls = 2L)[["generator"]], plain$generator)
  expect_false(anyDuplicated(unlist(plain)) > 0)
})

test_that("rule 8: a session without a seed gets one", {
  seed <- random_seed()
  on.exit(assign(".Random.seed", seed, envir = globalenv()))
  rm(".Random.seed", envir = globalenv())
  train(linear_model(), random_batches(), 2)
  expect_true(exists(".Random.seed", globalenv(), inherits = FALSE))
  rm(".Random.seed", envir = globalenv())
  train(linear_model(), function() list(matrix(1), matrix(1)), 2)
  expect_true(exists(".Random.seed", globalenv(), inherits = FALSE))
})

test_that("C6: sample() in both closures: two runs are identical", {
  run <- function() {
    shuffled <- function() list(matrix(sample(10)), matrix(sample(10)))
    set.seed(1)
    train(linear_model(rate = 1e-3), shuffled, 5, epochs = 3, validation_data = function() shuffled(),
          validation_steps = 2)$metrics
  }
  expect_identical(run(), run())
})

test_that("rule 8: a second call goes on with the stream of the first", {
  generator <- function() list(matrix(rnorm(3)), matrix(0, 3))
  drawn <- NULL
  noting <- function() { batch <- generator(); drawn <<- c(drawn, batch[[1]]); batch }
  set.seed(3)
  for (size in c(10, 0, 1)) train(linear_model(), noting, 2, max_queue_size = size)
  set.seed(3)
  expect_identical(drawn, rnorm(18))
})

# Every fault of the table in helper-fault-table.R: the right condition arrives, and nothing is lost or remains.

skip_without_keras()

descriptors <- function() length(list.files("/proc/self/fd"))

expect_nothing_left <- function(model, before, label) {
  expect_identical(our_threads(), character(), info = label)
  expect_lte(descriptors(), before)
  steps <- iterations_of(model)
  train(model, random_batches(), 2)
  expect_identical(iterations_of(model) - steps, 2, info = label)
}

each_fault <- function(table, check) {
  expect_gt(nrow(table), 0)
  model <- linear_model()
  train(model, random_batches(), 2, validation_data = random_batches(), validation_steps = 1)
  before <- descriptors()
  for (i in seq_len(nrow(table))) {
    row <- table[i, ]
    check(model, row, label_of(row))
    expect_nothing_left(model, before, label_of(row))
  }
}

# `error` is of the classes that a failure at this place has, with its text, its parent and its batch.
expect_failure <- function(error, row, label) {
  closure <- row$place %in% c("generator", "validation_data")
  class <- if (closure) "fitgenerator_generator_error" else "fitgenerator_callback_error"
  raises <- fault_failures[[row$way]]$raises
  expect_true(inherits(error, class), info = label)
  expect_true(inherits(error, raises[[1]]) || raises[[1]] == "simpleError", info = label)
  expect_true(inherits(error$parent, raises[[1]]), info = label)
  text <- conditionMessage(error)
  expect_match(text, raises[[2]], info = label)
  expect_lt(nchar(text), 2000)
  if (closure) {
    expect_match(text, sprintf("`%s` failed at batch %d", row$place, row$at), info = label)
  } else {
    expect_match(text, row$place, fixed = TRUE, info = label)
  }
}

test_that("a failure arrives with its text, class, parent and place, after the steps before it", {
  each_fault(fault_table(names(fault_failures)), function(model, row, label) {
    act <- fault_failures[[row$way]]$act
    error <- tryCatch(train_with(model, row$place, act, row$at, row$size), error = identity)
    expect_failure(error, row, label)
    expect_identical(iterations_of(model), finished_steps(row$place, row$at), info = label)
  })
})

test_that("so does one in a hook that Keras calls", {
  hooks <- c("on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end")
  # Not where R's stack is full: reticulate itself crashes then, with or without us.
  each_fault(fault_table(setdiff(names(fault_failures), "recursion"), hooks), function(model, row, label) {
    act <- fault_failures[[row$way]]$act
    error <- tryCatch(train_with(model, row$place, act, row$at, row$size, lambda = TRUE), error = identity)
    if (row$way == "python") {
      expect_true(inherits(error, "python.builtin.KeyError"), info = label)
    } else {
      expect_failure(error, row, label)
    }
    expect_identical(iterations_of(model), finished_steps(row$place, row$at), info = label)
  })
})

test_that("what a handler or a restart outside takes leaves the call at once", {
  each_fault(fault_table(names(fault_ways_out)), function(model, row, label) {
    way <- fault_ways_out[[row$way]]
    value <- way$take(function() train_with(model, row$place, way$act, row$at, row$size))
    expect_identical(value, "out", info = label)
    expect_lte(iterations_of(model), finished_steps(row$place, row$at))
  })
})

test_that("what does no harm changes nothing", {
  each_fault(fault_table(names(fault_harmless)), function(model, row, label) {
    act <- function() fault_harmless[[row$way]](model)
    history <- train_with(model, row$place, act, row$at, row$size)
    expect_identical(history$epoch, 0:1, info = label)
    expect_length(history$metrics$val_loss, 2)
    expect_identical(iterations_of(model), 6, info = label)
  })
})

test_that("a value that is no batch is refused at its place", {
  values <- list(text = "a", one = list(matrix(1)), rows = list(matrix(1, 2), matrix(1, 3)), environment = globalenv())
  table <- fault_table(names(values), c("generator", "validation_data"))
  each_fault(table, function(model, row, label) {
    calls <- 0
    batch <- random_batches()
    bad <- function() if ((calls <<- calls + 1) == row$at) values[[row$way]] else batch()
    sources <- list(generator = random_batches(), validation_data = random_batches())
    sources[[row$place]] <- bad
    model$optimizer$iterations$assign(0L)
    error <- tryCatch(
      train(model, sources$generator, 3, epochs = 2, validation_data = sources$validation_data,
            validation_steps = 2, max_queue_size = row$size),
      error = identity
    )
    expect_true(inherits(error, "fitgenerator_batch_error"), info = label)
    expect_match(conditionMessage(error), sprintf("atch %d.*%s", row$at, row$place), info = label)
    expect_identical(iterations_of(model), finished_steps(row$place, row$at), info = label)
  })
})

# Data that is read in parts: functions, coro generators, iterators, databases.

skip_without_keras()

frame <- data.frame(x = 1:7 + 0, y = 0, kind = rep(c("a", "b"), length.out = 7))

# Reads `frame` in parts of so many rows; counts what was opened and closed.
reading <- function(size = 3) {
  counts <- new.env()
  counts$opened <- counts$closed <- 0
  read <- function() {
    counts$opened <- counts$opened + 1
    at <- 0
    function(close = FALSE) {
      if (close) {
        counts$closed <- counts$closed + 1
        return(NULL)
      }
      rows <- seq_len(nrow(frame)) > at & seq_len(nrow(frame)) <= at + size
      at <<- at + size
      if (any(rows)) frame[rows, ]
    }
  }
  list(read = read, counts = counts)
}

seen_by <- function(flow, ...) as.vector(predict_generator(echo_model(), flow, ...))

test_that("Batches do not depend on the size of the parts, nor on the queue", {
  for (size in c(1, 3, 7, 20)) {
    flow <- flow_from_chunks(reading(size)$read, y ~ x, batch_size = 2)
    for (queue in c(0, 10)) expect_equal(seen_by(flow, max_queue_size = queue), 1:7)
  }
})

test_that("Parts without rows are passed over, but not for ever", {
  parts <- list(frame[0, ], frame[1:2, ], frame[0, ], frame[3, ])
  flow <- flow_from_chunks(function() { i <- 0; function() if ((i <<- i + 1) <= 4) parts[[i]] }, y ~ x)
  expect_equal(seen_by(flow), 1:3)
  endless <- flow_from_chunks(function() function() frame[0, ], y ~ x)
  expect_error(seen_by(endless), "it must give NULL at the end", class = "fitgenerator_argument_error")
})

test_that("Without steps an epoch is one pass, with steps it goes on; validation begins anew each time", {
  parts <- reading()
  flow <- flow_from_chunks(parts$read, "x", "y", batch_size = 4)
  history <- train(echo_model(), flow, NULL, epochs = 2, validation_data = flow)
  expect_equal(history$metrics, list(loss = c(4, 4), val_loss = c(4, 4)))
  history <- train(echo_model(), flow, 3, epochs = 2, validation_data = flow, validation_steps = 1)
  expect_equal(history$metrics$loss, c((28 + 10) / 11, (18 + 28) / 10), tolerance = 1e-6)
  expect_equal(history$metrics$val_loss, c(2.5, 2.5))
})

test_that("What was opened is told when no more parts are wanted", {
  parts <- reading()
  train(echo_model(), flow_from_chunks(parts$read, y ~ x, batch_size = 2), 3, epochs = 3)
  expect_identical(parts$counts$opened, parts$counts$closed)
  expect_identical(parts$counts$opened, 3)
  failing <- flow_from_chunks(function() {
    draw <- parts$read()
    function(close = FALSE) if (close) draw(close = TRUE) else stop("the disk is gone")
  }, y ~ x)
  expect_error(train(echo_model(), failing, NULL), "disk is gone", class = "fitgenerator_generator_error")
  expect_identical(parts$counts$opened, parts$counts$closed)
})

test_that("Generators of coro, iterators and functions are read", {
  coro <- function() structure(reading()$read(), class = "coro_generator_instance")
  expect_equal(seen_by(flow_from_chunks(coro, y ~ x)), 1:7)
  skip_if_not_installed("iterators")
  by_row <- function() iterators::iter(frame[c("x", "y")], by = "row")
  expect_equal(seen_by(flow_from_chunks(by_row, y ~ x, batch_size = 3)), 1:7)
})

test_that("Words are codes of the levels that are given", {
  model <- echo_model(2L)
  flow <- flow_from_chunks(reading(2)$read, y ~ kind, one_hot = TRUE, levels = list(kind = c("b", "a")))
  expect_equal(predict_generator(model, flow)[, 1], rep(1, 7))
  codes <- flow_from_chunks(reading(2)$read, y ~ kind, levels = list(kind = c("b", "a")))
  expect_equal(seen_by(codes), rep(c(1, 0), length.out = 7))
})

test_that("The answer to a query trains, in parts, and leaves the connection free", {
  skip_if_not_installed("RSQLite")
  con <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
  on.exit(DBI::dbDisconnect(con))
  DBI::dbWriteTable(con, "rows", frame)
  flow <- flow_from_query(con, "SELECT x, y FROM rows WHERE x <= ?", y ~ x, batch_size = 2, params = list(6),
                          chunk_size = 3)
  expect_equal(train(echo_model(), flow, NULL, epochs = 2)$metrics$loss, c(3.5, 3.5))
  expect_equal(seen_by(flow), 1:6)
  train(echo_model(), flow, 2)
  expect_silent(DBI::dbGetQuery(con, "SELECT count(*) FROM rows"))
  expect_error(
    train(echo_model(), flow, 2, epochs = 3, validation_data = flow, validation_steps = 1),
    "`con` is being read already; give each flow its own connection", class = "fitgenerator_argument_error"
  )
  expect_silent(DBI::dbGetQuery(con, "SELECT count(*) FROM rows"))
  lost <- flow_from_query(con, "SELECT * FROM elsewhere", y ~ x)
  expect_error(seen_by(lost), "no such table", class = "fitgenerator_generator_error")
})

test_that("It prints", {
  expect_output(print(flow_from_chunks(reading()$read, "x")), "A stream of batches")
})

test_that("Bad input is refused in words", {
  refused <- function(text, code) {
    e <- expect_error(code, class = "fitgenerator_argument_error")
    expect_match(conditionMessage(e), text)
  }
  read <- reading()$read
  refused("^`read` must be a function, not an object of class `data.frame`", flow_from_chunks(frame))
  refused("^`read` must be a function without arguments, not one that needs `path`", flow_from_chunks(function(path) 1))
  refused("^`levels` must be a named list of vectors", flow_from_chunks(read, levels = c("a", "b")))
  refused("^`targets` must be NULL", flow_from_chunks(read, y ~ x, "y"))
  refused("^`batch_size` must be", flow_from_chunks(read, batch_size = 0))
  refused("`read` must return a function that returns data frames, not an object",
          seen_by(flow_from_chunks(function() frame)))
  refused("`read` must return a function that returns data frames, not one that returns an integer",
          seen_by(flow_from_chunks(function() function() 1:3)))
  refused("as a formula must have names of columns.*not \"y ~ log\\(x\\)\"",
          seen_by(flow_from_chunks(read, y ~ log(x))))
  refused("`levels` must have the values of the column `kind`",
          seen_by(flow_from_chunks(read, y ~ kind, one_hot = TRUE)))
  twice <- function() { n <- 0; function() if ((n <<- n + 1) == 1) cbind(frame, x = 1, z = 2) } # nolint: brace_linter.
  refused("several columns of one name: `x`; rename", seen_by(flow_from_chunks(twice, targets = "y")))
  refused("several columns of one name: `x`; rename", seen_by(flow_from_chunks(twice, y ~ x)))
  expect_equal(seen_by(flow_from_chunks(twice, y ~ z)), rep(2, 7))
  refused("^`con` must be a DBI connection, not NULL", flow_from_query(NULL, "SELECT 1"))
  skip_if_not_installed("RSQLite")
  con <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
  on.exit(DBI::dbDisconnect(con))
  refused("^`sql` must be a query in one string, not 3", flow_from_query(con, 3))
})

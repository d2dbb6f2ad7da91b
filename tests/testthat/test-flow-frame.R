# Batches from data frames: formulas and names, factors, missing values.

skip_without_keras()

frame <- data.frame(
  size = c(1, 2, 3, 4), rooms = c(1L, 2L, 1L, 3L), kind = factor(c("b", "a", "c", "a")),
  word = c("x", "y", "x", "z"), weight = c(0.5, 1, 1, 2), price = c(10, 20, 30, 40)
)

rows_of <- function(data, ...) {
  batch <- reticulate::py_to_r(flow_from_frame(data, ..., shuffle = FALSE)[0])
  lapply(batch, function(part) if (is.list(part)) lapply(part, unname) else unname(part))
}

inputs_of <- function(...) rows_of(frame, ...)[[1]]

test_that("Columns by formula and by name are one matrix", {
  wanted <- list(cbind(frame$size, frame$rooms), matrix(frame$price))
  expect_equal(rows_of(frame, price ~ size + rooms), wanted)
  expect_equal(rows_of(frame, price ~ . - kind - word - weight), wanted)
  expect_equal(rows_of(frame, c("size", "rooms"), "price"), wanted)
  expect_equal(rows_of(frame[c("size", "rooms", "price")], targets = "price"), wanted)
  expect_equal(inputs_of("size"), matrix(frame$size))
  expect_equal(rows_of(tibble::as_tibble(frame), price ~ size + rooms), wanted)
})

test_that("Terms of a formula are evaluated", {
  expect_equal(inputs_of(price ~ log(size) + I(rooms^2)), cbind(log(frame$size), frame$rooms^2), tolerance = 1e-6)
  expect_equal(rows_of(frame, cbind(price, size) ~ rooms)[[2]], cbind(frame$price, frame$size))
  expect_length(rows_of(frame, ~ size), 1L)
  odd <- stats::setNames(frame, c("the size", names(frame)[-1]))
  expect_equal(rows_of(odd, price ~ `the size`)[[1]], matrix(frame$size))
  shift <- 2
  expect_equal(inputs_of(price ~ I(size + shift)), matrix(frame$size + 2))
})

test_that("Each term gives all of its columns, whatever it is called", {
  odd <- stats::setNames(frame, c("the size", names(frame)[-1]))
  logs <- cbind(log(frame$size), frame$rooms)
  expect_equal(rows_of(odd, price ~ log(`the size`) + rooms)[[1]], logs, tolerance = 1e-6)
  wanted <- cbind(frame$size, frame$rooms + 1)
  expect_equal(inputs_of(price ~ size + vapply(rooms, function(n) { n + 1 }, 1)), wanted) # nolint: brace_linter.
  long <- stats::reformulate(c("size", sprintf("I(rooms + %s)", paste(c(1, rep(0, 300)), collapse = " + "))), "price")
  expect_equal(inputs_of(long), wanted)
  curves <- stats::poly(frame$size, 2)
  others <- stats::poly(frame$price, 2)
  expect_equal(inputs_of(weight ~ poly(size, 2) + poly(price, 2)), unname(cbind(curves, others)), tolerance = 1e-6,
               ignore_attr = TRUE)
  scaled <- cbind(frame$size, scale(cbind(frame$size, frame$price)))
  batch <- rows_of(frame, cbind(size, price) ~ size + scale(cbind(size, price)), sample_weight = "weight")
  expect_equal(batch, list(scaled, cbind(frame$size, frame$price), array(frame$weight)), tolerance = 1e-6)
})

test_that("The weights are no inputs", {
  batch <- rows_of(frame[c("size", "weight", "price")], price ~ ., sample_weight = "weight")
  expect_equal(batch, list(matrix(frame$size), matrix(frame$price), array(frame$weight)))
})

test_that("G4: factors are codes from 0, or a column per level; words stay words", {
  codes <- as.integer(frame$kind) - 1L
  one_hot <- diag(3)[codes + 1L, ]
  expect_identical(inputs_of(price ~ kind), matrix(codes))
  expect_equal(inputs_of(price ~ size + kind, one_hot = "kind"), cbind(frame$size, one_hot))
  expect_equal(inputs_of(price ~ factor(kind), one_hot = TRUE), one_hot)
  expect_equal(rows_of(frame, kind ~ size)[[2]], matrix(codes))
  expect_identical(inputs_of(price ~ word), matrix(frame$word))
  expect_equal(inputs_of(price ~ word, one_hot = TRUE), diag(3)[c(1, 2, 1, 3), ])
})

test_that("G7: several inputs, by name and by position", {
  batch <- rows_of(frame, list(n = c("size", "rooms"), k = "kind"), list("price", "size"))
  expect_equal(batch[[1]], list(n = cbind(frame$size, frame$rooms), k = matrix(as.integer(frame$kind) - 1L)))
  expect_equal(batch[[2]], list(matrix(frame$price), matrix(frame$size)))
})

test_that("A model trains on it without steps", {
  model <- linear_model(3L)
  flow <- flow_from_frame(frame, price ~ kind, one_hot = TRUE, batch_size = 2, seed = 1, balance = frame$kind)
  expect_length(train(model, flow, NULL, epochs = 2, validation_data = flow)$metrics$val_loss, 2)
})

test_that("Bad input is refused in words", {
  refused <- function(text, ...) {
    e <- expect_error(flow_from_frame(...), class = "fitgenerator_argument_error")
    expect_match(conditionMessage(e), text)
  }
  refused("^`data` must be a data frame, not a list of 1", list(a = 1), "a")
  refused("^`inputs` must name columns of the data, not seize; it has size", frame, "seize", "price")
  refused("^`inputs` as a formula cannot be evaluated: .*seize", frame, price ~ seize)
  refused("no interactions such as a:b or a \\* b, not price ~ size \\* rooms", frame, price ~ size * rooms)
  refused("no offset\\(\\) and no interactions", frame, price ~ size + offset(rooms))
  wide <- frame
  wide$size <- diag(4)
  refused("column `size\\[, 0\\]` must hold numbers", wide, price ~ rooms + size[, 0])
  refused("^`inputs` must name columns: a character vector, or a list of these, not a double", frame, 3)
  refused("^`targets` must name columns of the data, not cost", frame, "size", "cost")
  refused("^`targets` must be NULL if `inputs` is a formula", frame, price ~ size, "price")
  refused("^`sample_weight` must name columns", frame, "size", "price", "w")
  refused("^`one_hot` must name columns", frame, "size", "price", one_hot = "w")
  holes <- transform(frame, size = c(1, NA, NaN, 2), rooms = c(NA, 1:3), kind = factor(c("a", NA, "b", "b")),
                     word = c(NA, "a", "b", "b"))
  refused("missing values, and has 2 in `size`, 1 in `rooms`, 1 in `kind`, 1 in `word`; leave these rows out",
          holes, price ~ size + rooms + kind + word)
  refused("several columns of one name: `size`, `rooms`; rename them", cbind(frame, frame[1:2]), c("rooms", "size"))
  refused("several columns of one name: `size`", cbind(frame, size = 1), price ~ log(size))
  refused("several columns of one name: `weight`", cbind(frame, weight = 1), price ~ size, sample_weight = "weight")
  expect_equal(rows_of(cbind(frame, size = 1), price ~ rooms)[[1]], matrix(frame$rooms))
  refused("columns `word` hold words and cannot stand in one array with numbers", frame, price ~ size + word)
  refused("column `day` must hold numbers, words or categories, not an object of class `Date`",
          transform(frame, day = Sys.Date()), price ~ day)
  refused("^`batch_size` must be", frame, price ~ size, batch_size = 1.5)
})

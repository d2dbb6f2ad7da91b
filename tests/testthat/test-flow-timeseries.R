# Windows of an R time series: what crosses, and what is refused. The cutting is tested in Python.

skip_without_keras()

test_that("Windows of a time series are those of Keras", {
  keras_windows <- reticulate::import("keras.src.legacy.preprocessing.sequence")$TimeseriesGenerator
  data <- matrix(rnorm(80), 40L)
  theirs <- keras_windows(reticulate::np_array(data, "float32"), 1:40 + 0, length = 6L, sampling_rate = 2L,
                          stride = 3L, start_index = 1L, end_index = 35L, reverse = TRUE, batch_size = 4L)
  ours <- timeseries_generator(data, 1:40 + 0, 6, 2, 3, 1, 35, FALSE, TRUE, 4)
  expect_length(ours, length(theirs))
  for (i in seq_len(length(ours)) - 1L) {
    expect_equal(reticulate::py_to_r(ours[i]), reticulate::py_to_r(reticulate::r_to_py(theirs[i])), tolerance = 1e-6)
  }
  series <- 1:10 + 0
  flow <- timeseries_generator(series, series * 0, 1, batch_size = 3, shuffle = TRUE, seed = 1)
  expect_equal(train(echo_model(), flow, NULL, epochs = 2)$metrics$loss, c(5, 5), tolerance = 1e-6)
})

test_that("Bad input is refused by the name of the argument", {
  x <- matrix(1:12 + 0)
  refused <- function(text, code) {
    e <- expect_error(code, class = "fitgenerator_argument_error")
    expect_match(conditionMessage(e), text)
  }
  refused("same number of times", timeseries_generator(x, 1:3, 2))
  refused("^`length` leaves no window", timeseries_generator(x, x, 12))
  refused("^`stride` must be", timeseries_generator(x, x, 2, stride = 0))
  refused("^`end_index` must be a time of the data", timeseries_generator(x, x, 2, end_index = 12))
})

test_that("T29: the length of a window and the other arguments can be read, as in keras", {
  flow <- timeseries_generator(lynx, lynx, length = 10, stride = 2, batch_size = 16)
  expect_equal(c(flow$length, flow$stride, flow$batch_size, flow$end_index), c(10, 2, 16, length(lynx) - 1))
  expect_length(flow, 4)
})

methods <- c("base", if (requireNamespace("ggplot2", quietly = TRUE)) "ggplot2")

test_that("S2: plot draws one epoch, three and fifty, training and validation, with and without ggplot2", {
  for (method in methods) {
    for (epochs in c(1L, 3L, 50L)) {
      picture <- picture_of(function() plot(some_history(seq_len(epochs) - 1L), method = method))
      expect_true(all(has_colours(picture, c("#0072B2", "#D55E00"))), info = paste(method, epochs))
    }
  }
})

test_that("Long trainings have lines without points, and so has the legend", {
  skip_if_not_installed("ggplot2")
  points_of <- function(epochs) {
    layers <- plot(some_history(seq_len(epochs) - 1L), method = "ggplot2")$layers
    sum(vapply(layers, function(layer) inherits(layer$geom, "GeomPoint"), NA))
  }
  expect_identical(c(points_of(30), points_of(31)), c(1L, 0L))
})

test_that("plot is silent, also where nothing can be drawn", {
  with_nan <- new_history(list(), list(loss = c(1, NaN)), epochs = 0:1)
  only_nan <- new_history(list(), list(loss = NaN), epochs = 0L)
  for (h in list(some_history(), some_history(0L), with_nan, only_nan, empty_history())) {
    expect_silent(drawn(expect_identical(plot(h, method = "base"), h)))
    if ("ggplot2" %in% methods) expect_silent(drawn(print(plot(h, method = "ggplot2", smooth = 0.5))))
  }
})

test_that("ggplot2 has a panel for each metric, whole epochs, and can be added to", {
  skip_if_not_installed("ggplot2")
  h <- new_history(list(), list(loss = 3:1, acc = 1:3, val_loss = 3:1, learning_rate = rep(1e-3, 3)), epochs = 0:2)
  built <- ggplot2::ggplot_build(plot(h) + ggplot2::ggtitle("mine"))
  expect_identical(as.character(built$layout$layout$metric), c("loss", "acc", "learning_rate"))
  expect_identical(built$plot$labels$title, "mine")
  at <- built$layout$panel_params[[1]]$x$get_breaks()
  expect_identical(at[!is.na(at)], c(1, 2, 3))
  # A learning rate that never changes has an axis of its size.
  expect_lt(diff(built$layout$panel_params[[3]]$y.range), 1e-3)
})

test_that("autoplot() is plot(), for histories and pipelines", {
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(some_history(), log = TRUE), "ggplot")
  expect_s3_class(ggplot2::autoplot(some_pipeline()), "ggplot")
})

test_that("many metrics fit a small picture", {
  names <- paste0(c("", "val_"), "metric_", rep(1:25, each = 2))
  h <- new_history(list(), stats::setNames(rep(list(1:2), 50), names), epochs = 0:1)
  for (method in methods) expect_true(all(has_colours(picture_of(function() plot(h, method = method)), "#0072B2")))
  expect_identical(vapply(c(1L, 3L, 4L, 8L, 9L, 25L), panel_columns, 1L), c(1L, 1L, 2L, 2L, 3L, 5L))
})

test_that("plot leaves the settings of the device as they were", {
  with_note <- new_history(list(), list(loss = c(1, NaN), val_loss = 1:2), epochs = 0:1)
  now <- function() graphics::par(c("mfrow", "mar", "oma", "mgp", "tcl"))
  drawn({
    before <- now()
    plot(with_note, method = "base")
    expect_identical(now(), before)
    plot(some_pipeline(), method = "base")
    plot(some_pipeline(timeline = some_events()), type = "timeline", method = "base")
    expect_identical(now(), before)
  })
})

test_that("plot takes some of the metrics in the order asked for and names an unknown one", {
  h <- new_history(list(), list(loss = 2:1, acc = 1:2, val_acc = 1:2), epochs = 0:1)
  expect_identical(levels(history_picture(h, c("acc", "loss"), 0, FALSE)$data$metric), c("acc", "loss"))
  expect_identical(levels(history_picture(h, "acc", 0, FALSE)$data$metric), "acc")
  expect_error(plot(h, metrics = "auc"), "\"auc\"", class = "fitgenerator_argument_error")
})

test_that("options that are something else are named", {
  h <- some_history()
  expect_error(plot(h, log = "y"), "`log` must be TRUE or FALSE, not \"y\"", class = "fitgenerator_argument_error")
  text <- "`smooth` must be a number from 0 to below 1, not 1"
  expect_error(plot(h, smooth = 1), text, class = "fitgenerator_argument_error")
  expect_identical(c(check_smooth(TRUE), check_smooth(FALSE), check_smooth(0.3)), c(0.6, 0, 0.3))
})

test_that("a value that cannot be drawn breaks the line and is named; one that was not measured does not", {
  loss <- c(1, NaN, 0.5, Inf, NaN, 0)
  picture <- history_picture(new_history(list(), list(loss = loss), epochs = 0:5), NULL, 0, TRUE)
  expect_identical(picture$data$epoch, c(1L, 3L))
  expect_false(identical(picture$data$run[[1]], picture$data$run[[2]]))
  expect_identical(picture$note, "loss is not finite at epochs 2 and 4 to 5.\nloss is not above 0 at epoch 6.")
  freq <- new_history(list(validation_freq = 2L), list(loss = 4:1, val_loss = 2:1), epochs = 0:3)
  picture <- history_picture(freq, NULL, 0, FALSE)
  validation <- picture$data[picture$data$data == "validation", ]
  expect_identical(validation$epoch, c(2L, 4L))
  expect_length(unique(validation$run), 1)
  expect_identical(picture$note, "")
  expect_identical(epochs_text(c(1:3, 5L, 7L, 9L, 11:12)), "epochs 1 to 3, 5, 7 and 3 more")
})

test_that("long trainings have lines without points, but for values that no line leads to", {
  points <- function(values) {
    data <- history_picture(new_history(list(), list(loss = values)), NULL, 0, FALSE)$data
    data$epoch[data$point]
  }
  expect_identical(points(rep(1, 30)), 1:30)
  expect_identical(points(rep(1, 31)), integer())
  expect_identical(points(c(rep(1, 40), NaN, 1)), 42L)
})

test_that("smoothing is off by default, and begins at the values", {
  h <- new_history(list(), list(loss = c(1, 0, 1)), epochs = 0:2)
  expect_false(history_picture(h, NULL, 0, FALSE)$smooth)
  expect_equal(history_picture(h, NULL, 0.5, FALSE)$data$smoothed, c(1, 1 / 3, 5 / 7))
  expect_equal(moving_average(rep(2, 5), 0.9), rep(2, 5))
})

test_that("the epoch axis has whole numbers only", {
  for (limits in list(c(1, 1), c(0.9, 2.1), c(1, 3), c(0, 50))) {
    at <- whole_numbers(limits)
    expect_identical(at, round(at))
    expect_gte(length(at), 1L)
  }
})

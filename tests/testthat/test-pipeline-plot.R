methods <- c("base", if (requireNamespace("ggplot2", quietly = TRUE)) "ggplot2")

test_that("stages have a bar each, working and waiting in two colours", {
  x <- some_pipeline()
  for (method in methods) {
    expect_true(all(has_colours(picture_of(function() plot(x, method = method)), c("#0072B2", "#D55E00"))))
  }
  expect_silent(drawn(expect_identical(plot(x, method = "base"), x)))
  expect_silent(drawn(plot(new_pipeline(list()), method = "base")))
  skip_if_not_installed("ggplot2")
  built <- ggplot2::ggplot_build(plot(x))
  expect_equal(sort(built$data[[1]]$x), sort(c(12.34, 0.4, 3.6, 8, 0, 0.7, 0.3)))
  expect_true("12.3 s (98 %)" %in% built$data[[2]]$label)
})

test_that("Worker processes are in the name of what they did, and have lanes in the order of their numbers", {
  x <- some_pipeline(workers = list("worker 1" = 6, "worker 2" = 6.3))
  skip_if_not_installed("ggplot2")
  expect_true("generator (in 2 workers)" %in% levels(plot(x, method = "ggplot2")$data$stage))
  events <- data.frame(
    batch = 1:12, what = "generator", begin = 0, end = 1, lane = paste("worker", 1:12), source = "generator"
  )
  expect_identical(timeline_picture(events, 9L)$lanes, paste("worker", 12:1))
})

test_that("The label of the longest bar stands in it, where no picture is too narrow for it", {
  skip_if_not_installed("ggplot2")
  labels <- ggplot2::ggplot_build(plot(some_pipeline(), method = "ggplot2"))$data[[2L]]
  expect_gt(labels$hjust[which.max(labels$x)], 1)
  expect_lt(labels$hjust[which.min(labels$x)], 0)
})

test_that("a training has a timeline, which is drawn with and without ggplot2", {
  skip_without_keras()
  pipeline <- train(echo_model(), numbered(), 20, validation_data = numbered(), validation_steps = 2)$pipeline
  events <- pipeline$timeline
  expect_identical(names(events), c("batch", "what", "begin", "end", "lane", "source"))
  expect_setequal(events$what, c("generator", "conversion", "queue", "step", "wait"))
  expect_true(all(events$begin >= 0 & events$end >= events$begin & events$end <= pipeline$wall))
  steps <- events[events$what == "step", ]
  expect_identical(sort(steps$batch[steps$source == "generator"]), 1:20)
  expect_identical(sort(steps$batch[steps$source == "validation_data"]), 1:2)
  expect_identical(unique(steps$lane), "training thread")
  expect_identical(unique(events$lane[events$what == "generator"]), "calling thread")
  shown <- c("#009E73", "#999999")
  for (method in methods) {
    picture <- picture_of(function() plot(pipeline, type = "timeline", method = method), 900, 400)
    expect_true(all(has_colours(picture, shown)), info = method)
  }
})

test_that("hooks in R are in the timeline", {
  skip_without_keras()
  hooks <- list(on_train_batch_end = function(batch, logs) NULL)
  events <- train(echo_model(), numbered(), 3, callbacks = hooks)$pipeline$timeline
  called <- events[events$what == "callbacks", ]
  expect_identical(called$batch, 1:3)
  expect_identical(unique(called$lane), "calling thread")
})

test_that("the timeline shows what happened in the time of the last steps", {
  picture <- timeline_picture(some_events(), 2L)
  expect_identical(picture$lanes, c("training thread", "queue"))
  steps <- picture$data[picture$data$what == "step", ]
  expect_identical(steps$left, c(2, 3))
  queued <- picture$data[picture$data$what == "queue", ]
  expect_identical(c(queued$left, queued$right), c(2, 3)) # the part of it in this time
  queued <- timeline_picture(some_events(), 3L)$data
  queued <- queued[queued$what == "queue", ]
  expect_lt(queued$high[[1]], queued$low[[2]]) # one above the other
})

test_that("steps of one call are one bar with the numbers of its batches", {
  events <- data.frame(batch = 4:6, what = "step", begin = 1, end = 2, lane = "training thread", source = "generator")
  expect_identical(timeline_picture(events, 3L)$data$label, "4-6")
  events$source <- "validation_data"
  expect_identical(timeline_picture(events, 3L)$data$label, "val 4-6")
})

test_that("a pipeline without a timeline says that there is nothing to draw", {
  expect_silent(drawn(plot(some_pipeline(), type = "timeline", method = "base")))
  skip_if_not_installed("ggplot2")
  expect_silent(drawn(print(plot(some_pipeline(), type = "timeline"))))
})

test_that("a wrong number of steps is named", {
  text <- "`last` must be a whole number of at least 1, not 0"
  expect_error(plot(some_pipeline(), type = "timeline", last = 0), text, class = "fitgenerator_argument_error")
})

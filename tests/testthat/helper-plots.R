# Histories and pipelines to print and to plot, and images of the plots.

some_history <- function(epochs = 0:2, ...) {
  n <- length(epochs)
  metrics <- list(loss = seq(1, 0.5, length.out = n), val_loss = seq(2, 1, length.out = n))
  new_history(list(verbose = 0L, epochs = 50L, steps = 10L), metrics, epochs = epochs, ...)
}

empty_history <- function() {
  new_history(list(verbose = 1L, epochs = 5L, steps = 10L), list(), incomplete = TRUE, epochs = integer())
}

some_pipeline <- function(...) {
  numbers <- list(
    generator = 12.34, conversion = 0.4, generator_waited = 0, model_waited = 8, step = 3.6, callbacks = 0.7,
    other = 0.3, wall = 12.6,
    queue_fill = 0.2, max_queue_size = 10L, batches = 2010L, steps = 2000L,
    verdict = "The model waited 63 % of the time for the generator."
  )
  new_pipeline(utils::modifyList(numbers, list(...)))
}

# Draws into a temporary file.
drawn <- function(expr) {
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  on.exit(unlink(file))
  tryCatch(force(expr), finally = grDevices::dev.off())
}

# The pixels of what `draw` draws into a PNG of this size: an array of height x width x colours.
picture_of <- function(draw, width = 700, height = 500) {
  testthat::skip_if_not_installed("png")
  file <- tempfile(fileext = ".png")
  on.exit(unlink(file))
  grDevices::png(file, 2 * width, 2 * height, res = 144) # so large that thin lines have their colour
  tryCatch({
    value <- draw()
    if (inherits(value, "ggplot")) print(value)
  }, finally = grDevices::dev.off())
  png::readPNG(file)
}

# Whether a picture has each of the colours, given as "#RRGGBB".
has_colours <- function(picture, colours) {
  wanted <- grDevices::col2rgb(colours) / 255
  apply(wanted, 2, function(colour) {
    off <- abs(picture[, , 1] - colour[[1]]) + abs(picture[, , 2] - colour[[2]]) + abs(picture[, , 3] - colour[[3]])
    any(off < 0.02)
  })
}

# Three steps of a second, and two batches that wait for theirs.
some_events <- function() {
  data.frame(
    batch = c(9, 1:3, 2:3), what = c("generator", rep("step", 3), rep("queue", 2)), begin = c(0, 1:3, 1.5, 1.5),
    end = c(0.5, 1:3 + 0.5, 2, 3), lane = c("calling thread", rep("training thread", 3), rep("queue", 2)),
    source = "generator"
  )
}

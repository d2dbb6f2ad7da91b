# Images in memory and in files, and a model for them.

# `n` images of 4 x 4 pixels. All pixels of image i have the value i.
pictures <- function(n = 8) array(seq_len(n), c(n, 4, 4, 1))

# A model for images that never changes: it predicts the mean of an image, and its loss with targets 0 is the mean.
mean_model <- function(channels = 1L) {
  layers <- keras()$layers
  start <- keras()$initializers$Constant(1 / channels)
  dense <- layers$Dense(1L, use_bias = FALSE, kernel_initializer = start)
  inputs <- layers$Input(list(NULL, NULL, channels))
  model <- keras()$Sequential(list(inputs, layers$GlobalAveragePooling2D(), dense))
  model$compile(keras()$optimizers$SGD(0), "mae")
  model
}

write_grey <- function(value, file, size = 6) {
  dir.create(dirname(file), recursive = TRUE, showWarnings = FALSE)
  png::writePNG(matrix(value / 255, size, size), file)
}

# A folder of folders of grey images: `cats = 3, dogs = 2` makes three cats of the greys 1 to 3, and dogs of 4 and 5.
class_folders <- function(...) {
  testthat::skip_if_not_installed("png")
  folder <- tempfile("pictures-")
  counts <- c(...)
  of <- rep(names(counts), counts)
  for (i in seq_along(of)) write_grey(i, file.path(folder, of[[i]], sprintf("%02d.png", i)))
  folder
}

quietly <- function(code) suppressMessages(code)

flow_of_folder <- function(folder, ...) {
  quietly(flow_images_from_directory(folder, ..., target_size = c(4, 4), color_mode = "grayscale"))
}

#' Batches from arrays
#'
#' Makes batches from the rows of arrays in memory, in a new order for each epoch, for [fit_generator()],
#' [evaluate_generator()] and [predict_generator()]. Python cuts the batches on a separate thread, so that R's thread
#' stays free, and several threads may read them (`workers`). The number of steps can be omitted. The order follows from
#' `seed` and the number of the epoch: a training that is resumed by a [checkpoint()] or `initial_epoch` continues with
#' the same batches as if it had not stopped; any other training goes on after the passes that earlier trainings have
#' read of this flow. To predict, use `shuffle = FALSE`; predictions from a flow that shuffles
#' raise a warning.
#'
#' @section Balanced classes: With `balance = TRUE`, an epoch has as many rows as the data, but the same number of rows
#' of each class; within each batch, the numbers differ by at most one row. Rows of rare classes are repeated, and some
#' rows of frequent classes are left out, different ones in each epoch. The classes are those of `y`, which must be a
#' single array: a factor, whole numbers, text, or one-hot rows. For other targets, give the labels as `balance`.
#'
#' @param x Inputs: a vector, matrix or array whose first dimension is the rows; a data frame with columns of one type;
#'   a sparse `Matrix`, which is made dense batch by batch; or, for a model with several inputs, a (named) list of
#'   these. See [generators] for the conversion of types.
#' @param y Targets, in the same form, with the same number of rows. `NULL`: none, for example to predict.
#' @param sample_weight Weights of the rows: a vector, or a (named) list with one vector per output. `NULL`: none.
#' @param batch_size Number of rows per batch, at least 1.
#' @param shuffle Whether each epoch has a new order of the rows.
#' @param seed A whole number of at least 0 that the orders follow from. `NULL`: drawn from R's random numbers, so that
#'   [set.seed()] determines it.
#' @param last_batch What to do if the number of rows is not a multiple of `batch_size`: `"keep"` a smaller last batch,
#'   `"drop"` it, or `"fill"` it up with the first rows of the epoch.
#' @param balance Whether all classes are equally frequent; or a vector with a class label for each row.
#'
#' @return A flow: a Python object with an index, which is also a `keras.utils.PyDataset`. Its `length()` is the number
#'   of batches per pass; `flow[0]` is the first batch. Its settings cannot be changed. Invalid arguments raise a
#'   `fitgenerator_argument_error`.
#' @seealso [flow_from_frame()], [flow_from_chunks()], [timeseries_generator()], [batch_sequence()]
#' @examplesIf fitgenerator:::has_keras()
#' x <- as.matrix(iris[1:4])
#' flow <- flow_from_data(x, iris$Species, batch_size = 30, seed = 1)
#' length(flow)
#'
#' keras <- reticulate::import("keras")
#' layers <- list(keras$layers$Input(list(4L)), keras$layers$Dense(3L, activation = "softmax"))
#' model <- keras$Sequential(layers)
#' model$compile("adam", "sparse_categorical_crossentropy", metrics = list("accuracy"))
#' fit_generator(model, flow, epochs = 3, verbose = 2)
#' dim(predict_generator(model, flow_from_data(x, shuffle = FALSE)))
#' @export
flow_from_data <- function(x, y = NULL, sample_weight = NULL, batch_size = 32, shuffle = TRUE, seed = NULL,
                           last_batch = c("keep", "drop", "fill"), balance = FALSE) {
  options <- flow_options(batch_size, shuffle, seed, last_batch, balance)
  arrays <- list(x = as_part(x, "x", NULL, NULL), y = optional_part(y, "y"),
                 sample_weight = optional_part(sample_weight, "sample_weight"))
  made(cross(core_function("data_flow", "r.reticulate.flows"), arrays, options))
}

# Checks the options that flows of arrays and flows of data frames have in common.
flow_options <- function(batch_size, shuffle, seed, last_batch, balance) {
  list(
    batch_size = check_whole(batch_size, "batch_size", 1L),
    shuffle = check_flag(shuffle, "shuffle"),
    seed = check_seed(seed, shuffle),
    last_batch = check_choice(last_batch, c("keep", "drop", "fill"), "last_batch"),
    balance = if (isTRUE(balance) || isFALSE(balance)) balance else as_part(balance, "balance", NULL, NULL)
  )
}

optional_part <- function(x, name) {
  if (!is.null(x)) as_part(x, name, NULL, NULL)
}

#' Batches of arrays
#'
#' Batches of arrays that are all there, shuffled in each epoch, for [fit_generator()] and its kin. They are cut in
#' Python, on a thread of their own, so that R's thread stays free. The order follows from `seed` and the number of the
#' epoch: a training that a [checkpoint()] or `initial_epoch` resumes goes on with the batches that it would have got.
#' `steps_per_epoch` can be left out, and several threads may read (`workers`). Predicting from a shuffled flow warns.
#'
#' @section Balanced classes:
#' With `balance = TRUE` an epoch has as many rows as the data, but every class as often, also within each batch (up to
#' one row): of rare classes rows are repeated, of frequent ones some are left out, in each epoch others. The classes
#' are those of `y`, which must be one array: a factor, whole numbers, words, or one-hot rows. Else give the labels as
#' `balance`.
#'
#' @param x Inputs: a vector, matrix or array whose first dimension is the rows, a sparse `Matrix`, whose rows are made
#'   dense batch by batch, a data frame of one type, or a (named) list of these where the model has several inputs. All
#'   that a closure may return is fine, see [fit_generator()].
#' @param y Targets, likewise; `NULL` for none, as to predict.
#' @param sample_weight Weights of the rows: a vector, or a (named) list of one for each output. `NULL`: none.
#' @param batch_size Number of rows of a batch, at least 1.
#' @param shuffle Whether the rows come in a new order in each epoch; `FALSE`: always as they are.
#' @param seed What the orders follow from, a whole number of at least 0; `NULL`: the session's random numbers.
#' @param last_batch Where the rows are no multiple of `batch_size`, the last batch is smaller (`"keep"`), left out
#'   (`"drop"`), or filled up with the first rows of the epoch (`"fill"`).
#' @param balance `TRUE`, or a label for each row: every class comes as often.
#'
#' @return A Python object (an indexed source, which is also a `keras.utils.PyDataset`). Its `length()` is the number of
#'   batches; `flow[0]` is the first one.
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

# The options that flows of arrays and of data frames have in common.
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

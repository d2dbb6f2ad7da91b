#' Windows of a time series
#'
#' Makes batches of windows of a time series, each with the target that belongs to the time after the window. The
#' arguments, and without `shuffle` the batches, are those of the function of the same name in the keras package. With
#' `shuffle`, each epoch contains every window once, in an order that follows from `seed` and the number of the epoch
#' (Keras drew windows with replacement).
#'
#' @param data Vector, matrix or array whose first dimension is the times, in their order.
#' @param targets Vector, matrix or array with the same number of times. A window that ends before time t has the target
#'   of time t.
#' @param length Number of times that a window spans, at least 1.
#' @param sampling_rate Distance between the times of a window that are used, at least 1; a window then consists of
#'   `ceiling(length / sampling_rate)` times.
#' @param stride Number of times from one window to the next, at least 1.
#' @param start_index,end_index First and last time of the data to use, counted from 0 as in Keras. `end_index = NULL`:
#'   the last time.
#' @param shuffle Whether each epoch has a new order of the windows.
#' @param reverse Whether the times of a window are in reverse order.
#' @param batch_size Number of windows per batch, at least 1. The last batch may have fewer.
#' @inheritParams flow_from_data
#'
#' @return A flow, as [flow_from_data()] returns it. Inputs are arrays of windows x times x the other dimensions of
#'   `data`; targets are the rows of `targets`. Invalid arguments raise a `fitgenerator_argument_error`.
#' @seealso [flow_from_data()]
#' @examplesIf fitgenerator:::has_keras()
#' flow <- timeseries_generator(lynx, lynx, length = 10, batch_size = 16)
#' length(flow)
#' str(reticulate::py_to_r(flow[0]))
#' @export
timeseries_generator <- function(data, targets, length, sampling_rate = 1, stride = 1, start_index = 0,
                                 end_index = NULL, shuffle = FALSE, reverse = FALSE, batch_size = 128, seed = NULL) {
  options <- list(
    length = check_whole(length, "length", 1L),
    sampling_rate = check_whole(sampling_rate, "sampling_rate", 1L),
    stride = check_whole(stride, "stride", 1L),
    start_index = check_whole(start_index, "start_index", 0L),
    end_index = check_whole(end_index, "end_index", 0L, null = TRUE),
    shuffle = check_flag(shuffle, "shuffle"),
    reverse = check_flag(reverse, "reverse"),
    batch_size = check_whole(batch_size, "batch_size", 1L),
    seed = check_seed(seed, shuffle)
  )
  arrays <- list(data = as_part(data, "data", NULL, NULL), targets = as_part(targets, "targets", NULL, NULL))
  made(cross(core_function("series_flow", "r.reticulate.flows"), arrays, options))
}

#' Windows of a time series
#'
#' Windows of a time series, each with the target of the time behind it, in batches for [fit_generator()] and its kin.
#' The arguments and, without `shuffle`, the batches are those of the function of this name in the older keras package.
#' With `shuffle` every window comes once in each epoch, in an order that follows from `seed` and the number of the
#' epoch; Keras drew windows with replacement.
#'
#' @param data Vector, matrix or array whose first dimension is the times, in their order.
#' @param targets Vector, matrix or array with as many times: the window that ends before a time belongs to the target
#'   of that time.
#' @param length How far a window reaches back, in times.
#' @param sampling_rate Every so many times of a window are taken: it has `ceiling(length / sampling_rate)` of them.
#' @param stride Times between the ends of two windows.
#' @param start_index,end_index First and last time of the data to use, counted from 0, as in Keras. `NULL`: the last
#'   one that there is.
#' @param shuffle Whether the windows come in a new order in each epoch.
#' @param reverse Whether the times of a window come in reverse.
#' @param batch_size Number of windows of a batch; the last one may have fewer.
#' @inheritParams flow_from_data
#'
#' @return A Python object as [flow_from_data()] returns it, of batches of windows, arrays of the dimensions (windows,
#'   times, ...), and targets.
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

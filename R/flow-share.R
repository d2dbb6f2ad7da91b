#' What one of several processes trains on
#'
#' Takes the part of a source that one process of a training on several machines reads, see `vignette("replicas")`.
#' Process `index` of `count` gets the batches `index + 1`, `index + 1 + count`, ... of each pass: all processes have as
#' many, and no two have the same. The joined batches of a step are `count` batches of the source. If the length of the
#' source cannot be divided, the last batches of a pass are left out. A source that shuffles needs the same `seed` in
#' all processes.
#'
#' @param source A [batch_sequence()], a flow such as [flow_from_data()], or another indexed object of Python.
#' @param index Number of this process, counted from 0 as in `TF_CONFIG`. `NULL`: that of the environment variable
#'   `TF_CONFIG`.
#' @param count Number of processes. `NULL`: that of `TF_CONFIG`, and 1 if the variable is not set, so that the same
#'   script runs alone.
#'
#' @return A source of the same kind, whose `length()` is the number of batches of the share. Invalid arguments raise a
#'   `fitgenerator_argument_error`: a source without places for its batches, only one of `index` and `count`, an `index`
#'   that is not below `count`, or a source with fewer batches than there are processes.
#' @examplesIf fitgenerator:::has_keras()
#' x <- matrix(rnorm(320), ncol = 2)
#' flow <- flow_from_data(x, batch_size = 16, seed = 1)
#' length(flow)
#' length(share_of(flow, index = 0, count = 2))
#' @export
share_of <- function(source, index = NULL, count = NULL) {
  check_source(source, "source")
  if (!is.null(index)) index <- check_whole(index, "index", 0L)
  if (!is.null(count)) count <- check_whole(count, "count", 1L)
  if (is_python(source)) return(made(cross(core_function("share"), source, index, count)))
  if (!inherits(source, "fitgenerator_sequence")) {
    abort_argument(sprintf(
      "`source` must be an indexed source, such as a flow or a batch_sequence(), not %s.", describe(source)
    ), "source")
  }
  share <- as.integer(unlist(made(cross(core_function("place"), index, count))))
  if (length(source) < share[[2L]]) {
    text <- "`source` has %d batches, fewer than the %d processes that share it."
    abort_argument(sprintf(text, length(source), share[[2L]]), "source")
  }
  given <- unclass(source)
  given$share <- share
  given$state <- new.env(parent = emptyenv())
  structure(given, class = "fitgenerator_sequence")
}

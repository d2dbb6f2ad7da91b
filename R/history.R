# The history of a training, which `fit_generator()` returns. It has the structure of the keras package, so that code
# for the one can read the other.

# `params`: a list with `epochs` (the number of the last epoch that was asked for), `steps` (per epoch), `verbose` and,
# if known, `validation_freq` and `metrics`, the names of the metrics in the order of printed lines. `metrics`: a named
# list with one vector per metric, as Keras's `History.history`. `epochs`: the numbers of the finished epochs, from 0 as
# in Keras.
new_history <- function(params, metrics, pipeline = NULL, incomplete = FALSE, epochs = NULL) {
  metrics <- as.list(metrics)
  if (is.null(epochs)) epochs <- seq_len(max(0L, lengths(metrics))) - 1L
  structure(
    class = c("fitgenerator_history", "keras_training_history"),
    list(params = params, metrics = flat_metrics(metrics), epoch = as.integer(unlist(epochs)),
         incomplete = isTRUE(incomplete), pipeline = pipeline)
  )
}

# Metrics as plain numeric vectors. A metric with several values per epoch becomes several metrics, with their names if
# they have some.
flat_metrics <- function(metrics) {
  flat <- list()
  for (name in names(metrics)) {
    rows <- lapply(as.list(metrics[[name]]), numbers_of)
    width <- max(1L, lengths(rows))
    ends <- if (length(rows)) names(rows[[1L]])
    names <- if (width == 1L) name else paste(name, if (length(ends)) ends else seq_len(width), sep = "_")
    for (i in seq_len(width)) flat[[names[[i]]]] <- vapply(rows, function(row) unname(row[i]), 0)
  }
  flat
}

# The numbers in a value. What is no number, such as text, is `NA`.
numbers_of <- function(value) {
  if (is.list(value)) return(unlist(lapply(value, numbers_of)))
  if (is.numeric(value) || is.logical(value)) as.numeric(value) else NA_real_
}

#' The history of a training
#'
#' [fit_generator()] returns the history of the training: a list of class `fitgenerator_history` and
#' `keras_training_history` with the elements
#'
#' * `params`: a list with `epochs`, `steps` (per epoch), `verbose`, and `metrics`, the names of the metrics in the
#'   order in which prints and plots show them: the loss first, then the metrics in the order of `compile()`;
#' * `metrics`: a named list with one vector per metric, which holds one number per finished epoch, in the order of
#'   Keras's own `fit`; the names of validation metrics have the prefix `val_`;
#' * `epoch`: the numbers of the finished epochs, counted from 0 as in Keras;
#' * `incomplete`: `TRUE` if the training ended within an epoch, because the generator had no more batches, or because
#'   of an error or an interrupt (see [last_history()]);
#' * `pipeline`: where the time went, see [print.fitgenerator_pipeline()].
#'
#' @param x A history.
#' @param row.names,optional As in [as.data.frame()]; not used.
#' @param ... Not used.
#'
#' @return `as.data.frame()`: a data frame with one row per metric and epoch, and the columns `epoch` (counted from 1),
#'   `value` (`NA` if the metric was not measured), `metric` (without `val_`) and `data` (a factor, `"training"` or
#'   `"validation"`). Without a finished epoch, it has no rows.
#'
#'   `print()`: `x`, invisibly.
#'
#' @seealso [plot.fitgenerator_history()]
#' @examples
#' history <- structure(
#'   class = c("fitgenerator_history", "keras_training_history"),
#'   list(
#'     params = list(epochs = 2, steps = 10, verbose = 0),
#'     metrics = list(loss = c(0.9, 0.5), val_loss = c(1, 0.7)),
#'     epoch = 0:1, incomplete = FALSE, pipeline = NULL
#'   )
#' )
#' history
#' as.data.frame(history)
#' @name fitgenerator_history
NULL

#' @rdname fitgenerator_history
#' @export
as.data.frame.fitgenerator_history <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint
  names <- as.character(names(x$metrics))
  values <- lapply(names, function(name) spread_metric(x$metrics[[name]], name, x))
  count <- length(x$epoch)
  is_validation <- rep(startsWith(names, "val_"), each = count)
  data.frame(
    epoch = rep(x$epoch + 1L, times = length(names)),
    value = as.numeric(unlist(values)),
    metric = rep(sub("^val_", "", names), each = count),
    data = factor(ifelse(is_validation, "validation", "training"), c("training", "validation"))
  )
}

# The values of a metric, one per finished epoch. Keras does not record the epoch of a value. If there are fewer values
# than epochs, validation metrics belong to the epochs that `validation_freq` selects, and other metrics to the last
# epochs (from a callback that began to log late).
spread_metric <- function(values, name, x) {
  all <- x$epoch + 1L
  at <- utils::tail(seq_along(all), length(values))
  freq <- as.integer(unlist(x$params$validation_freq))
  if (startsWith(name, "val_") && length(values) < length(all) && length(freq)) {
    measured <- if (length(freq) == 1L) all %% freq == 0L else all %in% freq
    if (sum(measured) == length(values)) at <- which(measured)
  }
  spread <- rep(NA_real_, length(all))
  spread[at] <- utils::tail(values, length(at))
  spread
}

# The names of the metrics as prints and plots show them: the loss first, then the metrics as compiled. Those that this
# order does not have, which a callback may have added, come last.
metric_order <- function(x) unique(c(intersect(unlist(x$params$metrics), names(x$metrics)), names(x$metrics)))

#' @rdname fitgenerator_history
#' @export
print.fitgenerator_history <- function(x, ...) {
  cat(trained_line(x), "\n", sep = "")
  if (length(x$epoch)) {
    metrics <- x$metrics[metric_order(x)]
    last <- vapply(metrics, function(values) if (length(values)) utils::tail(values, 1L) else NA_real_, 0)
    shown <- vapply(last, function(value) format(value, digits = 4L), "")
    cat(sprintf("  %s  %s\n", format(names(last), justify = "left"), shown), sep = "")
  }
  if (length(x$pipeline$verdict)) cat(x$pipeline$verdict, sep = "\n")
  invisible(x)
}

# The first lines of a printed history: "Trained epochs 1 to 3 of 50 with 10 steps each." and the heading of the
# metrics.
trained_line <- function(x) {
  wanted <- x$params$epochs
  of <- if (is.null(wanted)) "" else sprintf(" of %s", format(wanted))
  steps <- if (is.null(x$params$steps)) "" else sprintf(" with %s steps each", format(x$params$steps))
  note <- if (isTRUE(x$incomplete)) " The training is incomplete: it ended within an epoch." else ""
  if (!length(x$epoch)) return(sprintf("No epoch%s was finished.%s\nThere are no metrics.", of, note))
  first <- x$epoch[[1L]] + 1L
  last <- utils::tail(x$epoch, 1L) + 1L
  which <- if (first == last) sprintf("epoch %d", last) else sprintf("epochs %d to %d", first, last)
  sprintf("Trained %s%s%s.%s\nMetrics as last measured:", which, of, steps, note)
}

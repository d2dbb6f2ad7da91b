# The plot of a history: a panel for each metric, with training and validation together.

#' Plot the history of a training
#'
#' Draws each metric over the epochs, training and validation in one panel. If ggplot2 is installed,
#' `ggplot2::autoplot()` does the same.
#'
#' @details A value that was not measured, such as that of a validation that `validation_freq` left out, has no point,
#'   and the line continues to the next value. A value that is not finite or, with `log = TRUE`, not positive interrupts
#'   the line; a note below the plot names the epochs.
#'
#' @param x,object A history, as [fit_generator()] returns it.
#' @param y Not used.
#' @param metrics Names of the metrics to draw, without `val_`, in the order of the panels. `NULL`: all.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 if it is installed.
#' @param smooth Weight of the past in a smoothed line, which is drawn over the values: a number from 0 (no such line)
#'   to below 1. A value of 0.6 smooths over about five epochs. The line is an exponential moving average with a
#'   correction for its beginning. `TRUE` means 0.6 and `FALSE` 0.
#' @param log Whether the values have a logarithmic axis.
#' @param ... Not used.
#'
#' @return With ggplot2, the plot, an object that can be extended; else `x`, invisibly. A history without a finished
#'   epoch gives a plot that says so. An unknown metric and an invalid `smooth` or `log` raise a
#'   `fitgenerator_argument_error`; `method = "ggplot2"` without ggplot2 raises a `fitgenerator_setup_error`.
#' @seealso [fitgenerator_history], [plot.fitgenerator_pipeline()]
#' @examples
#' history <- structure(
#'   class = c("fitgenerator_history", "keras_training_history"),
#'   list(
#'     params = list(epochs = 3, steps = 10, verbose = 0),
#'     metrics = list(loss = c(0.9, 0.5, 0.4), val_loss = c(1, 0.7, 0.65)),
#'     epoch = 0:2, incomplete = FALSE, pipeline = NULL
#'   )
#' )
#' plot(history)
#' plot(history, log = TRUE, smooth = 0.6)
#' plot(history, method = "base")
#' @export
plot.fitgenerator_history <- function(x, y, metrics = NULL, method = c("auto", "ggplot2", "base"), smooth = 0,
                                      log = FALSE, ...) {
  picture <- history_picture(x, metrics, check_smooth(smooth), check_flag(log, "log"))
  if (use_ggplot2(match.arg(method))) return(ggplot_history(picture))
  draw_history(picture)
  invisible(x)
}

#' @rdname plot.fitgenerator_history
#' @exportS3Method ggplot2::autoplot
autoplot.fitgenerator_history <- function(object, metrics = NULL, smooth = 0, log = FALSE, ...) { # nolint
  plot.fitgenerator_history(object, metrics = metrics, method = "ggplot2", smooth = smooth, log = log)
}

check_smooth <- function(x) {
  if (isTRUE(x)) return(0.6)
  if (isFALSE(x)) return(0)
  if (!is_number(x) || x < 0 || x >= 1) {
    abort_argument(sprintf("`smooth` must be a number from 0 to below 1, not %s.", shown(x)), "smooth")
  }
  x
}

use_ggplot2 <- function(method) {
  installed <- requireNamespace("ggplot2", quietly = TRUE)
  if (method == "ggplot2" && !installed) {
    abort_setup(paste(
      "`method = \"ggplot2\"` needs the package ggplot2, which is not installed; install it with",
      "install.packages(\"ggplot2\"), or use `method = \"base\"`."
    ))
  }
  installed && method != "base"
}

# What is drawn: `data` has a row for each value that can be drawn, with the uninterrupted `run` of its line, its
# `smoothed` value, and whether it is a `point`; `columns` is the number of columns of panels; `note` and the options
# follow.
history_picture <- function(x, metrics, smooth, log) {
  data <- as.data.frame(x)
  known <- unique(sub("^val_", "", metric_order(x)))
  unknown <- setdiff(metrics, known)
  if (length(unknown)) {
    text <- "`metrics` must be among %s; there is no %s."
    names <- if (length(known)) paste0("\"", known, "\"", collapse = ", ") else "those of a finished epoch"
    abort_argument(sprintf(text, cut_text(names), shown(unknown[[1L]])), "metrics")
  }
  data$metric <- factor(data$metric, if (is.null(metrics)) known else metrics)
  data <- data[!is.na(data$metric) & (is.nan(data$value) | !is.na(data$value)), ]
  data$drawable <- is.finite(data$value) & (!log | data$value > 0)
  series <- split(data, list(data$data, data$metric), drop = TRUE)
  note <- paste(unlist(lapply(series, series_note)), collapse = "\n")
  data <- do.call(rbind, c(list(data[0L, ]), lapply(unname(series), series_rows, smooth = smooth)))
  data$metric <- droplevels(data$metric)
  data$data <- droplevels(data$data)
  list(data = data, columns = panel_columns(nlevels(data$metric)), note = note, smooth = smooth > 0, log = log)
}

# A line over more epochs than this has no points.
many_epochs <- 30L

series_rows <- function(rows, smooth) {
  rows$run <- cumsum(!rows$drawable)
  many <- nrow(rows) > many_epochs
  rows <- rows[rows$drawable, ]
  rows$smoothed <- stats::ave(rows$value, rows$run, FUN = function(values) moving_average(values, smooth))
  alone <- stats::ave(rows$value, rows$run, FUN = length) == 1
  rows$point <- alone | !many
  rows$run <- sprintf("%s %s %d", rows$metric, rows$data, rows$run)
  rows
}

# An exponential moving average, corrected so that its beginning is not biased towards 0.
moving_average <- function(values, weight) {
  sum <- share <- 0
  vapply(values, function(value) {
    sum <<- weight * sum + (1 - weight) * value
    share <<- weight * share + 1 - weight
    sum / share
  }, 0)
}

series_note <- function(rows) {
  bad <- rows[!rows$drawable, ]
  if (!nrow(bad)) return(NULL)
  name <- if (bad$data[[1L]] == "validation") paste0("val_", bad$metric[[1L]]) else as.character(bad$metric[[1L]])
  infinite <- !is.finite(bad$value)
  note <- function(which, what) if (any(which)) sprintf("%s %s at %s.", name, what, epochs_text(bad$epoch[which]))
  c(note(infinite, "is not finite"), note(!infinite, "is not above 0"))
}

# "epoch 3", "epochs 2 and 5 to 7".
epochs_text <- function(epochs) {
  runs <- split(epochs, cumsum(c(1L, diff(epochs) != 1L)))
  text <- vapply(runs, function(run) {
    ends <- range(run)
    if (ends[[1L]] == ends[[2L]]) as.character(ends[[1L]]) else sprintf("%d to %d", ends[[1L]], ends[[2L]])
  }, "")
  if (length(text) > 4L) text <- c(text[1:3], sprintf("%d more", sum(lengths(runs)[-(1:3)])))
  last <- length(text)
  all <- if (last == 1L) text else paste(paste(text[-last], collapse = ", "), "and", text[[last]])
  paste(if (length(epochs) == 1L) "epoch" else "epochs", all)
}

# With many metrics, several columns of panels, so that no panel is too flat.
panel_columns <- function(panels) {
  if (panels <= 3L) return(1L)
  if (panels <= 8L) 2L else as.integer(ceiling(sqrt(panels)))
}

whole_numbers <- function(limits) {
  at <- unique(round(pretty(limits)))
  at[at >= limits[[1L]] & at <= limits[[2L]]]
}

# Colours that the colour-blind can tell apart; points and lines also differ in form.
series_colours <- c(training = "#0072B2", validation = "#D55E00")
series_points <- c(training = 16, validation = 17)
series_lines <- c(training = "solid", validation = "42")

nothing_to_draw <- function(picture) {
  if (nzchar(picture$note)) picture$note else "No epoch was finished: there is nothing to draw."
}

ggplot_history <- function(picture) {
  data <- picture$data
  if (!nrow(data)) return(ggplot_words(nothing_to_draw(picture)))
  value <- if (picture$smooth) "smoothed" else "value"
  plot <- ggplot2::ggplot(data, mapping(x = "epoch", y = value, colour = "data", group = "run")) +
    faint_values(picture) +
    plain_points(picture) +
    ggplot2::geom_blank(mapping(y = "value"), room_around(data, picture$log)) +
    ggplot2::scale_x_continuous(breaks = whole_numbers) +
    series_scales(levels(data$data)) +
    ggplot2::labs(x = "epoch", y = NULL, colour = NULL, shape = NULL, linetype = NULL) +
    history_panels(picture)
  # For a line through a single point, ggplot2 prints a message.
  if (anyDuplicated(data$run)) plot <- plot + ggplot2::geom_line(mapping(linetype = "data"), runs_of_two(data))
  if (picture$log) plot <- plot + ggplot2::scale_y_log10()
  if (nzchar(picture$note)) plot <- plot + ggplot2::labs(caption = picture$note)
  plot
}

mapping <- function(...) do.call(ggplot2::aes, lapply(list(...), as.name))

runs_of_two <- function(data) data[data$run %in% data$run[duplicated(data$run)], ]

# The same limits for colour, point and line, so that ggplot2 merges the legends.
series_scales <- function(names) {
  list(
    ggplot2::scale_colour_manual(values = series_colours, limits = names),
    ggplot2::scale_shape_manual(values = series_points, limits = names),
    ggplot2::scale_linetype_manual(values = series_lines, limits = names)
  )
}

# Extends the axis of a panel whose values are all equal, in proportion to the value; ggplot2 would extend it by 0.1.
room_around <- function(data, log) {
  flat <- stats::ave(data$value, data$metric, FUN = function(values) max(values) - min(values)) == 0
  data <- data[flat & data$value != 0 & !log, ]
  low <- high <- data
  low$value <- 0.9 * data$value
  high$value <- 1.1 * data$value
  rbind(low, high)
}

plain_points <- function(picture) {
  points <- picture$data[picture$data$point, ]
  if (!nrow(points)) return(NULL) # else the legend would have points
  ggplot2::geom_point(mapping(y = "value", shape = "data"), points, alpha = if (picture$smooth) 0.4 else 1)
}

# The values, drawn faintly behind a smoothed line.
faint_values <- function(picture) {
  if (!picture$smooth || !anyDuplicated(picture$data$run)) return(NULL)
  ggplot2::geom_line(mapping(y = "value"), runs_of_two(picture$data), alpha = 0.35)
}

history_panels <- function(picture) {
  single <- picture$columns == 1L
  list(
    ggplot2::facet_wrap(
      "metric", ncol = picture$columns, scales = "free_y", strip.position = if (single) "left" else "top"
    ),
    ggplot2::theme_bw(),
    ggplot2::theme(
      strip.placement = "outside", strip.background = ggplot2::element_blank(),
      panel.grid.minor = ggplot2::element_blank(), panel.spacing.y = ggplot2::unit(9, "pt"),
      legend.position = if (nlevels(picture$data$data) > 1L) "top" else "none"
    )
  )
}

ggplot_words <- function(text) {
  ggplot2::ggplot() + ggplot2::theme_void() + ggplot2::annotate("text", 0, 0, label = text)
}

draw_words <- function(text) {
  graphics::plot.new()
  graphics::text(0.5, 0.5, text)
}

draw_history <- function(picture) {
  data <- picture$data
  if (!nrow(data)) return(draw_words(nothing_to_draw(picture)))
  panels <- split(data, data$metric)
  rows <- ceiling(length(panels) / picture$columns)
  notes <- if (nzchar(picture$note)) lengths(strsplit(picture$note, "\n", fixed = TRUE)) else 0L
  many <- rows > 3L
  old <- graphics::par(
    mfrow = c(rows, picture$columns), mar = if (many) c(2, 2, 1.5, 0.5) else c(3, 4, 2, 1),
    mgp = if (many) c(1, 0.3, 0) else c(2, 0.7, 0), tcl = if (many) -0.2 else -0.5,
    oma = c(if (notes) notes + 0.5 else 0, 0, if (nlevels(data$data) > 1L) 1.5 else 0, if (notes) 0.5 else 0)
  )
  on.exit(graphics::par(old))
  for (metric in names(panels)) draw_metric(panels[[metric]], metric, range(data$epoch), picture, many)
  if (notes) graphics::mtext(picture$note, side = 1, line = notes - 0.5, outer = TRUE, adj = 1, cex = 0.8)
  if (nlevels(data$data) > 1L) draw_legend(levels(data$data), any(data$point))
}

# Draws the legend in the margin above all panels, where it hides no values.
draw_legend <- function(names, points) {
  old <- graphics::par(fig = c(0, 1, 0, 1), oma = rep(0, 4), mar = rep(0, 4), new = TRUE)
  on.exit(graphics::par(old))
  graphics::plot.new()
  graphics::legend(
    "top", names, col = series_colours[names], pch = if (points) series_points[names] else NA,
    lty = series_lines[names], bty = "n", horiz = TRUE, inset = 0.005
  )
}

draw_metric <- function(panel, metric, epochs, picture, many) {
  shown <- if (picture$smooth) panel$smoothed else panel$value
  graphics::plot(
    rep(panel$epoch, 2L), c(panel$value, shown), type = "n", xlim = epochs, xaxt = "n", las = 1,
    xlab = if (many) "" else "epoch", ylab = "", log = if (picture$log) "y" else ""
  )
  graphics::title(main = metric, line = 0.5, adj = 0, font.main = 1)
  graphics::axis(1, whole_numbers(epochs))
  for (run in split(panel, panel$run)) {
    name <- as.character(run$data[[1L]])
    colour <- series_colours[[name]]
    faint <- grDevices::adjustcolor(colour, if (picture$smooth) 0.4 else 1)
    if (picture$smooth) {
      graphics::lines(run$epoch, run$value, col = faint)
      graphics::lines(run$epoch, run$smoothed, col = colour, lty = series_lines[[name]], lwd = 1.5)
    } else {
      graphics::lines(run$epoch, run$value, col = colour, lty = series_lines[[name]])
    }
    points <- run[run$point, ]
    graphics::points(points$epoch, points$value, pch = series_points[[name]], col = faint)
  }
}

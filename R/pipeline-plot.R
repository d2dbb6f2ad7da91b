# The plots of a pipeline: how long each stage took, and a timeline of the last steps.

#' Plot where the time of a training went
#'
#' `type = "stages"` draws a bar for each stage, which shows how long the stage worked or waited. `type = "timeline"`
#' draws the last steps, thread by thread: when the generator made each batch, when it was converted, how long it waited
#' in the queue, and when the model used it. If ggplot2 is installed, `ggplot2::autoplot()` does the same.
#'
#' @details In the timeline, time runs from left to right. Each thread has a lane, and so has each worker process (see
#'   [workers]). Bars that are one above the other ran at the same time. The number in a bar is that of its batch, or of
#'   its batches if one call ran several steps. In the lane of the queue, each waiting batch has a line. A gap is a time
#'   in which a thread, or a process, was idle; a low bar marks the time in which the model waited for a batch.
#'
#' @param x,object A pipeline: the element `pipeline` of what [fit_generator()] returns.
#' @param y Not used.
#' @param type `"stages"` or `"timeline"`.
#' @param last Number of steps that the timeline shows, at least 1. The times of the last 100 batches are kept.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 if it is installed.
#' @param ... Not used.
#'
#' @return With ggplot2, the plot, an object that can be extended; else `x`, invisibly. An invalid `last` raises a
#'   `fitgenerator_argument_error`; `method = "ggplot2"` without ggplot2 raises a `fitgenerator_setup_error`.
#' @seealso [print.fitgenerator_pipeline()], which also describes the data of the timeline.
#' @examples
#' pipeline <- structure(class = "fitgenerator_pipeline", list(
#'   generator = 0.09, conversion = 0.01, step = 0.05, model_waited = 0.05, generator_waited = 0,
#'   wall = 0.1, queue_fill = 0.2, max_queue_size = 10, batches = 3, steps = 3,
#'   verdict = "the model waited 50 % of the time for the generator",
#'   timeline = data.frame(
#'     batch = rep(1:3, each = 2), what = rep(c("generator", "step"), 3),
#'     begin = c(0, 0.03, 0.03, 0.06, 0.06, 0.09), end = c(0.03, 0.045, 0.06, 0.075, 0.09, 0.105),
#'     lane = rep(c("calling thread", "training thread"), 3), source = "generator"
#'   )
#' ))
#' plot(pipeline)
#' plot(pipeline, type = "timeline")
#' @export
plot.fitgenerator_pipeline <- function(x, y, type = c("stages", "timeline"), last = 30,
                                       method = c("auto", "ggplot2", "base"), ...) {
  type <- match.arg(type)
  last <- check_whole(last, "last", 1L)
  ggplot2 <- use_ggplot2(match.arg(method))
  if (type == "stages") {
    if (ggplot2) return(ggplot_stages(x))
    draw_stages(x)
  } else {
    picture <- timeline_picture(x$timeline, last)
    if (ggplot2) return(ggplot_timeline(picture))
    draw_timeline(picture)
  }
  invisible(x)
}

#' @rdname plot.fitgenerator_pipeline
#' @exportS3Method ggplot2::autoplot
autoplot.fitgenerator_pipeline <- function(object, type = c("stages", "timeline"), last = 30, ...) { # nolint
  plot.fitgenerator_pipeline(object, type = match.arg(type), last = last, method = "ggplot2")
}

# One colour for working and one for waiting, so that the decisive bar stands out; grey for what has no name.
stage_colours <- function(names) {
  ifelse(endsWith(names, "waited"), "#D55E00", ifelse(names == "other", "#999999", "#0072B2"))
}

stage_labels <- function(x, seconds) {
  shares <- format_shares(seconds, number_of(x, "wall"))
  trimws(paste(format_seconds(seconds), ifelse(nzchar(shares), sprintf("(%s)", shares), "")))
}

# What the bars are called.
stage_names <- function(x, seconds) {
  names <- pipeline_stages[names(seconds)]
  made <- names(seconds) == "generator" & length(x$workers) > 0L
  ifelse(made, sprintf("%s (in %d workers)", names, length(x$workers)), names)
}

# The verdict, wrapped to fit into a plot.
verdict_of <- function(x) paste(strwrap(x$verdict, 80L), collapse = "\n")

# The label of a long bar is drawn inside the bar, because a narrow plot may have no room after it.
is_long <- function(seconds) seconds > 0.6 * max(seconds)

label_colours <- function(seconds) ifelse(is_long(seconds), "white", "black")

ggplot_stages <- function(x) {
  seconds <- stage_seconds(x)
  names <- stage_names(x, seconds)
  data <- data.frame(stage = factor(names, rev(names)), seconds = seconds, label = stage_labels(x, seconds))
  ggplot2::ggplot(data, mapping(x = "seconds", y = "stage")) +
    ggplot2::geom_col(fill = stage_colours(names(seconds)), width = 0.7) +
    ggplot2::geom_text(
      mapping(label = "label"), hjust = ifelse(is_long(seconds), 1.08, -0.08), colour = label_colours(seconds),
      size = 3.4
    ) +
    ggplot2::scale_x_continuous(expand = ggplot2::expansion(c(0, 0.15))) +
    ggplot2::labs(title = title_line(x), subtitle = verdict_of(x), x = "seconds", y = NULL) +
    ggplot2::theme_bw() +
    ggplot2::theme(
      plot.title.position = "plot", panel.grid.major.y = ggplot2::element_blank(),
      plot.margin = ggplot2::margin(5.5, 15, 5.5, 5.5) # for half of the last number
    )
}

draw_stages <- function(x) {
  seconds <- rev(stage_seconds(x))
  if (!length(seconds)) return(draw_words("Nothing was measured: there is nothing to draw."))
  old <- graphics::par(mar = c(4, 13, 4, 1))
  on.exit(graphics::par(old))
  at <- graphics::barplot(
    unname(seconds), names.arg = stage_names(x, seconds), horiz = TRUE, las = 1, xlab = "seconds",
    col = stage_colours(names(seconds)), border = NA, xlim = c(0, max(seconds, 1e-9) * 1.15)
  )
  graphics::text(
    seconds, at, stage_labels(x, seconds), pos = ifelse(is_long(seconds), 2, 4), col = label_colours(seconds), cex = 0.9
  )
  left <- graphics::grconvertX(0.02, "nfc", "user")
  graphics::mtext(title_line(x), side = 3, line = 2.5, at = left, adj = 0, font = 2)
  graphics::mtext(verdict_of(x), side = 3, line = 0.5, at = left, adj = 0, cex = 0.9)
}

# What happens to a batch, with colours that the colour-blind can tell apart.
event_colours <- c(
  generator = "#0072B2", conversion = "#56B4E9", queue = "#999999", wait = "#E69F00", step = "#009E73",
  callbacks = "#CC79A7"
)
event_names <- c(
  generator = "generator", conversion = "conversion", queue = "in the queue", wait = "model waits", step = "step",
  callbacks = "callbacks"
)

# The bars of everything that happened during the last steps: `data` has a row for each bar, with `left`, `right`,
# `low`, `high`, `label` and `border`; `lanes` are the names of the lanes, from the lowest one.
timeline_picture <- function(events, last) {
  if (is.null(events) || !nrow(events)) return(NULL)
  from <- timeline_begin(events, last)
  events <- events[events$end > from, ]
  events <- one_of_each_call(events)
  lanes <- rev(lanes_of(events))
  data <- data.frame(
    left = pmax(events$begin, from), right = events$end, label = events$label,
    what = factor(events$what, names(event_colours)), lane = match(events$lane, lanes)
  )
  half <- ifelse(data$what == "wait", 0.12, 0.38)
  data$low <- data$lane - half
  data$high <- data$lane + half
  data <- queue_lines(data)
  share <- (data$right - data$left) / (max(data$right) - from)
  data$border <- ifelse(share > 0.005 & data$what != "queue", "white", NA)
  wide <- share > 0.01 * (1 + nchar(data$label))
  data$label <- ifelse(wide & data$what %in% c("generator", "step"), data$label, "")
  list(data = data[order(data$what != "wait"), ], lanes = lanes)
}

# When the first of the last steps began, or the wait for its batch, if there was one.
timeline_begin <- function(events, last) {
  steps <- events[events$what == "step", ]
  if (!nrow(steps)) return(min(events$begin))
  first <- utils::tail(steps[order(steps$begin), ], last)[1L, ]
  same <- events$batch == first$batch & events$source == first$source & events$what %in% c("wait", "step")
  min(events$begin[same])
}

# Batches of one call share one step, which becomes one bar with a label such as "41-50".
one_of_each_call <- function(events) {
  key <- paste(events$what, events$source, events$begin, events$end)
  key <- ifelse(events$what == "step", key, seq_along(key))
  ends <- lapply(split(events$batch, factor(key, unique(key))), range)
  events <- events[!duplicated(key), ]
  numbers <- vapply(ends, function(range) paste(unique(range), collapse = "-"), "")
  events$label <- paste0(ifelse(events$source == "generator", "", "val "), numbers)
  events
}

# The lanes in the order in which a batch passes through them.
lanes_of <- function(events) {
  first <- tapply(match(events$what, names(event_colours)), events$lane, min)
  names(first)[order(first, nchar(names(first)), names(first))]
}

# Gives each batch in the queue a line of its own, the lowest free one.
queue_lines <- function(data) {
  rows <- which(data$what == "queue")
  rows <- rows[order(data$left[rows], data$right[rows])]
  free <- numeric()
  line <- integer(length(rows))
  for (i in seq_along(rows)) {
    at <- which(free <= data$left[rows[i]])
    line[i] <- if (length(at)) at[[1L]] else length(free) + 1L
    free[line[i]] <- data$right[rows[i]]
  }
  height <- 0.76 / max(1L, length(free))
  data$low[rows] <- data$lane[rows] - 0.38 + (line - 1L) * height
  data$high[rows] <- data$low[rows] + 0.7 * height
  data
}

no_timeline <- "No batch was made: there is nothing to draw."

ggplot_timeline <- function(picture) {
  if (is.null(picture)) return(ggplot_words(no_timeline))
  shown <- levels(droplevels(picture$data$what))
  ggplot2::ggplot(picture$data, mapping(xmin = "left", xmax = "right", ymin = "low", ymax = "high", fill = "what")) +
    ggplot2::geom_rect(mapping(colour = "border"), linewidth = 0.2) +
    ggplot2::scale_colour_identity() +
    ggplot2::geom_text(
      mapping(x = "middle", y = "lane", label = "label"), bar_labels(picture$data), inherit.aes = FALSE,
      colour = "white", size = 2.8
    ) +
    ggplot2::scale_y_continuous(breaks = seq_along(picture$lanes), labels = picture$lanes) +
    ggplot2::scale_fill_manual(values = event_colours, breaks = shown, labels = event_names[shown]) +
    ggplot2::labs(x = "seconds since the call began", y = NULL, fill = NULL) +
    ggplot2::theme_bw() +
    ggplot2::theme(
      panel.grid.minor = ggplot2::element_blank(), panel.grid.major.y = ggplot2::element_blank(),
      legend.position = "top"
    )
}

bar_labels <- function(data) {
  data <- data[nzchar(data$label), ]
  data$middle <- (data$left + data$right) / 2
  data
}

draw_timeline <- function(picture) {
  if (is.null(picture)) return(draw_words(no_timeline))
  data <- picture$data
  lanes <- seq_along(picture$lanes)
  old <- graphics::par(mar = c(4, 2 + 0.5 * max(nchar(picture$lanes)), 3, 1))
  on.exit(graphics::par(old))
  graphics::plot(
    range(data$left, data$right), c(0.5, max(lanes) + 0.5), type = "n", xlab = "seconds since the call began",
    ylab = "", yaxt = "n"
  )
  graphics::axis(2, lanes, picture$lanes, las = 1, tick = FALSE)
  colours <- event_colours[as.character(data$what)]
  graphics::rect(data$left, data$low, data$right, data$high, col = colours, border = data$border, lwd = 0.5)
  labels <- bar_labels(data)
  if (nrow(labels)) graphics::text(labels$middle, labels$lane, labels$label, col = "white", cex = 0.7)
  shown <- levels(droplevels(data$what))
  corner <- graphics::par("usr")
  graphics::legend(
    mean(corner[1:2]), corner[[4L]], event_names[shown], fill = event_colours[shown], border = NA, bty = "n",
    horiz = TRUE, xjust = 0.5, yjust = 0, xpd = NA, cex = 0.8
  )
}

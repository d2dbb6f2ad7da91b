# Where the time of a call went. Python measures; this file only presents the numbers.

# Makes a `fitgenerator_pipeline` of the named list of numbers that Python measured.
new_pipeline <- function(numbers) {
  numbers <- as.list(numbers)
  if (!is.null(numbers$timeline)) numbers$timeline <- timeline_frame(numbers$timeline)
  if (!is.null(numbers$workers)) numbers$workers <- vapply(numbers$workers, as.numeric, 0)
  structure(numbers, class = "fitgenerator_pipeline")
}

# Makes a data frame of the columns that Python returns.
timeline_frame <- function(columns) {
  data.frame(
    batch = as.integer(unlist(columns$batch)), what = as.character(unlist(columns$what)),
    begin = as.numeric(unlist(columns$begin)), end = as.numeric(unlist(columns$end)),
    lane = as.character(unlist(columns$lane)), source = as.character(unlist(columns$source))
  )
}

# The rows of the table, in the order in which a batch passes through the stages. The last four follow each other, and
# add up to the whole call.
pipeline_stages <- c(
  generator = "generator", conversion = "conversion to tensors", generator_waited = "generator waited for room",
  model_waited = "model waited for data", step = "steps of the model", callbacks = "callbacks",
  other = "everything else"
)

#' Where the time of a training went
#'
#' The `pipeline` of a history states how long each stage worked or waited, and thus whether the generator or the model
#' is the slower of the two. The generator and the conversion run in parallel with the other stages. The thread that
#' trains does four things, one after the other: it waits for data, runs steps, waits for callbacks, and does everything
#' else. The times of these four add up to the duration of the call.
#'
#' @details A pipeline is a list of class `fitgenerator_pipeline` with the elements
#'
#' * `generator`, `conversion`, `step`: seconds spent in the generator, in the conversion of its batches, and in the
#'   steps of the model;
#' * `model_waited`: seconds that the model waited for data; `generator_waited`: seconds that the generator waited for
#'   room in the queue;
#' * `callbacks`: seconds spent in callbacks; `other`: what is left of the call, such as tracing, reading metrics, and
#'   output;
#' * `wall`: duration of the whole call in seconds;
#' * `queue_fill`: mean number of batches in the queue, out of `max_queue_size`;
#' * `batches`: number of batches that were fetched; `redone`: number of batches that were made again, because the
#'   worker process that made them died (see [workers]); `workers`: how many seconds each worker process made batches,
#'   by its lane in the timeline; `steps`: number of steps that were run; `calls`: number of
#'   calls of compiled functions that these took; `xla_steps`: number of the steps that ran in loops compiled with XLA;
#'   `traces`: number of functions that were traced, or compiled, for them (on JAX, one for each number of rows);
#'   `fallback`: why steps could not run in a loop, or not in one compiled with XLA;
#' * `longest_wait`: the longest time, in seconds, that the model waited for one batch; `waiting`: the argument whose
#'   batch the model is waiting for (if read in a callback), or was waiting for when the call ended;
#' * `verdict`: a sentence that sums this up;
#' * `timeline`: what happened to the last 100 batches, a data frame with the columns `batch` (the number of the batch,
#'   from 1), `what` (`"generator"`, `"conversion"`, `"queue"`, `"step"`, `"wait"` for the time that the model waited
#'   for the batch, or `"callbacks"` for what callbacks did after its step), `begin` and `end` (seconds since the call
#'   began), `lane` (the thread, such as `"calling thread"`, `"training thread"` or a feeder; a worker process, such
#'   as `"worker 1"`; or `"queue"`) and `source` (the argument that the batch came from). Batches that were used by one
#'   call of a compiled function have the same times there.
#'
#' @param x A pipeline: the element `pipeline` of what [fit_generator()] returns.
#' @param ... Not used.
#'
#' @return `print()`: `x`, invisibly. `format()`: the printed lines, a character vector.
#' @seealso [plot.fitgenerator_pipeline()]
#' @examples
#' pipeline <- structure(class = "fitgenerator_pipeline", list(
#'   generator = 9.8, conversion = 0.4, generator_waited = 0, model_waited = 6.3, step = 3.4,
#'   callbacks = 0.1, other = 0.2, wall = 10, queue_fill = 0.2,
#'   max_queue_size = 10, batches = 200, steps = 200,
#'   verdict = "The model waited 63 % of the time for the generator."
#' ))
#' pipeline
#' @export
print.fitgenerator_pipeline <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

#' @rdname print.fitgenerator_pipeline
#' @export
format.fitgenerator_pipeline <- function(x, ...) {
  seconds <- stage_seconds(x)
  labels <- format(c(pipeline_stages[names(seconds)], "whole call"))
  times <- format(format_seconds(c(seconds, number_of(x, "wall"))), justify = "right")
  shares <- format(c(format_shares(seconds, number_of(x, "wall")), ""), justify = "right")
  table <- sprintf("  %s  %s  %s", labels, times, shares)
  lines <- c(queue_line(x), workers_line(x), redone_line(x), calls_line(x))
  c(title_line(x), trimws(table, "right"), lines, x$verdict)
}

# One number of a pipeline; `NA` where it was not measured.
number_of <- function(x, name) {
  value <- unclass(x)[[name]]
  if (is.null(value)) NA_real_ else as.numeric(value)
}

# The seconds of the stages that were measured, named.
stage_seconds <- function(x) {
  seconds <- vapply(names(pipeline_stages), function(name) number_of(x, name), 0)
  seconds[!is.na(seconds)]
}

format_seconds <- function(seconds) {
  text <- ifelse(seconds < 10, sprintf("%.2f s", seconds), sprintf("%.1f s", seconds))
  ifelse(is.na(seconds), "not measured", text)
}

format_shares <- function(seconds, wall) {
  if (is.na(wall) || wall <= 0) return(rep("", length(seconds)))
  sprintf("%.0f %%", 100 * seconds / wall)
}

title_line <- function(x) {
  counts <- c(steps = number_of(x, "steps"), batches = number_of(x, "batches"))
  text <- sprintf(c("%s steps", "%s batches drawn"), format_count(counts))[!is.na(counts)]
  paste0("Where the time went", if (length(text)) paste0(" (", paste(text, collapse = ", "), ")"))
}

# The decimal mark is not that of `options(OutDec)`: a comma would be mixed up with the big mark.
format_count <- function(counts) {
  format(counts, big.mark = ",", decimal.mark = ".", scientific = FALSE, trim = TRUE)
}

queue_line <- function(x) {
  fill <- number_of(x, "queue_fill")
  size <- number_of(x, "max_queue_size")
  if (is.na(fill) || is.na(size)) return(NULL)
  if (size == 0) return("No queue: each batch was drawn when its step needed it.")
  sprintf("Queue: %.1f of %s batches waiting on average", fill, format_count(size))
}

# How busy the processes were that made batches.
workers_line <- function(x) {
  seconds <- x$workers
  if (!length(seconds) || is.na(number_of(x, "wall"))) return(NULL)
  busy <- paste(unique(format_shares(range(seconds), number_of(x, "wall"))), collapse = " to ")
  sprintf("Workers: %d, busy for %s of the time", length(seconds), busy)
}

redone_line <- function(x) {
  count <- number_of(x, "redone")
  if (isTRUE(count > 0)) sprintf("%s batches made again, because their worker process died", format_count(count))
}

# Shown only if calls ran several steps, or if there is a reason why they could not.
calls_line <- function(x) {
  counts <- c(calls = number_of(x, "calls"), steps = number_of(x, "steps"), xla = number_of(x, "xla_steps"))
  news <- !is.null(x$fallback) || (!anyNA(counts[1:2]) && counts[["calls"]] < counts[["steps"]])
  if (!news) return(NULL)
  shown <- format_count(counts)
  text <- sprintf("%s steps in %s calls", shown[["steps"]], shown[["calls"]])
  if (isTRUE(counts[["xla"]] > 0)) text <- sprintf("%s, %s of them compiled by XLA", text, shown[["xla"]])
  if (is.null(x$fallback)) text else sprintf("%s (no %s)", text, x$fallback)
}

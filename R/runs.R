# Runs of tfruns. Within training_run(), a training records what fit() of keras3 records, and the pipeline's figures, by
# tfruns's public functions: a table of hooks writes while the training runs, the rest is written when the call ends.

# Whether a run is active. A run that is has loaded tfruns, so that nobody loads it for the question.
has_run <- function() isNamespaceLoaded("tfruns") && isTRUE(tfruns::is_run_active())

# What a training knows of the run that is active; `NULL` if there is none, or within another call.
run_record <- function(model, arguments) {
  if (isTRUE(the$running) || !has_run()) return(NULL)
  record <- new.env(parent = emptyenv())
  record$model <- model
  record$epochs <- arguments$epochs
  record$steps <- arguments$steps_per_epoch
  record$metrics <- list()
  record$begun <- FALSE
  record
}

# The callbacks with what records: TensorBoard's callback, unless one is given, and the hooks, after all others, whose
# changes of the logs they see.
with_record <- function(callbacks, record) {
  if (is.null(record)) return(callbacks)
  callbacks <- several_callbacks(callbacks)
  if (!is.null(callbacks) && !is.list(callbacks)) return(callbacks) # which will be refused
  folder <- file.path(normalizePath(tfruns::run_dir()), "logs")
  given <- unname(Filter(is_python, as.list(callbacks)))
  board <- cross(core_function("board", "r.reticulate.runs"), record$model, given, folder)
  hooks <- list(
    on_train_begin = function(logs) recording(record, record_begin(record)),
    on_epoch_end = function(epoch, logs) recording(record, record_epoch(record, epoch, logs))
  )
  c(callbacks, if (!is.null(board)) list(board), list(hooks))
}

# Evaluates code that writes to the run. A training does not end because a file could not be written; it says so, once.
recording <- function(record, code) {
  if (isTRUE(record$failed)) return(invisible())
  tryCatch(code, error = function(cnd) {
    record$failed <- TRUE
    fg_warn(
      paste("The run of tfruns does not hold all of the training:", conditionMessage(cnd)), "fitgenerator_run_warning"
    )
  })
  invisible()
}

record_begin <- function(record) {
  record$begun <- TRUE
  properties <- list(epochs = record$epochs, steps_per_epoch = record$steps)
  tfruns::write_run_metadata("properties", Filter(Negate(is.null), properties))
  record_model(record)
}

record_model <- function(record) {
  record$built <- isTRUE(record$model$built)
  tfruns::write_run_metadata("properties", cross(core_function("described", "r.reticulate.runs"), record$model))
}

record_epoch <- function(record, epoch, logs) {
  if (!record$built) record_model(record) # by the first batch
  values <- flat_metrics(lapply(as.list(logs), list))
  for (name in names(values)) record$metrics[[name]][epoch + 1L] <- values[[name]]
  record_metrics(record$metrics, record$epochs)
}

# Writes the metrics, a named list of values of which the first one is that of the first epoch. As in keras3, there is a
# row for each epoch that is asked for. tfruns takes the values of the last metric for the number of finished epochs:
# those that were not measured after each epoch come first.
record_metrics <- function(metrics, epochs) {
  rows <- max(epochs, lengths(metrics), 0L)
  metrics <- lapply(metrics, function(values) c(values, rep(NA_real_, rows - length(values))))
  measured <- vapply(metrics, function(values) sum(!is.na(values)), 0L)
  tfruns::write_run_metadata("metrics", data.frame(metrics[order(measured)], check.names = FALSE))
}

# Writes what is known when the call has ended, however it did.
conclude_record <- function(record) {
  if (is.null(record) || !record$begun) return(invisible())
  recording(record, {
    history <- last_history()
    metrics <- lapply(stats::setNames(nm = names(history$metrics)), function(name) {
      values <- rep(NA_real_, max(history$epoch, -1L) + 1L)
      values[history$epoch + 1L] <- spread_metric(history$metrics[[name]], name, history)
      values
    })
    if (length(metrics)) record_metrics(metrics, record$epochs)
    tfruns::write_run_metadata("properties", c(
      if (length(history$params$steps)) list(steps_per_epoch = history$params$steps), run_figures(history$pipeline)
    ))
    tfruns::write_run_metadata("pipeline", function(data_dir) {
      writeLines(format(history$pipeline), file.path(data_dir, "pipeline.txt"))
    })
  })
}

# The pipeline's figures as properties of a run. tfruns keeps them as text: all have as many decimals, to be ordered.
run_figures <- function(pipeline) {
  wall <- number_of(pipeline, "wall")
  seconds <- stage_seconds(pipeline)
  shares <- stats::setNames(seconds / wall, paste0("pipeline_share_", names(seconds)))
  figures <- c(
    pipeline_seconds = wall, pipeline_steps_per_second = number_of(pipeline, "steps") / wall,
    pipeline_queue_fill = number_of(pipeline, "queue_fill"), shares
  )
  figures <- figures[is.finite(figures)]
  texts <- stats::setNames(as.list(sprintf("%.3f", figures)), names(figures))
  c(texts, list(pipeline_verdict = paste(pipeline$verdict, collapse = " ")))
}

# Records the result of an evaluation, unless it is made in another call.
record_evaluation <- function(result) {
  if (!isTRUE(the$running) && has_run()) tfruns::write_run_metadata("evaluation", as.list(result))
}

# One call, from checked arguments to its value. The class `Session` is its part in Python, `host()` its part in R.

# Runs a call of `kind` ("fit", "evaluate" or "predict"). `name` is the name of the generator's argument, for messages.
run_session <- function(kind, object, sources, callbacks, arguments, name = "generator") {
  outer <- the$running # whether this call is made in another one
  on.exit(the$running <- outer)
  on.exit(the$running <- outer, add = TRUE) # twice, as in `host()`
  the$running <- TRUE
  forms <- batch_forms_of(kind, object)
  pool <- worker_pool(arguments$workers, sources, name, forms, input_names_of(object))
  arguments["workers"] <- list(if (is.null(arguments$workers$launcher) || !is.null(pool)) arguments$workers$count)
  sources <- collect_sources(sources, name, forms, input_names_of(object), pool)
  callbacks <- collect_callbacks(callbacks)
  arguments$callbacks <- callbacks$crossing
  arguments$argument <- name
  bar <- arguments$verbose == 1L && overwrites()
  arguments$screen <- screen_traits(bar)
  arguments$pool <- pool$crossing
  streams <- new_streams()
  if (any(vapply(callbacks$crossing, inherits, NA, "fitgenerator.Checkpoint"))) {
    arguments$streams <- list(
      keep = function(used) kept_streams(streams, used), restore = function(kept) restore_streams(streams, kept)
    )
  }
  session <- cross(core_function("Session"), kind, object, sources$crossing, arguments)
  run <- new_run(
    session, closures = sources$closures, tables = callbacks$tables, timeout = arguments$timeout, bar = bar,
    lent = pool$lent, streams = streams, dozes = !sources$foreign && .Platform$OS.type != "windows"
  )
  resolve(host(run))
}

# Runs a call that takes one round of batches: "evaluate" or "predict".
run_round <- function(kind, object, generator, steps, callbacks, arguments, name = "generator") {
  check_model(object)
  check_source(generator, name)
  consequence <- function(count) if (kind == "predict") left_out(generator, count) else ""
  arguments <- c(arguments, list(steps = check_steps(steps, "steps", consequence)))
  result <- run_session(kind, object, list(generator = generator), callbacks, arguments, name)
  if (kind == "evaluate") record_evaluation(result)
  result
}

# The forms of the batches that the model takes in a call, one for each source; `converter_of()` knows them.
batch_forms_of <- function(kind, object) {
  form <- core_function("batch_form", "r.reticulate.model_code")
  modes <- switch(kind,
    fit = c(generator = "train", validation_data = "test"), evaluate = c(generator = "test"),
    predict = c(generator = "predict")
  )
  lapply(modes, function(mode) cross(form, object, mode))
}

# The names by which a dict may hold the inputs of the model.
input_names_of <- function(object) {
  as.character(ask(core_function("input_names", "batches.model_inputs"), object))
}

# What a warning says of the rows of a source that a prediction of `steps` batches leaves out, where that is known.
left_out <- function(source, steps) {
  if (!is_python(source)) return("")
  rows <- ask(core_function("rows_left_out", "sources.row_counts"), source, steps)
  if (is.null(rows)) return("")
  sprintf(": %d of the %d rows %s left out", rows[[1L]], rows[[2L]], if (rows[[1L]] == 1L) "is" else "are")
}

# Checks the arguments that the three functions have in common. `NULL` for `max_queue_size` or `workers`: what the
# generator says.
common_arguments <- function(verbose, max_queue_size = NULL, workers = NULL, timeout = NULL, jit_compile = "auto") {
  list(
    max_queue_size = check_whole(max_queue_size, "max_queue_size", 0L, null = TRUE),
    workers = as_workers(workers),
    timeout = check_seconds(timeout, "timeout"),
    jit_compile = check_jit(jit_compile),
    verbose = check_verbose(verbose)
  )
}

check_model <- function(object) {
  if (is_python(object)) return(invisible(check_alive(object, "object")))
  abort_argument(sprintf("`object` must be a Keras model, not %s.", describe(object)), "object")
}

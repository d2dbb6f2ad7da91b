# One call, from checked arguments to its value: `session` on the Python side, `host()` on this one.

# Runs a call of `kind` ("fit", "evaluate" or "predict").
run_session <- function(kind, object, sources, callbacks, arguments, shape = as_batch) {
  sources <- collect_sources(sources, shape)
  callbacks <- collect_callbacks(callbacks)
  arguments$callbacks <- callbacks$crossing
  bar <- arguments$verbose == 1L && overwrites()
  arguments$screen <- screen_traits(bar)
  session <- cross(core_function("Session"), kind, object, sources$crossing, arguments)
  resolve(host(session, sources$closures, callbacks$tables, arguments$timeout, bar))
}

# Checks the arguments that the three functions have in common.
common_arguments <- function(max_queue_size, workers, timeout, jit_compile, verbose) {
  list(
    max_queue_size = check_whole(max_queue_size, "max_queue_size", 0L),
    workers = check_whole(workers, "workers", 0L),
    timeout = check_seconds(timeout, "timeout"),
    jit_compile = check_jit(jit_compile),
    verbose = check_verbose(verbose)
  )
}

check_model <- function(object) {
  if (inherits(object, "python.builtin.object")) return(invisible(object))
  abort_argument(sprintf("`object` must be a Keras model, not %s.", describe(object)), "object")
}

# How functions are packed for another process. The variables of the functions around a function travel with it, but for
# those that hold Python objects: they mean nothing there, and to read them would load reticulate in each process, which
# takes longer than all else that a worker does before its first batch.

# What `unpacked()` reads, as raw bytes: `job` is a list of `functions` and `globals`.
packed <- function(job, ...) {
  own <- Filter(is_own_function, c(job$globals, methods_of(job$s4)))
  fns <- c(lapply(job$functions, function(given) given$fn), own)
  frames <- frames_with_python(fns)
  name_of <- function(x) {
    at <- which(vapply(frames, function(frame) identical(frame$env, x), NA))
    if (length(at)) as.character(at)
  }
  contents <- lapply(frames, function(frame) list(parent = parent.env(frame$env), values = frame$values))
  serialize(list(job = job, frames = contents), NULL, refhook = name_of, ...)
}

# The environments around functions that hold Python objects, each as `env` and its other `values`.
frames_with_python <- function(fns) {
  frames <- list()
  for (fn in fns) {
    env <- environment(fn)
    while (is_frame(env)) {
      known <- any(vapply(frames, function(frame) identical(frame$env, env), NA))
      values <- if (!known) values_without_python(env)
      if (!is.null(values)) frames <- c(frames, list(list(env = env, values = values)))
      env <- parent.env(env)
    }
  }
  frames
}

# Whether an environment is that of a call: neither a package's nor the session's, nor an object.
is_frame <- function(env) {
  is.environment(env) && is.null(attributes(env)) && !isNamespace(env) &&
    !any(vapply(list(globalenv(), baseenv(), emptyenv()), identical, NA, env))
}

# The values of a frame that hold no Python object; `NULL` if all are such, or one cannot be looked at.
values_without_python <- function(env) {
  values <- tryCatch(as.list(env, all.names = TRUE), error = function(cnd) NULL)
  given <- function(k) !identical(values[[k]], quote(expr = )) # nolint: spaces_inside_linter. As in x[1, ].
  held <- vapply(seq_along(values), function(k) given(k) && holds_python(values[[k]]), NA)
  if (any(held)) values[!held]
}

# In the worker: the job, read from raw bytes or a connection.
unpacked <- function(from) {
  frames <- list()
  found <- unserialize(from, refhook = function(name) {
    if (is.null(frames[[name]])) frames[[name]] <<- new.env()
    frames[[name]]
  })
  for (k in seq_along(found$frames)) {
    frame <- frames[[as.character(k)]]
    parent.env(frame) <- found$frames[[k]]$parent
    list2env(found$frames[[k]]$values, frame)
  }
  found$job
}

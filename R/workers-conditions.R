# Conditions that functions signalled in worker processes: they travel as classes and texts, and are built again here.

# The condition that `told` tells of: what `signalled` in a worker had, but for fields of its own.
rebuilt <- function(told, type, ...) {
  call <- if (nzchar(told$call)) parsed(told$call)
  classes <- unique(c(unlist(told$classes), type, "condition"))
  structure(class = classes, list(message = told$message, call = call, ...))
}

# A call from its code.
parsed <- function(code) tryCatch(str2lang(code), error = function(cnd) NULL)

# The error of a function that failed in a worker, `told` by its kind; `where` is the batch and, for a function of
# images, the image.
worker_failure <- function(told, where) {
  name <- told$argument
  if (told$kind == "refused" && is.null(name)) {
    return(fg_condition(told$message, "fitgenerator_batch_error", where = where))
  }
  if (told$kind == "refused") return(fg_condition(told$message, "fitgenerator_argument_error", argument = name))
  calls <- Filter(Negate(is.null), lapply(unlist(told$calls), parsed))
  if (!length(calls)) calls <- NULL
  parent <- rebuilt(told, "error")
  if (is.null(name)) return(generator_error(parent, where$place, where$batch, calls))
  function_error(parent, name, where, calls)
}

# Signals a warning or a message of a worker. It says which batch it belongs to.
signal_worker <- function(request) {
  told <- request$condition
  told$message <- sub("(\n?)$", sprintf(" (batch %d of `%s`)\\1", request$batch, request$place), told$message)
  cnd <- rebuilt(told, told$kind, place = request$place, batch = request$batch)
  if (told$kind == "warning") warning(cnd) else message(cnd)
  NULL
}

# What Python asks of an R function that it was given through rpy2. The files beside this one are those of the R
# package: one batch means the same whichever language started the call.

# Draws up to `most` batches from `fn`, from batch `number` on, with its stream: as many as come within `seconds`.
# A list of the batches, of what ended them ("", "end", "refused", "interrupt" or "error") and of its text or
# condition, or of where an interrupt found the closure.
pull <- function(fn, name, predicting, streams, number, most, used, seconds) {
  shape <- if (predicting) as_inputs else as_batch
  lot <- with_stream(streams, name, pull_lot(fn, shape, name, streams, number, most, seconds))
  if (name == "generator") forget_drawn(streams, used)
  lot
}

pull_lot <- function(fn, shape, name, streams, number, most, seconds) {
  batches <- list()
  stands <- character()
  note <- function(cnd) stands <<- where_it_stands(sys.calls(), sys.nframe(), name)
  begun <- as.numeric(Sys.time())
  repeat {
    value <- tryCatch(withCallingHandlers(fn(), interrupt = note), interrupt = identity, error = identity)
    if (name == "generator") mark_drawn(streams, number)
    if (inherits(value, "interrupt")) return(list(batches, "interrupt", stands))
    if (inherits(value, "error")) return(list(batches, "error", value))
    if (is_exhausted(value)) return(list(batches, "end", NULL))
    value <- tryCatch(shape(value, name, number), fitgenerator_batch_error = identity)
    if (inherits(value, "fitgenerator_batch_error")) return(list(batches, "refused", conditionMessage(value)))
    batches[[length(batches) + 1L]] <- value
    n <- length(batches)
    if (n >= most || (as.numeric(Sys.time()) - begun) * (n + 1) > n * seconds) return(list(batches, "", NULL))
    number <- number + 1L
  }
}

# Raises a condition that was kept.
raise <- function(cnd) stop(cnd)

# Calls `fn` without taking an interrupt.
undisturbed <- function(fn, ...) {
  suspendInterrupts(fn(...))
}

# Python makes a matrix of its own of the parts.
sparse_to_py <- function(x) x

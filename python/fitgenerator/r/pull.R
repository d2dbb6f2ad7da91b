# What Python asks of an R function that it was given through rpy2. The files beside this one are those of the R
# package: one batch means the same whichever language started the call.

# Draws batch `number` from `fn` with its stream. A list of what came ("batch", "end", "refused", "interrupt") and
# its value; an error of `fn` is Python's to raise.
pull <- function(fn, name, predicting, streams, stream, number, used) {
  value <- with_stream(streams, stream, tryCatch(fn(), interrupt = identity))
  if (stream == "generator") mark_drawn(streams, number, used)
  if (inherits(value, "interrupt")) return(list("interrupt", NULL))
  if (is_exhausted(value)) return(list("end", NULL))
  shape <- if (predicting) as_inputs else as_batch
  tryCatch(
    list("batch", shape(value, name, number)),
    fitgenerator_batch_error = function(cnd) list("refused", conditionMessage(cnd))
  )
}

# Calls `fn` without taking an interrupt.
undisturbed <- function(fn, ...) {
  suspendInterrupts(fn(...))
}

# Python makes a matrix of its own of the parts.
sparse_to_py <- function(x) x

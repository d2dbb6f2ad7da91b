# What Python asks of an R function that it was given through rpy2. The files beside this one are those of the R
# package: one batch means the same whichever language started the call.

# Draws up to `most` batches from `fn`, from batch `number` on, with its stream: as many as are quickly there. A list
# of the batches, of what ended them ("", "end", "refused", "interrupt" or "error") and of its text or condition, or of
# where an interrupt found the closure. `ends`: `NULL` is its end.
pull <- function(fn, name, predicting, streams, number, most, used, ends) {
  closure <- new_closure(fn, name, name, if (predicting) as_inputs else as_batch, ends = ends)
  lot <- with_stream(streams, name, pull_lot(closure, streams, number - 1L, most))
  if (name == "generator") forget_states(streams, used)
  lot
}

pull_lot <- function(closure, streams, before, most) {
  lot <- new_lot(most)
  stands <- character() # stays so where the interrupt came twice, the second one while the first was looked at
  note <- function(cnd) stands <<- where_it_stands(sys.calls(), sys.nframe(), closure$name)
  ended <- tryCatch(
    withCallingHandlers(fill_lot(lot, closure, streams, before, most), interrupt = note),
    interrupt = identity, error = identity
  )
  if (closure$name == "generator") keep_state(streams, before + lot$n + 1L)
  batches <- batches_of(lot)
  if (lot$ended) return(list(batches, "end", NULL))
  if (inherits(ended, "interrupt")) return(list(batches, "interrupt", stands))
  refused <- lot$converting && inherits(ended, "fitgenerator_batch_error")
  if (refused) return(list(batches, "refused", conditionMessage(ended)))
  if (inherits(ended, "error")) return(list(batches, "error", ended))
  list(batches, "", NULL)
}

# What `fn`, given as the argument `name`, makes of an image, with random numbers from `seed`, or the current ones where
# that is `NULL`: a list of three as `pull` returns it.
picture <- function(fn, name, image, seed) {
  stands <- character()
  converting <- FALSE
  make <- function() {
    made <- with_seed(seed, fn(image))
    converting <<- TRUE
    list(as_picture(made, dim(image), name), "", NULL)
  }
  note <- function(cnd) stands <<- where_it_stands(sys.calls(), sys.nframe(), name, quote(fn(image)))
  made <- tryCatch(withCallingHandlers(make(), interrupt = note), interrupt = identity, error = identity)
  if (inherits(made, "interrupt")) return(list(NULL, "interrupt", stands))
  if (!inherits(made, "error")) return(made)
  if (converting) list(NULL, "refused", conditionMessage(made)) else list(NULL, "error", made)
}

# Raises a condition that was kept.
raise <- function(cnd) stop(cnd)

# Calls `fn` without taking an interrupt.
undisturbed <- function(fn, ...) {
  suspendInterrupts(fn(...))
}

# Python makes a matrix of its own of the parts.
sparse_to_py <- function(x) x

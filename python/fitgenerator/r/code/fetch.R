# What Python asks of an R function that it was given through rpy2. The files next to this one are those of the R
# package: one batch means the same whichever language started the call.
#
# What came of a call is a list of three, which `Answer` in Python reads: the value; the kind of what came in place of a
# value ("ended", "failed", "refused", "interrupted"), or "value"; and what belongs to that kind: what `failure_of()`
# tells, the text of the refusal, or where the interrupt found the function.

# Fetches up to `most` batches from `fn`, from batch `number` on, with its random number stream: as many as come quickly.
# The value is the list of batches; the kind says what came in place of a further one. `form`: what the model takes of
# them. `inputs`: the names of the model's inputs. `ends`: whether `NULL` ends the source.
fetch <- function(fn, name, form, inputs, streams, number, most, used, ends) {
  closure <- new_closure(fn, name, name, converter_of(form, inputs), ends = if (ends) is_exhausted else never)
  answer <- with_stream(streams, name, fetch_lot(closure, streams, number - 1L, most)) # rule 8
  if (name == "generator") forget_states(streams, used)
  answer
}

# Tells a function that a pass has ended: `tell` is called with its number. `fetched` batches were fetched so far.
tell <- function(tell, ended, name, streams, fetched) {
  closure <- new_closure(tell, name, name)
  with_stream(streams, name, {
    answer <- fetch_lot(closure, streams, fetched, 0L, function(lot) tell(ended))
    if (name == "generator") keep_state(streams, fetched) # what the function draws comes before the next batch
    answer
  })
}

# Whether something else holds an array, R tells compiled code alone, as the package has it (src/held.c).
is_held <- function(value) TRUE

# A copy of a batch, with arrays that nothing else holds; `NULL` if it has more than `most` bytes.
own_copy <- function(value, most) if (utils::object.size(value) <= most) own_arrays(value)

own_arrays <- function(x) {
  if (is.list(x)) {
    x[] <- lapply(x, own_arrays)
  } else if (length(x)) {
    x[[1L]] <- x[[1L]] # which copies what is held
  }
  x
}

fetch_lot <- function(closure, streams, before, most,
                      fill = function(lot) fill_lot(lot, closure, streams, before, most)) {
  lot <- new_lot(most)
  stack <- character() # stays so where the interrupt came twice, the second one while the first was looked at
  note <- function(cnd) stack <<- where_it_stands(sys.calls(), sys.nframe(), closure$name)
  failure <- NULL
  signalled <- tryCatch(
    with_calls(
      withCallingHandlers(fill(lot), interrupt = note), closure$name,
      function(cnd, calls) failure <<- failure_of(cnd, calls)
    ),
    interrupt = identity
  )
  if (closure$name == "generator") keep_state(streams, before + lot$n + 1L)
  batches <- batches_of(lot)
  if (lot$ended) return(list(batches, "ended", NULL))
  if (inherits(signalled, "interrupt")) return(list(batches, "interrupted", stack))
  if (is.null(failure)) return(list(batches, "value", NULL))
  refused <- lot$converting && inherits(failure$condition, "fitgenerator_batch_error")
  if (refused) list(batches, "refused", conditionMessage(failure$condition)) else list(batches, "failed", failure)
}

# What Python is told of an error: its condition; the `calls` that led to it, as texts; and what is `said` of them.
failure_of <- function(cnd, calls) {
  texts <- vapply(calls, function(call) deparse(call, nlines = 1L)[[1L]], "")
  list(condition = cnd, calls = texts, said = as.character(failed_in(calls)))
}

# What `fn`, given as the argument `name`, makes of an image, with random numbers from `seed`, or the current ones where
# that is `NULL`.
apply_to_image <- function(fn, name, image, seed) {
  stack <- character()
  converting <- FALSE
  make <- function() {
    made <- with_seed(seed, fn(image))
    converting <<- TRUE
    list(as_picture(made, dim(image), name), "value", NULL)
  }
  note <- function(cnd) stack <<- where_it_stands(sys.calls(), sys.nframe(), name, quote(fn(image)))
  failure <- NULL
  made <- tryCatch(
    with_calls(
      withCallingHandlers(make(), interrupt = note), name,
      function(cnd, calls) failure <<- failure_of(cnd, calls)
    ),
    interrupt = identity
  )
  if (inherits(made, "interrupt")) return(list(NULL, "interrupted", stack))
  if (is.null(failure)) return(made)
  if (converting) list(NULL, "refused", conditionMessage(failure$condition)) else list(NULL, "failed", failure)
}

# Signals a condition that was kept.
raise <- function(cnd) stop(cnd)

# Rule 2: calls `fn` without taking an interrupt, which would jump over Python's frames.
undisturbed <- function(fn, ...) {
  suspendInterrupts(fn(...))
}

# Python makes a matrix of its own of the parts.
sparse_to_py <- function(x) x

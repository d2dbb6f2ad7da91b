# R functions as generators: how the host calls them, and how it fetches several batches in one go.

# A closure as the host serves it. `name` is the argument that it was given as, for messages; `stream` its random number
# stream ("generator" or "validation_data"). `convert` makes a batch of what `fn` returns. Where the source can restart,
# `seek` is told which batches are wanted next, `tell` that a pass has ended, and `close` that no more batches are
# wanted. `ends`: whether a value ends the source.
new_closure <- function(fn, name, stream, convert = as_batch, seek = NULL, tell = NULL, close = NULL,
                        ends = is_exhausted) {
  list(fn = fn, name = name, stream = stream, convert = convert, seek = seek, tell = tell, close = close, ends = ends)
}

# The `ends` of a source that has no end.
never <- function(value) FALSE

# The number of arguments that a function of a batch's number is called with. One that needs none may take one.
index_args <- function(fn) {
  takes <- length(required_args(fn))
  if (takes == 0L && length(formals(args(fn)))) 1L else takes
}

# Calls a function of nothing, of the number of a batch, or of that and of the epoch.
call_indexed <- function(fn, takes, index, epoch) {
  switch(takes + 1L, fn(), fn(index), fn(index, epoch))
}

# Turns a function of the number of a batch (and of the epoch, if it needs two arguments) into a function without
# arguments. `seeded`: the random numbers of a batch follow from its place.
indexed_calls <- function(fn, on_epoch_end = NULL, seeded = FALSE) {
  takes <- index_args(fn)
  wanted <- NULL
  at <- 0L
  list(
    seek = function(places) {
      wanted <<- places
      at <<- 0L
    },
    fn = function() {
      at <<- at + 1L
      if (seeded) {
        before <- session_seed()
        on.exit(set_seed(before))
        set.seed(wanted$seed[[at]])
      }
      call_indexed(fn, takes, wanted$index[[at]], wanted$epoch)
    },
    tell = function(ended) if (!is.null(on_epoch_end)) call_epoch_end(on_epoch_end, ended)
  )
}

# Calls a hook with the number of an epoch, if it takes one.
call_epoch_end <- function(hook, epoch) {
  if (length(formals(args(hook)))) hook(epoch) else hook()
}

is_closable <- function(fn) is.function(fn) && "close" %in% names(formals(fn))

# Turns a function that returns a generator into one generator, which is opened again at the beginning of each pass. A
# generator with an argument `close`, as those of coro have, is told when no more batches are wanted.
opened_calls <- function(open) {
  fetch <- wanted <- NULL
  close <- function() {
    last <- fetch
    fetch <<- NULL
    if (is_closable(last)) last(close = TRUE)
  }
  begin <- function() {
    close()
    fetch <<- open()
    fetch()
  }
  list(
    seek = function(places) wanted <<- places,
    fn = function() {
      begins <- wanted$opens
      wanted$opens <<- FALSE
      if (begins) return(begin())
      value <- fetch()
      if (wanted$wrap && is_exhausted(value)) begin() else value
    },
    close = close
  )
}

# The names of the arguments that `fn` cannot be called without.
required_args <- function(fn) {
  formals <- formals(args(fn))
  needs <- vapply(formals, function(default) is.symbol(default) && !nzchar(as.character(default)), NA)
  setdiff(as.character(names(formals)[needs]), "...")
}

# The seconds that the first batches of a lot may wait for the rest of it.
lot_seconds <- 0.002

# The largest batch, in bytes, that is copied for the sake of the rest of a lot; a larger one ends the lot.
most_copied <- 1e5

# A lot: batches that are fetched in one go, at most `most` of them. `n` is their number so far, `ended` whether the
# closure has no more, `converting` whether the value that it returned is being made a batch of.
new_lot <- function(most) {
  lot <- new.env(parent = emptyenv())
  lot$batches <- vector("list", most)
  lot$n <- 0L
  lot$converting <- lot$ended <- FALSE
  lot
}

batches_of <- function(lot) lot$batches[seq_len(lot$n)]

# Fetches batches until the lot is full, its time is over, or the closure ends. `before` is the number of batches that
# the closure has returned so far. Rule 5: it is never called more often than `most` times.
fill_lot <- function(lot, closure, streams, before, most) {
  trains <- closure$stream == "generator"
  fn <- closure$fn
  begun <- as.numeric(Sys.time())
  check <- 1L # look at the clock after 1, 2, 4, 8 batches: a look costs as much as a quick closure
  repeat {
    number <- before + lot$n + 1L
    lot$converting <- FALSE
    value <- fn()
    if (trains) keep_state(streams, number) # rule 8
    forget_normal() # rule 8: which batches are of one lot depends on timing
    if (closure$ends(value)) {
      lot$ended <- TRUE
      return(NULL)
    }
    held <- is_held(value)
    lot$converting <- TRUE
    value <- closure$convert(value, closure$name, number)
    lot$n <- lot$n + 1L
    lot$batches[[lot$n]] <- value
    if (lot$n == most) return(NULL)
    # Rule 9: what crosses is copied in the crossing, but the closure may reuse an array of Python's before that.
    if (holds_python(value)) return(NULL)
    if (held) { # compiled code may fill an array of R's again
      value <- own_copy(value, most_copied)
      if (is.null(value)) return(NULL)
      lot$batches[[lot$n]] <- value
    }
    if (lot$n == check) {
      if (as.numeric(Sys.time()) - begun > lot_seconds / 2) return(NULL)
      check <- 2L * check
    }
  }
}

holds_python <- function(x) {
  if (is.list(x)) {
    for (part in x) if (holds_python(part)) return(TRUE)
    return(FALSE)
  }
  is.object(x) && is_python(x)
}

# Where a function that exceeds its timeout stands: the innermost of `calls`, up to frame `n`, one call to a line.
# `entry` is the call by which the engine enters the function, whose own call is `inner` calls further down.
where_it_stands <- function(calls, n, name, entry = quote(fn()), inner = 0L) {
  calls <- calls[seq_len(n - 1L)]
  entered <- which(vapply(calls, function(call) identical(call, entry), NA)) + inner
  if (length(entered)) {
    calls <- calls[seq.int(entered[[length(entered)]], length(calls))]
    calls[[1L]] <- call(name)
  }
  call_lines(calls)
}

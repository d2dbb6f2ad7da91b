# An R function as a generator.

# A closure as the host serves it. `shape` makes a batch of what it returns; `turn`, where it can begin again, is told
# which batches are next, and `shut` that no more are; `ends`: `NULL` is its end.
new_closure <- function(fn, name, stream, shape = as_batch, turn = NULL, shut = NULL, ends = TRUE) {
  list(fn = fn, name = name, stream = stream, shape = shape, turn = turn, shut = shut, ends = ends)
}

# How many arguments a function of the number of a batch is called with; one that needs none may take one.
index_args <- function(fn) {
  takes <- length(required_args(fn))
  if (takes == 0L && length(formals(args(fn)))) 1L else takes
}

# A function of the number of a batch (and of the epoch, where it needs two arguments) as a function without arguments.
# `seeded`: its random numbers follow from the place of the batch.
indexed_calls <- function(fn, on_epoch_end = NULL, seeded = FALSE) {
  takes <- index_args(fn)
  now <- NULL
  at <- 0L
  list(
    turn = function(places) {
      now <<- places
      at <<- 0L
    },
    fn = function() {
      if (at == 0L && !is.null(now$ended) && !is.null(on_epoch_end)) tell(on_epoch_end, now$ended)
      at <<- at + 1L
      if (seeded) {
        before <- session_seed()
        on.exit(set_seed(before))
        set.seed(now$seed[[at]])
      }
      if (takes == 2L) fn(now$index[[at]], now$epoch) else fn(now$index[[at]])
    }
  )
}

# Calls a hook with the number of an epoch, where it takes one.
tell <- function(hook, epoch) {
  if (length(formals(args(hook)))) hook(epoch) else hook()
}

is_closable <- function(fn) is.function(fn) && "close" %in% names(formals(fn))

# A function that returns a generator, as one generator that is opened again where a pass begins. Where the generator
# has an argument `close`, as coro's have, it is told when no more batches are wanted.
opened_calls <- function(open) {
  draw <- now <- NULL
  shut <- function() {
    last <- draw
    draw <<- NULL
    if (is_closable(last)) last(close = TRUE)
  }
  begin <- function() {
    shut()
    draw <<- open()
    draw()
  }
  list(
    turn = function(places) now <<- places,
    fn = function() {
      begins <- now$opens
      now$opens <<- FALSE
      if (begins) return(begin())
      value <- draw()
      if (now$wrap && is_exhausted(value)) begin() else value
    },
    shut = shut
  )
}

# The names of the arguments that `fn` cannot be called without.
required_args <- function(fn) {
  formals <- formals(args(fn))
  needs <- vapply(formals, function(default) is.symbol(default) && !nzchar(as.character(default)), NA)
  setdiff(as.character(names(formals)[needs]), "...")
}

# How long the first batches of a lot may wait for the others, in seconds, where these are as quick.
lot_seconds <- 0.002

# Batches that are drawn in one go: `n` of them so far; `ended`, whether the closure has no more; `shaping`, whether
# its value is being made a batch of.
new_lot <- function(most) {
  lot <- new.env(parent = emptyenv())
  lot$batches <- vector("list", most)
  lot$n <- 0L
  lot$shaping <- lot$ended <- FALSE
  lot
}

batches_of <- function(lot) lot$batches[seq_len(lot$n)]

# Draws until the lot is full, its time is over, or the closure ends.
fill_lot <- function(lot, closure, streams, before, most) {
  marks <- closure$stream == "generator"
  fn <- closure$fn
  begun <- as.numeric(Sys.time())
  check <- 1L # look at the clock after 1, 2, 4, 8 batches: it costs as much as a quick closure
  repeat {
    number <- before + lot$n + 1L
    lot$shaping <- FALSE
    value <- fn()
    if (marks) mark_drawn(streams, number)
    if (closure$ends && is_exhausted(value)) {
      lot$ended <- TRUE
      return(NULL)
    }
    lot$shaping <- TRUE
    value <- closure$shape(value, closure$name, number)
    lot$n <- lot$n + 1L
    lot$batches[[lot$n]] <- value
    if (lot$n == most) return(NULL)
    if (holds_python(value)) return(NULL) # the closure may use Python's array again: it is copied in the crossing
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
  is.object(x) && inherits(x, "python.builtin.object")
}

# Where a function stands that takes too long: the innermost of `calls`, up to frame `n`, one to a line. `entry` is how
# the engine calls it.
where_it_stands <- function(calls, n, name, entry = quote(fn())) {
  calls <- calls[seq_len(n - 1L)]
  entered <- which(vapply(calls, function(call) identical(call, entry), NA))
  if (length(entered)) {
    calls <- calls[seq.int(entered[[length(entered)]], length(calls))]
    calls[[1L]] <- call(name)
  }
  text <- vapply(utils::tail(calls, 6L), function(call) deparse(call, 60L, nlines = 1L)[[1L]], "")
  paste0("  ", text)
}

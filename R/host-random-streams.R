# Rule 8: every R function has its own random number stream.
#
# Prefetching interleaves R functions in an order that depends on timing. So the training generator continues the
# session's stream, and every other R function that the engine calls has a stream that is derived from the session's
# without advancing it. All remaining code, such as R code that Python calls while R waits, has the stream "others".

# The streams of one call.
new_streams <- function() {
  new.env(parent = emptyenv())
}

# Begins a call: from here on R draws from the stream "others". `names` are the streams besides "generator".
begin_streams <- function(streams, names) {
  streams$start <- streams$generator <- session_seed()
  streams$states <- list() # the first is that of batch `forgotten` + 1
  streams$forgotten <- 0L
  names <- unique(c("others", names))
  streams$side <- stats::setNames(derive_seeds(length(names), streams$start), names)
  streams$current <- "generator"
  use_stream(streams, "others")
  invisible(streams)
}

# Makes `name` the stream that R draws from, and stores the state of the previous one.
use_stream <- function(streams, name) {
  store_current(streams)
  set_seed(if (name == "generator") streams$generator else streams$side[[name]])
  streams$current <- name
}

store_current <- function(streams) {
  seed <- session_seed()
  if (streams$current == "generator") {
    streams$generator <- seed
  } else {
    streams$side[[streams$current]] <- seed
  }
}

# Evaluates `code` with the stream `name`.
with_stream <- function(streams, name, code) {
  use_stream(streams, name)
  on.exit(use_stream(streams, "others"))
  force(code)
}

# Keeps the state of the generator's stream, which is the current one, immediately after batch `number` was fetched.
keep_state <- function(streams, number) {
  streams$states[[number - streams$forgotten]] <- session_seed()
}

# Forgets the states of the batches before batch `used`.
forget_states <- function(streams, used) {
  old <- min(used - 1L - streams$forgotten, length(streams$states))
  if (old <= 0L) return(invisible())
  streams$states <- streams$states[-seq_len(old)]
  streams$forgotten <- streams$forgotten + old
}

# Ends a call: restores the session's stream as it was immediately after batch `used`, the last one that was trained on,
# was fetched.
end_streams <- function(streams, used) {
  if (is.null(streams$start)) return(invisible())
  at <- used - streams$forgotten
  seed <- if (used > 0 && at <= length(streams$states)) streams$states[[at]] else streams$start
  # `NULL` if the generator is not an R function: no random numbers of R were drawn for its batches.
  set_seed(if (is.null(seed)) streams$start else seed)
}

# What a checkpoint keeps of the streams: that of the generator as it was after batch `used`, the others as they are.
kept_streams <- function(streams, used) {
  store_current(streams)
  at <- used - streams$forgotten
  made <- if (used > 0 && at >= 1L && at <= length(streams$states)) streams$states[[at]]
  c(list(generator = if (is.null(made)) streams$start else made), streams$side)
}

# Goes on with the stream of the generator that a checkpoint has kept; before the first batch.
restore_generator <- function(streams, kept) {
  if (is.null(kept$generator)) return(invisible())
  streams$start <- streams$generator <- as_seed(kept$generator)
}

# Goes on with the other streams, of which one is the current one.
restore_streams <- function(streams, kept) {
  for (name in intersect(names(streams$side), names(kept))) streams$side[[name]] <- as_seed(kept[[name]])
  if (streams$current %in% names(kept)) set_seed(streams$side[[streams$current]])
}

# The lowest whole number of R is its `NA`.
as_seed <- function(kept) suppressWarnings(as.integer(unlist(kept)))

session_seed <- function() {
  seed <- .GlobalEnv$.Random.seed
  if (!is.null(seed)) return(seed)
  stats::runif(1L)
  .GlobalEnv$.Random.seed
}

set_seed <- function(seed) {
  assign(".Random.seed", seed, envir = globalenv())
  forget_normal(seed)
}

# Box-Muller (kind 2) keeps every second normal number outside the seed. It belongs to the stream, or the batch, that
# the first one was drawn for: what is drawn next must follow from the seed alone.
forget_normal <- function(seed = session_seed()) {
  if (seed[[1L]] %/% 100L %% 100L == 2L) RNGkind(normal.kind = "Box-Muller")
}

# `n` states that follow from `seed`, for the same kind of random number generator.
derive_seeds <- function(n, seed) {
  on.exit(set_seed(seed))
  set_seed(seed)
  numbers <- sample.int(.Machine$integer.max, n)
  lapply(numbers, function(number) {
    set.seed(number)
    session_seed()
  })
}

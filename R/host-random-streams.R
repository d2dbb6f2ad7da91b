# Random numbers. Prefetching interleaves R functions in an order that timing decides, so each has a stream of
# its own: the (training) generator goes on with the session's, every other one has a stream that is derived
# from the session's without advancing it. Whatever is not one of them, such as R code that Python calls while
# we wait, gets the stream "others".

# The streams of one call.
new_streams <- function() {
  new.env(parent = emptyenv())
}

# From here on R draws from the stream "others". `names` are those of the functions beside the generator.
begin_streams <- function(streams, names) {
  streams$start <- streams$generator <- session_seed()
  streams$drawn <- list() # the first is that of batch `forgotten` + 1
  streams$forgotten <- 0L
  names <- unique(c("others", names))
  streams$side <- stats::setNames(derive_seeds(length(names), streams$start), names)
  streams$current <- "generator"
  use_stream(streams, "others")
  invisible(streams)
}

# Makes `name` the stream that R draws from, and keeps the state of the one before.
use_stream <- function(streams, name) {
  keep_current(streams)
  set_seed(if (name == "generator") streams$generator else streams$side[[name]])
  streams$current <- name
}

keep_current <- function(streams) {
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

# Keeps the state of the generator's stream, which is the current one, right after batch `number` was drawn.
mark_drawn <- function(streams, number) {
  streams$drawn[[number - streams$forgotten]] <- session_seed()
}

# Forgets the states of the batches before batch `used`.
forget_drawn <- function(streams, used) {
  old <- min(used - 1L - streams$forgotten, length(streams$drawn))
  if (old <= 0L) return(invisible())
  streams$drawn <- streams$drawn[-seq_len(old)]
  streams$forgotten <- streams$forgotten + old
}

# Leaves the session's stream where it was right after batch `used`, the last one trained on, was drawn.
end_streams <- function(streams, used) {
  if (is.null(streams$start)) return(invisible())
  at <- used - streams$forgotten
  seed <- if (used > 0 && at <= length(streams$drawn)) streams$drawn[[at]] else streams$start
  # Absent when the generator is no R function: then nothing of R was drawn for it.
  set_seed(if (is.null(seed)) streams$start else seed)
}

session_seed <- function() {
  seed <- .GlobalEnv$.Random.seed
  if (!is.null(seed)) return(seed)
  stats::runif(1L)
  .GlobalEnv$.Random.seed
}

set_seed <- function(seed) {
  assign(".Random.seed", seed, envir = globalenv())
  # Box-Muller (kind 2) keeps every second number outside of the seed: it belongs to the stream before.
  if (seed[[1L]] %/% 100L %% 100L == 2L) RNGkind(normal.kind = "Box-Muller")
}

# `n` states drawn from `seed`, of the kind of generator that `seed` is of.
derive_seeds <- function(n, seed) {
  on.exit(set_seed(seed))
  set_seed(seed)
  numbers <- sample.int(.Machine$integer.max, n)
  lapply(numbers, function(number) {
    set.seed(number)
    session_seed()
  })
}

# An R function as a generator.

# A closure as the host serves it. `shape` makes a batch of what it returns.
new_closure <- function(fn, name, stream, shape = as_batch) {
  list(fn = fn, name = name, stream = stream, shape = shape)
}

# The names of the arguments that `fn` cannot be called without.
required_args <- function(fn) {
  formals <- formals(args(fn))
  needs <- vapply(formals, function(default) is.symbol(default) && !nzchar(as.character(default)), NA)
  setdiff(as.character(names(formals)[needs]), "...")
}

# Where a generator stands that takes too long: the innermost of `calls`, up to frame `n`, one to a line. `fn()` is
# how the engine calls it.
where_it_stands <- function(calls, n, name) {
  calls <- calls[seq_len(n - 1L)]
  entered <- which(vapply(calls, function(call) identical(call, quote(fn())), NA))
  if (length(entered)) {
    calls <- calls[seq.int(entered[[length(entered)]], length(calls))]
    calls[[1L]] <- call(name)
  }
  text <- vapply(utils::tail(calls, 6L), function(call) deparse(call, 60L, nlines = 1L)[[1L]], "")
  paste0("  ", text)
}

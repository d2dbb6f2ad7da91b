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

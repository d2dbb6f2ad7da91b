# No forks while Python serves R code. The child would have only this thread, but Python's lock as it was: held, mostly,
# by a thread that the child does not have. R, within Python, asks for the lock whenever it looks for events, and the
# child would wait for ever.

# Lets `fork` be what all of R's forks go through (mclapply, mcparallel, pvec). Returns what was so before.
replace_fork <- function(fork) {
  space <- asNamespace("parallel")
  before <- get0("mcfork", space, inherits = FALSE) # not on Windows
  if (is.null(before)) return(NULL)
  unlockBinding("mcfork", space)
  assign("mcfork", fork, envir = space)
  lockBinding("mcfork", space)
  invisible(before)
}

refuse_fork <- function(...) {
  stop(
    "An R function that is served by Python cannot fork (mclapply, mcparallel, doMC): the child would hang. ",
    "Use a PSOCK cluster (parallel::makePSOCKcluster), or call fit_generator() from R, where forks work.",
    call. = FALSE
  )
}

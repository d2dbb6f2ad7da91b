# The part of `all_refusals()` that is about worker processes.

worker_refusals <- function() {
  count <- 0
  require_globals <- fitgenerator:::require_globals
  con <- textConnection("a", local = TRUE)
  with_two <- function(fn, length = 4, ...) {
    force(fn)
    function() train(echo_model(), batch_sequence(fn, length, seed = 1), NULL, workers = 2, ...)
  }
  dying <- function(i) if (i == 2) quit(save = "no", status = 3L) else list(matrix(0, 1L), matrix(0, 1L))
  list(
    "an order of a sequence without an end" = function() batch_sequence(dying, Inf, shuffle = TRUE),
    "no package globals" = function() require_globals(FALSE),
    "a function that counts" = with_two(function(i) count <<- count + 1),
    "a function with a connection" = with_two(function(i) readLines(con)),
    "an address that is none" = function() with_options(list(fitgenerator.host = 3), with_two(dying)()),
    "a port that is none" = function() with_options(list(fitgenerator.port = 1e6), with_two(dying)()),
    "a batch that no worker can send" = with_two(function(i) list(array(0, rep(1, 12)), 0)),
    "code that fails in a worker" = with_two(function(i) stop("no such file: a.png")),
    "a batch that ends workers" = with_two(dying)
  )
}

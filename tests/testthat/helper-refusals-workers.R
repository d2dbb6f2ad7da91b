# The part of `all_refusals()` that is about worker processes.

worker_refusals <- function() {
  count <- 0
  require_globals <- fitgenerator:::require_globals
  require_launcher <- fitgenerator:::require_launcher
  option_patience <- fitgenerator:::option_patience
  launched <- fitgenerator:::launched
  mirai_count <- fitgenerator:::mirai_count
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
    "a batch that ends workers" = with_two(dying),
    "workers that are none" = function() train(echo_model(), function() 1, 1, workers = "futures"),
    "a cluster that is stopped" = function() {
      cl <- parallel::makeCluster(1)
      parallel::stopCluster(cl)
      train(echo_model(), batch_sequence(function(i) list(matrix(0, 1L), matrix(0, 1L)), 4), NULL, workers = cl)
    },
    "nodes that do not answer" = function() {
      cl <- parallel::makeCluster(1)
      on.exit(parallel::stopCluster(cl))
      pid <- parallel::clusterCall(cl, Sys.getpid)[[1L]]
      tools::pskill(pid, tools::SIGSTOP)
      on.exit(tools::pskill(pid, tools::SIGCONT), add = TRUE, after = FALSE)
      sequence <- batch_sequence(function(i) list(matrix(0, 1L), matrix(0, 1L)), 4)
      with_options(list(fitgenerator.patience = 0.1, fitgenerator.port = 45871L), {
        train(echo_model(), sequence, NULL, workers = cl)
      })
    },
    "a plan that has no processes" = function() {
      old <- future::plan("sequential")
      on.exit(future::plan(old))
      fitgenerator:::future_count()
    },
    "a future that fails" = function() launched(stop("no room is left")),
    "no daemons" = function() mirai_count(list(daemons = 0L, connections = 0L)),
    "no package mirai" = function() require_launcher("mirai", FALSE),
    "a patience that is none" = function() {
      with_options(list(fitgenerator.patience = "long"), option_patience())
    }
  )
}

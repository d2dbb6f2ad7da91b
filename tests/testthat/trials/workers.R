# Interrupts a call whose batches workers make, again and again. A process of its own:
#
#   Rscript workers.R SETTING TRIALS
#
# prints a line for each trial: what arrived, the seconds from the signal to the caller's handler, and what was left
# ("nothing": no process, thread or file, and workers of the user's answer a call with the value of that call).

library(fitgenerator)
source(file.path(dirname(sub("--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "..", "helper-models.R"))
source(file.path(dirname(sub("--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "..", "helper-workers.R"))
args <- commandArgs(trailingOnly = TRUE)

reticulate::py_run_string(paste(
  "import os, signal, threading, time",
  "def press(seconds):",
  "    def work():",
  "        time.sleep(seconds)",
  "        pressed.append(time.time())",
  "        os.kill(os.getpid(), signal.SIGINT)",
  "    pressed.clear()",
  "    threading.Thread(target=work).start()",
  "pressed = []",
  sep = "\n"
))
py <- reticulate::py

busy_for <- function(seconds) {
  force(seconds)
  function(i) {
    if (i > 2) {
      until <- Sys.time() + seconds
      while (Sys.time() < until) i <- i + 0
    }
    list(matrix(0, 1L), matrix(0, 1L))
  }
}
quick <- function(i) list(matrix(0, 1L), matrix(0, 1L))
rest <- Sys.sleep # nolint: undesirable_function_linter. The interrupt is to come in it.
nap <- list(on_train_batch_end = function(batch, logs) if (batch == 20) for (k in 1:600) rest(0.1))
settings <- list(
  busy = list(fn = busy_for(60), wait = c(1, 2)), starting = list(fn = quick, wait = c(0, 0.6)),
  waiting = list(fn = quick, wait = c(1, 2), callbacks = list(nap)),
  cluster = list(
    fn = busy_for(3), wait = c(0, 2), workers = function() parallel::makeCluster(2),
    ask = function(cl, k) unlist(parallel::clusterCall(cl, function(k) c(Sys.getpid(), k), k))
  ),
  future = list(
    fn = busy_for(3), wait = c(0, 2),
    workers = function() {
      future::plan("cluster", workers = 3)
      "future"
    },
    ask = function(name, k) future::value(future::future(k))
  ),
  mirai = list(
    fn = busy_for(3), wait = c(0, 2),
    workers = function() {
      mirai::daemons(2)
      "mirai"
    },
    ask = function(name, k) mirai::mirai(k, k = k)[]
  )
)
setting <- settings[[args[[1L]]]]

workers <- if (is.null(setting$workers)) 2 else setting$workers()
ask <- function(k) if (is.null(setting$ask)) k else setting$ask(workers, k)
model <- echo_model()
train(model, batch_sequence(quick, 40), NULL, workers = workers)
of_trial <- function(k) gsub(sprintf("\\b%d\\b", k), "k", paste(ask(k), collapse = " ")) # never that of another call
state <- function(k) list(of_trial(k), descendants(), open_files(), list.files(tempdir()))
before <- state(1000000000L)
for (trial in seq_len(as.integer(args[[2L]]))) {
  wait <- stats::runif(1, setting$wait[[1L]], setting$wait[[2L]])
  py$press(wait)
  outcome <- tryCatch({
    train(model, batch_sequence(setting$fn, 1e5), NULL, workers = workers, callbacks = setting$callbacks)
    "none"
  }, interrupt = function(cnd) "interrupt", error = function(cnd) "error")
  seconds <- as.numeric(Sys.time()) - py$pressed[[1L]]
  same <- identical(state(1000000000L + trial), before)
  left <- if (same && !length(our_threads())) "nothing" else "something"
  cat(sprintf("%s %.3f %s\n", outcome, seconds, left))
}

# Interrupts a call whose batches workers make, again and again. A process of its own:
#
#   Rscript workers.R SETTING[+SETTING...] TRIALS
#
# (several settings must be of the same workers) prints a line for each trial: what arrived, the seconds from the signal
# to the caller's handler, and what was left ("nothing": no process, thread or file, and workers of the user's answer a
# call with the value of that call; "answer": they do not).

library(fitgenerator)
source(file.path(dirname(sub("--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "..", "helper-models.R"))
source(file.path(dirname(sub("--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "..", "helper-workers.R"))
args <- commandArgs(trailingOnly = TRUE)

reticulate::py_run_string(paste(
  "import contextlib, os, signal, threading, time",
  "with contextlib.suppress(PermissionError):",
  "    os.setpgid(0, 0)", # so that the group is this process and its workers
  "def press(seconds, times=1, group=False, stopped=()):",
  "    def work():",
  "        time.sleep(seconds)",
  "        for _ in range(int(times)):",
  "            pressed.append(time.time())",
  "            (os.killpg if group else os.kill)(os.getpid(), signal.SIGINT)",
  "            time.sleep(0.03)",
  "        time.sleep(0.5 if stopped else 0)",
  "        for pid in stopped:",
  "            os.kill(int(pid), signal.SIGCONT)",
  "    for pid in stopped:",
  "        os.kill(int(pid), signal.SIGSTOP)",
  "    pressed.clear()",
  "    thread.append(threading.Thread(target=work))",
  "    thread[-1].start()",
  "def rest_of_trial():",
  "    thread.pop().join()",
  "pressed, thread = [], []",
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

of_cluster <- list(
  fn = busy_for(3), wait = c(0, 2), workers = function() parallel::makeCluster(2),
  ask = function(cl, k) unlist(parallel::clusterCall(cl, function(k) c(Sys.getpid(), k), k)),
  pids = function(cl) unlist(parallel::clusterCall(cl, Sys.getpid))
)
of_futures <- list(
  fn = busy_for(3), wait = c(0, 2),
  workers = function() {
    nodes <<- parallelly::makeClusterPSOCK(3, autoStop = FALSE)
    future::plan("cluster", workers = nodes)
    "future"
  },
  ask = function(name, k) future::value(future::future(k)), pids = function(name) of_cluster$pids(nodes)
)
of_mirai <- list(
  fn = busy_for(3), wait = c(0, 2),
  workers = function() {
    mirai::daemons(2)
    "mirai"
  },
  ask = function(name, k) mirai::mirai(k, k = k)[]
)
large <- matrix(0, 1000L, 1000L)
with_large <- function(i) list(large[1L, 1L, drop = FALSE], large[2L, 2L, drop = FALSE])

# `wait`: when the signal comes; `times`: how often; `group`: to the workers as well, as from a terminal; `stop`: the
# workers are stopped before the call, until half a second after the signal; `fresh`: the model was never trained, so
# that the signal may come while TensorFlow traces a call or prepares its first run, which come to their end.
settings <- list(
  busy = list(fn = busy_for(60), wait = c(1, 2)), starting = list(fn = quick, wait = c(0, 0.6)),
  tracing = list(fn = quick, wait = c(0, 0.6), fresh = TRUE),
  waiting = list(fn = quick, wait = c(1, 2), callbacks = list(nap)),
  cluster = of_cluster, future = of_futures, mirai = of_mirai
)
for (name in c("cluster", "future", "mirai")) {
  of <- settings[[name]]
  variants <- list(
    launching = list(wait = c(0.3, 0.5), stop = TRUE), collecting = list(times = 4, wait = c(1, 2)),
    terminal = list(group = TRUE), large = list(fn = with_large, wait = c(0, 0.5)),
    `terminal-large` = list(fn = with_large, wait = c(0, 0.5), group = TRUE)
  )
  if (name == "mirai") variants$launching <- NULL # what is sent lies in a queue
  names(variants) <- paste0(name, "-", names(variants))
  settings <- c(settings, lapply(variants, function(variant) utils::modifyList(of, variant)))
}
chosen <- settings[strsplit(args[[1L]], "+", fixed = TRUE)[[1L]]]
first <- chosen[[1L]]

workers <- if (is.null(first$workers)) 2 else first$workers()
ask <- function(k) if (is.null(first$ask)) k else first$ask(workers, k)
pids <- if (!is.null(first$pids)) first$pids(workers)
model <- echo_model()
# Loops of steps are traced and compiled late in a long call; here, before the trials.
py$press(4)
invisible(tryCatch(train(model, batch_sequence(quick, 1e5), NULL, workers = workers), interrupt = function(cnd) NULL))
invisible(py$rest_of_trial())
of_trial <- function(k) gsub(sprintf("\\b%d\\b", k), "k", paste(ask(k), collapse = " ")) # never that of another call
state <- function() list(descendants(), open_files(), list.files(tempdir()))
right <- of_trial(1000000000L)
before <- state()

# One trial: what its line shows. With interrupts suspended, but for the training: a signal that comes later than the
# one that has ended it is taken while this rests.
tried <- function(setting, number) {
  wait <- stats::runif(1, setting$wait[[1L]], setting$wait[[2L]])
  times <- if (is.null(setting$times)) 1 else setting$times
  trained <- if (isTRUE(setting$fresh)) echo_model() else model
  outcome <- tryCatch({
    py$press(wait, times, isTRUE(setting$group), if (isTRUE(setting$stop)) as.list(pids) else list())
    allowInterrupts(
      train(trained, batch_sequence(setting$fn, 1e5), NULL, workers = workers, callbacks = setting$callbacks)
    )
    "none"
  }, interrupt = function(cnd) "interrupt", error = function(cnd) {
    message(conditionMessage(cnd))
    "error"
  })
  now <- as.numeric(Sys.time())
  for (k in seq_len(20)) tryCatch(rest(0.01), interrupt = function(cnd) NULL) # later signals of this trial
  py$rest_of_trial()
  answer <- tryCatch(of_trial(1000000000L + number), error = function(cnd) message(conditionMessage(cnd)))
  left <- if (!identical(answer, right)) {
    "answer"
  } else if (identical(state(), before) && !length(our_threads())) {
    "nothing"
  } else {
    "something"
  }
  sprintf("%s %.3f %s\n", outcome, now - py$pressed[[1L]], left)
}

for (setting in chosen) {
  for (trial in seq_len(as.integer(args[[2L]]))) cat(suspendInterrupts(tried(setting, trial)))
}

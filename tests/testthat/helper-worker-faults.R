# The table of faults in a worker: what goes wrong there, when, in whose process, and what must follow. With
# FITGENERATOR_FAULTS=all, every combination runs; otherwise a few of each.

# What a batch does, and what must follow: "well" (the history is the same), "told" (so is it, and the session hears of
# it), "fails" (an error of the batch), "dies" (its process does), "hangs" (until `timeout`). `gives`: what `act`
# returns is the batch.
worker_faults <- list(
  error = list(act = function() stop("in a worker"), so = "fails"),
  warning = list(act = function() warning("in a worker"), so = "told"),
  message = list(act = function() message("in a worker"), so = "told"),
  quit = list(act = function() quit(save = "no", status = 7L), so = "dies"),
  kill = list(act = function() {
    tools::pskill(Sys.getpid(), tools::SIGKILL)
    Sys.sleep(10) # nolint: undesirable_function_linter. The signal ends it.
  }, so = "dies"),
  stop = list(act = function() tools::pskill(Sys.getpid(), tools::SIGSTOP), so = "hangs"),
  loop = list(act = function() while (TRUE) NULL, so = "hangs"),
  huge = list(act = function() list(matrix(stats::rnorm(1e6)), matrix(0, 1e6L)), so = "well", gives = TRUE),
  `no batch` = list(act = function() "neither arrays nor a list of them", so = "fails", gives = TRUE),
  noise = list(act = function() {
    cat(strrep("noise ", 1e5))
    system("echo noise")
    print(1:10)
  }, so = "well"),
  folder = list(act = function() {
    dir.create(elsewhere <- file.path(tempdir(), "elsewhere"), showWarnings = FALSE)
    setwd(elsewhere) # nolint: undesirable_function_linter. It is the fault.
  }, so = "well")
)

# When it happens: in which of six batches, and of which source. In "full", the model pauses until the queue is full,
# and the batch is its last; in "stopping", the training has been told to stop.
worker_moments <- list(
  first = list(at = 1L), middle = list(at = 3L), last = list(at = 6L),
  validation = list(at = 2L, place = "validation_data"), full = list(at = 4L), stopping = list(at = 4L)
)

# Whose processes they are. `start()` gives what `workers` is to be; `answers(workers)` are answers to calls of the
# user's, which must be `an_answer`, of as many processes as work; `end(workers)` ends them.
worker_kinds <- list(
  own = list(start = function() 2, answers = function(workers) list(), end = function(workers) NULL),
  cluster = list(
    start = function() parallel::makeCluster(2),
    answers = function(workers) {
      ask <- function(k) try(parallel::clusterCall(workers[k], ask_for_answer)[[1L]], silent = TRUE)
      Filter(function(answer) !inherits(answer, "try-error"), lapply(seq_along(workers), ask))
    },
    end = function(workers) {
      for (k in seq_along(workers)) {
        try(parallel::stopCluster(workers[k]), silent = TRUE)
        try(close(workers[[k]]$con), silent = TRUE)
      }
    }
  ),
  future = list(
    start = function() {
      future::plan("cluster", workers = 3)
      "future"
    },
    answers = function(workers) list(future::value(future::future(ask_for_answer()))),
    end = function(workers) future::plan("sequential")
  ),
  mirai = list(
    start = function() {
      mirai::daemons(2)
      "mirai"
    },
    answers = function(workers) list(mirai::mirai(ask(), ask = ask_for_answer)[]),
    end = function(workers) mirai::daemons(0)
  )
)

ask_for_answer <- function() list(41 + 1, basename(getwd()) == "elsewhere")

an_answer <- list(42, FALSE)

# The rows of the table for some kind of workers: all, or each of `faults` once, at one moment after the other.
worker_fault_rows <- function(faults) {
  every <- list(fault = names(worker_faults), moment = names(worker_moments), stringsAsFactors = FALSE)
  if (all_faults) return(do.call(expand.grid, every))
  data.frame(fault = faults, moment = rep_len(names(worker_moments), length(faults)))
}

# A function that makes the batches of `drawn_batch`, and does what `fault` says in batch `at`, once. Before that, it
# makes the folder `seen/at` and the file `seen/pid-` with the number of its process, and waits for the file `wait`.
misbehaving <- function(fault, at, seen, wait = NULL) {
  force(fault)
  force(at)
  force(seen)
  function(i, epoch) {
    if (basename(getwd()) == "elsewhere") stop("in the folder of another batch")
    if (i == at && dir.create(file.path(seen, i), showWarnings = FALSE)) {
      file.create(file.path(seen, paste0("pid-", Sys.getpid())))
      while (!is.null(wait) && !file.exists(wait)) Sys.sleep(0.01) # nolint: undesirable_function_linter.
      given <- fault$act()
      if (isTRUE(fault$gives)) return(given)
    }
    list(matrix(stats::rnorm(4) + i, 4L), matrix(epoch, 4L, 1L))
  }
}

# Trains with the fault at the moment; its metrics.
train_misbehaving <- function(fault, moment, workers, seen = seen_folder()) {
  at <- worker_moments[[moment]]$at
  model <- linear_model()
  told <- file.path(seen, "told to stop")
  hooks <- switch(moment, full = list(on_train_batch_end = function(batch, logs) {
    if (batch == 1) until_there(file.path(seen, at))
  }), stopping = list(on_train_batch_end = function(batch, logs) {
    if (batch != 2) return()
    until_there(file.path(seen, at))
    model$stop_training <- TRUE
    file.create(told)
  }))
  unseen <- moment == "validation"
  bad <- misbehaving(fault, at, seen, if (moment == "stopping") told)
  plain <- misbehaving(nothing_wrong, 0L, seen)
  train(
    model, batch_sequence(if (unseen) plain else bad, 6, seed = 1), NULL, workers = workers,
    validation_data = batch_sequence(if (unseen) bad else plain, 3, seed = 2),
    callbacks = if (!is.null(hooks)) list(hooks), max_queue_size = if (moment == "full") 2 else 10,
    timeout = if (fault$so == "hangs") 3
  )$metrics
}

nothing_wrong <- list(act = function() NULL, so = "well")

until_there <- function(path, seconds = 20) {
  until <- Sys.time() + seconds
  while (!file.exists(path) && Sys.time() < until) Sys.sleep(0.01) # nolint: undesirable_function_linter.
  Sys.sleep(0.1) # nolint: undesirable_function_linter. So that it is under way.
}

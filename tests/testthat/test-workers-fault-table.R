# Issue 16: the table of faults in a worker, at every moment, in processes of ours and of the user's.

skip_on_os("windows") # processes are stopped and ended by signals

skip_without_workers()

# What R's own thread gives without the fault; a huge batch is none there.
undisturbed <- local({
  known <- list()
  function(fault, moment) {
    huge <- fault == "huge" && moment != "stopping"
    key <- paste(moment, huge)
    if (is.null(known[[key]])) {
      act <- if (huge) worker_faults$huge else nothing_wrong
      known[[key]] <<- if (moment == "stopping") stopped_alone() else train_misbehaving(act, moment, 1)
    }
    known[[key]]
  }
})

# The training of the moment "stopping". On R's own thread, no batch is made meanwhile.
stopped_alone <- function() {
  model <- linear_model()
  hooks <- list(on_train_batch_end = function(batch, logs) if (batch == 2) model$stop_training <- TRUE)
  plain <- misbehaving(nothing_wrong, 0L, seen_folder())
  train(model, batch_sequence(plain, 6, seed = 1), NULL, validation_data = batch_sequence(plain, 3, seed = 2),
        callbacks = list(hooks))$metrics
}

# What came of a call: its `value` or `error`, and the warnings and messages that were `heard`.
came_of <- function(call) {
  heard <- list()
  hear <- function(restart) {
    function(cnd) {
      heard[[length(heard) + 1L]] <<- cnd
      invokeRestart(restart)
    }
  }
  found <- withCallingHandlers(
    tryCatch(list(value = call()), error = function(cnd) list(error = cnd)),
    warning = hear("muffleWarning"), message = hear("muffleMessage")
  )
  c(found, list(heard = heard))
}

# Expects what the table says of one of its rows.
expect_consequence <- function(found, row, label) {
  so <- if (row$moment == "stopping") "well" else worker_faults[[row$fault]]$so
  moment <- worker_moments[[row$moment]]
  where <- list(place = if (is.null(moment$place)) "generator" else moment$place, batch = moment$at)
  if (so %in% c("fails", "hangs")) {
    kind <- switch(row$fault, error = "generator", `no batch` = "batch", "timeout")
    expect_true(inherits(found$error, sprintf("fitgenerator_%s_error", kind)), info = label)
    expect_identical(found$error[c("place", "batch")], where, info = label)
  } else {
    expect_identical(found$value, undisturbed(row$fault, row$moment), info = label)
  }
  if (so == "hangs") expect_match(conditionMessage(found$error), "worker [12] \\(process [0-9]+\\)", info = label)
  if (so == "told") {
    expect_length(found$heard, 1L)
    expect_match(conditionMessage(found$heard[[1L]]), "in a worker \\(batch [0-9] of", info = label)
    expect_identical(found$heard[[1L]][c("place", "batch")], where, info = label)
  } else if (row$moment != "stopping") {
    expect_length(found$heard, 0L)
  }
}

# After a fault, lets a process of the user's that hangs go on, or ends it; whether one of the processes is lost.
one_is_lost <- function(fault, seen) {
  pid <- as.integer(sub("pid-", "", list.files(seen, "^pid-")))
  if (fault == "stop") tools::pskill(pid, tools::SIGCONT)
  if (fault == "loop") tools::pskill(pid, tools::SIGKILL)
  fault %in% c("quit", "kill", "loop")
}

expect_faults <- function(kind, faults) {
  kind_of <- worker_kinds[[kind]]
  workers <- NULL
  on.exit(kind_of$end(workers))
  rows <- worker_fault_rows(faults)
  for (k in seq_len(nrow(rows))) {
    row <- rows[k, ]
    label <- paste(kind, row$fault, row$moment)
    undisturbed(row$fault, row$moment)
    if (is.null(workers)) {
      workers <- kind_of$start()
      all <- length(kind_of$answers(workers))
      losses_of(drawn_batch, workers) # what is loaded once
    }
    seen <- seen_folder()
    fault <- worker_faults[[row$fault]]
    found <- expect_nothing_left(came_of(function() train_misbehaving(fault, row$moment, workers, seen)))
    expect_consequence(found, row, label)
    lost <- one_is_lost(row$fault, seen)
    if (!lost || kind == "cluster") {
      expect_identical(kind_of$answers(workers), rep(list(an_answer), all - lost), info = label)
    }
    if (lost) {
      kind_of$end(workers)
      workers <- NULL
    }
  }
}

test_that("Each fault of a worker of ours has its consequence, at each moment, and leaves nothing", {
  expect_faults("own", names(worker_faults))
})

test_that("So has each fault in a node of a cluster, which is left, and of use afterwards", {
  expect_faults("cluster", c("message", "folder", "kill", "error", "warning", "no batch"))
})

test_that("So has each fault in a future", {
  skip_if_not_installed("future")
  expect_faults("future", c("error", "quit"))
})

test_that("So has each fault in a daemon of mirai", {
  skip_if_not_installed("mirai")
  expect_faults("mirai", c("error", "kill"))
})

# Issue 16: interrupts, and a session that is killed: nothing of the workers is left.

skip_on_os("windows") # processes are stopped and ended by signals

skip_without_workers()

# Runs `script` with trials; see trials/workers.R.
trials_of <- function(...) {
  done <- run_script(normalizePath(test_path("trials", "workers.R")), timeout = 110, args = c(...))
  expect_process(done)
  utils::read.table(text = done$stdout, col.names = c("outcome", "seconds", "left"), sep = " ")
}

test_that("Ctrl-C is R's interrupt at once, however long the functions take, and leaves nothing", {
  for (setting in c("busy", "starting", "waiting")) {
    found <- trials_of(setting, 8)
    expect_identical(found$outcome, rep("interrupt", 8L))
    expect_identical(found$left, rep("nothing", 8L))
    expect_lt(stats::median(found$seconds), 0.5) # idle: 0.2
  }
})

# While they are launched (and do not read), while they serve, and again and again while what they leave is collected.
moments_of <- function(kind, moments = c("-launching", "", "-collecting")) {
  found <- trials_of(paste0(kind, moments, collapse = "+"), 2)
  expect_identical(found$outcome, rep("interrupt", 2L * length(moments)))
  expect_identical(found$left, rep("nothing", 2L * length(moments)))
}

test_that("After Ctrl-C at any moment, a cluster's next call has its own value", {
  moments_of("cluster", c("-launching", "", "-collecting", "-terminal", "-terminal-large"))
})

test_that("So have the user's next future, and the next mirai", {
  testthat::skip_if_not_installed("future")
  moments_of("future")
  testthat::skip_if_not_installed("mirai")
  moments_of("mirai", c("", "-collecting"))
})

test_that("An interrupt that comes during a message leaves nothing behind that the next message meets", {
  code <- paste(
    "the <- fitgenerator:::the; unbroken <- fitgenerator:::unbroken; left <- taken <- 0",
    "for (k in 1:20000) {", # it is taken as soon as it may be, or up to a thousand evaluations later
    "  tryCatch({",
    "    unbroken(tools::pskill(Sys.getpid(), tools::SIGINT))",
    "    until <- Sys.time() + 60",
    "    while (Sys.time() < until) NULL",
    "  }, interrupt = function(cnd) taken <<- taken + 1)",
    "  if (isTRUE(the$unbroken)) left <- left + 1", # the next message would not be protected
    "  the$unbroken <- FALSE",
    "}",
    "cat(left, taken)",
    sep = "\n"
  )
  script <- tempfile(fileext = ".R")
  writeLines(code, script)
  expect_process(run_script(script), "^0 20000$")
})

# A session that trains with two workers, busy or idle; gives their process numbers.
session_with_workers <- function(busy) {
  folder <- seen_folder()
  code <- sprintf(paste(
    "library(fitgenerator); source('%s')",
    "fn <- function(i) { file.create(file.path('%s', Sys.getpid())); if (%s && i > 2) { t <- Sys.time();",
    "while (Sys.time() - t < 60) 1 }; list(matrix(0, 1L), matrix(0, 1L)) }",
    "stall <- list(on_train_batch_end = function(batch, logs) if (!%s && batch == 9) Sys.sleep(60))",
    "train(echo_model(), batch_sequence(fn, 50), NULL, workers = 2, callbacks = list(stall))",
    sep = "\n"
  ), normalizePath(test_path("helper-models.R"), "/"), folder, busy, busy)
  script <- tempfile(fileext = ".R")
  writeLines(code, script)
  session <- callr::process$new(file.path(R.home("bin"), "Rscript"), script, env = c(callr::rcmd_safe_env(), "current"))
  until <- Sys.time() + 60
  while (length(list.files(folder)) < 2L && Sys.time() < until) Sys.sleep(0.1) # nolint: undesirable_function_linter.
  Sys.sleep(1) # nolint: undesirable_function_linter. Until they are where they are meant to be.
  list(session = session, workers = as.integer(list.files(folder)))
}

# Kills a session; the seconds until its workers have ended, at most 10, as a process sees that looks every millisecond.
seconds_until_ended <- function(running) {
  watched <- reticulate::py_run_string(paste(
    "import os, signal, time",
    "def running(pid):",
    "    try:",
    "        with open(f'/proc/{pid}/stat') as file:",
    "            return file.read().rpartition(')')[2].split()[0] != 'Z'",
    "    except OSError:",
    "        return False",
    "def seconds_until_ended(session, workers):",
    "    os.kill(session, signal.SIGKILL)",
    "    killed = time.monotonic()",
    "    while any(map(running, workers)) and time.monotonic() < killed + 10:",
    "        time.sleep(0.001)",
    "    return time.monotonic() - killed",
    sep = "\n"
  ))
  watched$seconds_until_ended(running$session$get_pid(), as.list(running$workers))
}

test_that("Where R itself is killed, idle workers end within a second, and busy ones soon", {
  skip_if_not_installed("callr")
  skip_if_not(dir.exists("/proc/self"))
  for (busy in c(FALSE, TRUE)) {
    running <- session_with_workers(busy)
    expect_length(running$workers, 2L)
    expect_true(all(alive(running$workers)))
    expect_lt(seconds_until_ended(running), if (busy) 10 else 1)
    expect_false(any(alive(running$workers)))
  }
})

# Makes the batches of `drawn_batch`, and leaves where the process has dialled: host, port and token.
telling_batch <- function(folder) {
  force(folder)
  function(i, epoch) {
    for (k in seq_len(sys.nframe())) {
      at <- get0("at", sys.frame(k), inherits = FALSE)
      if (is.character(at) && length(at) == 3L) break
    }
    found <- list.files(dirname(tempdir()), recursive = TRUE, full.names = TRUE)
    readable <- c(commandArgs(), Sys.getenv(), unlist(lapply(found, readLines, warn = FALSE)))
    stopifnot(nchar(at[[3L]]) == 32L, !any(grepl(at[[3L]], readable, fixed = TRUE)))
    hidden <- file.path(folder, paste0(".", Sys.getpid()))
    writeLines(at, hidden)
    file.rename(hidden, file.path(folder, Sys.getpid())) # whole, or not there
    list(matrix(stats::rnorm(4) + i, 4L), matrix(epoch, 4L, 1L))
  }
}

test_that("Strangers at the port are refused, whatever they send or do not send, and the training goes on", {
  strange <- reticulate::py_run_string(paste(
    "import socket, struct, time",
    "from contextlib import suppress",
    "def strange(port, said):",
    "    with socket.create_connection(('127.0.0.1', port), timeout=20) as c, suppress(OSError):",
    "        begun = time.monotonic()",
    "        c.sendall(said)",
    "        answer = c.recv(1)",
    "        return [answer.decode(), time.monotonic() - begun]",
    "    return ['', 0.0]", # it was reset
    "def visit(port, used):",
    "    hello = lambda token: struct.pack('<i16si', 829908838, token, 1)",
    "    kinds = {'garbage': b'GET / HTTP/1.1\\r\\n\\r\\n' * 9, 'wrong token': hello(bytes(16)),",
    "             'used token': hello(bytes.fromhex(used)), 'huge length': struct.pack('<16i', *([2**31 - 1] * 16)),",
    "             'nothing': b'', 'half': b'fgw1'}",
    "    return {kind: strange(port, said) for kind, said in kinds.items()}",
    sep = "\n"
  ))
  port <- free_port()
  old <- options(fitgenerator.port = port)
  on.exit(options(old))
  alone <- losses_of(drawn_batch, NULL, length = 40)
  folder <- seen_folder()
  heard <- NULL
  visits <- list(on_train_batch_end = function(batch, logs) {
    if (batch != 3 || !is.null(heard)) return()
    at <- readLines(list.files(folder, full.names = TRUE)[[1L]])
    expect_identical(at[[2L]], as.character(port))
    heard <<- strange$visit(port, at[[3L]])
  })
  train_visited <- function() losses_of(telling_batch(folder), 2, length = 40, callbacks = list(visits))
  expect_nothing_left(expect_identical(train_visited(), alone))
  expect_length(heard, 6L)
  expect_identical(unique(vapply(heard, `[[`, "", 1L)), "")
  waits <- vapply(heard, `[[`, 0, 2L)
  expect_true(all(waits[c("nothing", "half")] > 4 & waits[c("nothing", "half")] < 15))
  expect_true(all(waits[setdiff(names(waits), c("nothing", "half"))] < 4))
})

test_that("The options for the address are checked before anything starts", {
  expect_error(with_options(list(fitgenerator.port = 1e6), losses_of(drawn_batch, 2)), "fitgenerator.port",
               class = "fitgenerator_argument_error")
  expect_error(with_options(list(fitgenerator.host = 3), losses_of(drawn_batch, 2)), "fitgenerator.host",
               class = "fitgenerator_argument_error")
})

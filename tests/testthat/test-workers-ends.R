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
  moments_of("cluster")
})

test_that("So have the user's next future, and the next mirai", {
  testthat::skip_if_not_installed("future")
  moments_of("future")
  testthat::skip_if_not_installed("mirai")
  moments_of("mirai", c("", "-collecting"))
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

test_that("Strangers at the port are refused, and the training goes on", {
  strange <- reticulate::py_run_string(paste(
    "import socket, struct, threading, time",
    "from contextlib import suppress",
    "def strange(port, kind):",
    "    with socket.create_connection(('127.0.0.1', port), timeout=10) as c:",
    "        hello = {'nothing': b'', 'garbage': b'GET / HTTP/1.1\\r\\n\\r\\n' * 9,",
    "                 'wrong': struct.pack('<i16si', 829908838, bytes(16), 1),",
    "                 'length': struct.pack('<16i', *([2**31 - 1] * 16)), 'half': b'fgw1'}[kind]",
    "        with suppress(OSError):",
    "            c.sendall(hello)",
    "            return c.recv(1) if kind not in ('nothing', 'half') else b''",
    "    return b''",
    "def visit(port, answers):",
    "    for kind in ('nothing', 'garbage', 'wrong', 'length', 'half'):",
    "        answers.append(strange(port, kind))",
    sep = "\n"
  ))
  old <- options(fitgenerator.port = free_port())
  on.exit(options(old))
  alone <- losses_of(drawn_batch, NULL, length = 40)
  answers <- reticulate::py_eval("[]", convert = FALSE)
  visits <- list(on_train_batch_end = function(batch, logs) {
    if (batch == 3) strange$visit(getOption("fitgenerator.port"), answers)
  })
  expect_nothing_left(expect_identical(losses_of(drawn_batch, 2, length = 40, callbacks = list(visits)), alone))
  expect_match(reticulate::py_str(answers), "^\\[(b'', ?){9}b''\\]$")
  expect_error(with_options(list(fitgenerator.port = 1e6), losses_of(drawn_batch, 2)), "fitgenerator.port",
               class = "fitgenerator_argument_error")
  expect_error(with_options(list(fitgenerator.host = 3), losses_of(drawn_batch, 2)), "fitgenerator.host",
               class = "fitgenerator_argument_error")
})

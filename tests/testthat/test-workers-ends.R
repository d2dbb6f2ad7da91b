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
  for (setting in c("busy", "starting", "waiting", "cluster")) {
    found <- trials_of(setting, 8)
    expect_identical(found$outcome, rep("interrupt", 8L))
    expect_identical(found$left, rep("nothing", 8L))
    expect_lt(stats::median(found$seconds), 0.5) # idle: 0.2
  }
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

test_that("Where R itself is killed, idle workers end within a second, and busy ones soon", {
  skip_if_not_installed("callr")
  for (busy in c(FALSE, TRUE)) {
    running <- session_with_workers(busy)
    expect_length(running$workers, 2L)
    expect_true(all(alive(running$workers)))
    running$session$signal(9L)
    until <- Sys.time() + 10
    while (any(alive(running$workers)) && Sys.time() < until) Sys.sleep(0.1) # nolint: undesirable_function_linter.
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

# What tests of worker processes look at: the children of this process, its files and its sockets.

skip_without_workers <- function() {
  skip_without_keras()
  testthat::skip_if_not_installed("globals")
  testthat::skip_on_os("windows")
}

# The numbers of this process's children, and of theirs.
descendants <- function(of = Sys.getpid()) {
  found <- suppressWarnings(system2("ps", c("-A", "-o", "pid=,ppid=,comm="), stdout = TRUE))
  table <- utils::read.table(text = found, col.names = c("pid", "parent", "name"), fill = TRUE, quote = "")
  table <- table[table$name != "ps" & table$name != "sh", ]
  all <- integer()
  new <- table$pid[table$parent %in% of]
  while (length(new)) {
    all <- c(all, new)
    new <- setdiff(table$pid[table$parent %in% new], all)
  }
  all
}

open_files <- function() length(list.files("/proc/self/fd"))

# Expects that `code` leaves no thread, process, file or socket.
expect_nothing_left <- function(code) {
  folder <- list.files(tempdir())
  processes <- descendants()
  files <- open_files()
  force(code)
  testthat::expect_identical(our_threads(), character())
  testthat::expect_identical(descendants(), processes)
  testthat::expect_lte(open_files(), files)
  left <- grep("^seen", setdiff(list.files(tempdir()), folder), invert = TRUE, value = TRUE) # those are of the tests
  testthat::expect_identical(left, character())
  invisible(code)
}

# Batch i consists of random numbers and i.
drawn_batch <- function(i, epoch) list(matrix(stats::rnorm(4) + i, 4L), matrix(epoch, 4L, 1L))

losses_of <- function(fn, workers, length = 6, epochs = 2, seed = 1, ...) {
  sequence <- fitgenerator::batch_sequence(fn, length, seed = seed)
  train(linear_model(), sequence, NULL, epochs = epochs, workers = workers, ...)$metrics
}

# Does `what` once, in whichever process comes first; `name` is of this use.
once_only <- function(name, folder = tempdir()) {
  path <- tempfile(name, folder)
  function(what) if (dir.create(path, showWarnings = FALSE)) force(what)
}

# An empty folder that all processes see.
seen_folder <- function() {
  path <- tempfile("seen")
  dir.create(path)
  path
}

# Evaluates `code` while workers do not find the compiled code of this package.
local_unlinked <- function(code) {
  settings <- fitgenerator:::session_settings
  without <- function(packages) utils::modifyList(settings(packages), list(version = "0"))
  on.exit(utils::assignInNamespace("session_settings", settings, "fitgenerator"))
  utils::assignInNamespace("session_settings", without, "fitgenerator")
  force(code)
}

# Evaluates `code` with another function of this package in the place of `name`.
with_mocked <- function(name, value, code) {
  real <- get(name, envir = asNamespace("fitgenerator"))
  on.exit(utils::assignInNamespace(name, real, "fitgenerator"))
  utils::assignInNamespace(name, value, "fitgenerator")
  force(code)
}

free_port <- function() {
  code <- "import socket\nwith socket.create_server(('127.0.0.1', 0)) as s: free = s.getsockname()[1]"
  reticulate::py_run_string(code)$free
}

with_options <- function(values, code) {
  old <- options(values)
  on.exit(options(old))
  force(code)
}

# Whether processes run. (One that is over, but for which nobody has waited, does not.)
alive <- function(pids) {
  state <- function(pid) suppressWarnings(system2("ps", c("-o", "stat=", "-p", pid), stdout = TRUE))
  vapply(pids, function(pid) any(grepl("^[^Z]", state(pid))), NA)
}

pids_of <- function(cl) unlist(parallel::clusterCall(cl, Sys.getpid))

with_cluster <- function(cl, code) {
  on.exit(suppressWarnings(try(parallel::stopCluster(cl), silent = TRUE)))
  pids <- pids_of(cl)
  code(cl, pids)
}

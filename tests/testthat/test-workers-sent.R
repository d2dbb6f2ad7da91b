# Issue 16: what a worker is given, how often, and how it is let in.

skip_without_workers()

# A function of the index that has only the variables given, and those of the session.
with_only <- function(fn, ...) {
  environment(fn) <- list2env(list(...), parent = globalenv())
  fn
}

# Evaluates `code` with global variables.
with_globals <- function(values, code) {
  for (name in names(values)) assign(name, values[[name]], globalenv())
  on.exit(rm(list = names(values), envir = globalenv()))
  force(code)
}

# A batch that notes its process, and how many batches this has made with what it was given.
counting <- function(folder) {
  with_only(function(i) {
    given <- fitgenerator_test_given # nolint: object_usage_linter. A global of with_globals().
    given$made <- c(given$made, i)
    file.create(file.path(folder, sprintf("%d-%d", Sys.getpid(), length(given$made))))
    list(matrix(given$large[[i]], 1L), matrix(0, 1L))
  }, folder = folder)
}

expect_sent_once <- function(kind, processes) {
  kind_of <- worker_kinds[[kind]]
  workers <- kind_of$start()
  on.exit(kind_of$end(workers))
  folder <- seen_folder()
  given <- new.env(parent = emptyenv())
  given$large <- numeric(1e6)
  with_globals(list(fitgenerator_test_given = given), {
    flow <- batch_sequence(counting(folder), 20)
    train(echo_model(), flow, NULL, epochs = 2, workers = workers, validation_data = flow)
  })
  made <- do.call(rbind, strsplit(list.files(folder), "-"))
  by_process <- split(as.integer(made[, 2L]), made[, 1L])
  expect_lte(length(by_process), processes)
  expect_identical(nrow(made), 80L)
  # Whatever was sent again would count from 1 again.
  for (counts in by_process) expect_identical(sort(counts), seq_along(counts))
}

test_that("What functions need is sent once to each process, also where training and validation need it", {
  expect_sent_once("own", 2L)
  expect_sent_once("cluster", 2L)
  large <- function(...) {
    names <- rep("generator", ...length())
    needs <- with_globals(list(fitgenerator_test_large = numeric(1e5)), needs_of(list(...), names))
    length(packed(list(functions = lapply(list(...), function(fn) list(fn = fn)), globals = needs$globals)))
  }
  uses <- with_only(function(i) fitgenerator_test_large[[i]])
  also <- with_only(function(i) rev(fitgenerator_test_large)[[i]])
  expect_lt(large(uses, also), large(uses) + 1e5)
})

test_that("So it is to futures, and to daemons of mirai", {
  skip_if_not_installed("future")
  expect_sent_once("future", 3L)
  skip_if_not_installed("mirai")
  expect_sent_once("mirai", 2L)
})

test_that("Processes of ours have the session's libraries, folder, locale, and one thread for BLAS and OpenMP", {
  extra <- seen_folder()
  libraries <- .libPaths()
  .libPaths(c(extra, libraries))
  on.exit(.libPaths(libraries))
  old <- Sys.getlocale("LC_COLLATE")
  Sys.setlocale("LC_COLLATE", "C")
  on.exit(Sys.setlocale("LC_COLLATE", old), add = TRUE)
  threads <- paste0(c("OMP", "OPENBLAS", "MKL", "BLIS"), "_NUM_THREADS")
  has <- with_only(function() {
    list(.libPaths(), getwd(), RNGkind(), Sys.getlocale("LC_COLLATE"), Sys.getlocale("LC_CTYPE"))
  })
  folder <- seen_folder()
  note <- with_only(function(i) {
    saveRDS(list(has(), Sys.getenv(threads)), file.path(folder, Sys.getpid()))
    list(matrix(i, 1L), matrix(0, 1L))
  }, has = has, folder = folder, threads = threads)
  train(echo_model(), batch_sequence(note, 6), NULL, workers = 2)
  found <- lapply(list.files(folder, full.names = TRUE), readRDS)
  expect_true(length(found) > 0L)
  for (each in found) {
    expect_identical(each[[1L]], has())
    expect_identical(unname(each[[2L]]), rep("1", 4L))
  }
})

test_that("External pointers and weak references are refused by name", {
  pointer <- unclass(getLoadedDLLs()[["stats"]])$handle
  nested <- list(1, list(pointer))
  reference <- rlang::new_weakref(new.env())
  cases <- list(
    pointer = list(function(i) pointer, "uses `pointer`, an external pointer"),
    nested = list(function(i) nested, "uses `nested`, with an external pointer"),
    reference = list(function(i) reference, "uses `reference`, a weak reference")
  )
  for (case in cases) {
    expect_error(losses_of(case[[1L]], 2), case[[2L]], class = "fitgenerator_argument_error")
  }
})

test_that("Not more of the user's workers are asked than batches may wait", {
  folder <- seen_folder()
  note <- with_only(function(i) {
    file.create(file.path(folder, Sys.getpid()))
    list(matrix(0, 1L), matrix(0, 1L))
  }, folder = folder)
  used_by <- function(workers, size) {
    unlink(list.files(folder, full.names = TRUE))
    train(echo_model(), batch_sequence(note, 30), NULL, workers = workers, max_queue_size = size)
    length(list.files(folder))
  }
  cl <- parallel::makeCluster(3)
  on.exit(parallel::stopCluster(cl))
  for (size in 0:1) expect_identical(used_by(cl, size), 1L)
  skip_if_not_installed("future")
  old <- future::plan("cluster", workers = 4)
  on.exit(future::plan(old), add = TRUE)
  expect_identical(used_by("future", 1), 1L)
})

# The addresses at which a port is listened on, as the system writes them.
listened_on <- function(port) {
  tables <- Filter(file.exists, c("/proc/net/tcp", "/proc/net/tcp6"))
  lines <- unlist(lapply(tables, function(file) readLines(file)[-1L]))
  parts <- do.call(rbind, lapply(strsplit(trimws(lines), " +"), `[`, c(2L, 4L)))
  of_port <- grepl(sprintf(":%04X$", port), parts[, 1L]) & parts[, 2L] == "0A"
  sub(":.*", "", parts[of_port, 1L])
}

test_that("Workers dial this machine alone, unless another address is written out", {
  skip_if_not(file.exists("/proc/net/tcp"))
  alone <- losses_of(drawn_batch, NULL)
  for (case in list(list(NULL, "0100007F"), list("0.0.0.0", "00000000"), list("localhost", "0100007F"))) {
    port <- free_port()
    heard <- NULL
    listens <- list(on_train_begin = function(logs) heard <<- listened_on(port))
    with_options(list(fitgenerator.host = case[[1L]], fitgenerator.port = port), {
      expect_identical(losses_of(drawn_batch, 2, callbacks = list(listens)), alone)
    })
    expect_identical(heard, case[[2L]])
  }
})

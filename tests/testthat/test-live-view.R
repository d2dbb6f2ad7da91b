# The live view: when it opens and where, what its page holds, and that nothing of it is left.

skip_without_keras()

page_file <- function() tempfile(fileext = ".html")

# The state that a saved page holds, as text.
state_in <- function(path) {
  text <- paste(readLines(path, warn = FALSE), collapse = "\n")
  sub('.*id="state">(.*?)</script>.*', "\\1", text, perl = TRUE)
}

test_that("the page opens in the viewer, is served during the call, and not after it", {
  seen <- new.env()
  old <- options(viewer = function(url, ...) seen$urls <- c(seen$urls, url))
  on.exit(options(old))
  look <- list(on_epoch_end = function(epoch, logs) {
    seen$page <- paste(readLines(seen$urls[[1]], warn = FALSE), collapse = "\n")
  })
  path <- page_file()
  expect_silent(
    train(linear_model(), numbered(), 2, epochs = 3, callbacks = list(look, live_view(save = path)))
  )
  expect_length(seen$urls, 1)
  expect_match(seen$urls, "^http://127\\.0\\.0\\.1:[0-9]+/[A-Za-z0-9_-]{32}/$")
  expect_match(seen$page, "uPlot")
  expect_error(suppressWarnings(readLines(seen$urls[[1]])))
  expect_match(state_in(path), "\"phase\":\"finished\"")
  expect_match(state_in(path), "\"name\":\"loss\"")
  expect_match(state_in(path), "calling thread")
  expect_no_match(paste(readLines(path), collapse = ""), basename(dirname(path)), fixed = TRUE)
})

test_that("without viewer and browser, a message names the address; a view is a callback by itself", {
  old <- options(viewer = NULL, browser = "")
  on.exit(options(old))
  expect_message(train(linear_model(), numbered(), 2, callbacks = live_view()), "^Live view: http://127")
  expect_message(train(linear_model(), numbered(), 2, callbacks = live_view(open = FALSE)), "^Live view: http")
})

test_that("a viewer that fails leads to the browser", {
  seen <- NULL
  old <- options(viewer = function(...) stop("no viewer"), browser = function(url) seen <<- url)
  on.exit(options(old))
  expect_silent(train(linear_model(), numbered(), 2, callbacks = live_view()))
  expect_match(seen, "^http://127")
})

test_that("T29: `view_metrics` is whether there is a view; with both, there is one", {
  seen <- new.env()
  old <- options(viewer = function(url, ...) seen$urls <- c(seen$urls, url))
  on.exit(options(old))
  count <- function(...) {
    seen$urls <- NULL
    train(linear_model(), numbered(), 2, ...)
    length(seen$urls)
  }
  expect_identical(count(view_metrics = TRUE), 1L)
  expect_identical(count(view_metrics = TRUE, callbacks = list(live_view())), 1L)
  expect_identical(count(view_metrics = FALSE, callbacks = live_view()), 1L)
  expect_identical(count(view_metrics = TRUE, callbacks = list(on_epoch_end = function(epoch) NULL)), 1L)
  expect_identical(count(view_metrics = FALSE, epochs = 2), 0L)
  expect_identical(count(epochs = 2), 0L) # not interactive
  options(keras.view_metrics = TRUE)
  on.exit(options(keras.view_metrics = NULL), add = TRUE)
  expect_identical(count(), 1L)
})

test_that("\"auto\" is an interactive session with a viewer, epochs, output, no knitting, and no other call", {
  old <- options(viewer = function(...) NULL, knitr.in.progress = NULL)
  on.exit(options(old))
  yes <- function(...) TRUE
  views <- function(epochs = 2L, verbose = 1L) {
    with_replaced(list(somebody_is_there = yes), "fitgenerator", fitgenerator:::views_by_itself(epochs, verbose))
  }
  expect_true(views())
  expect_false(fitgenerator:::views_by_itself(2L, 1L))
  expect_false(views(epochs = 1L))
  expect_false(views(verbose = 0L))
  inside <- NULL
  train(linear_model(), numbered(), 2, callbacks = list(on_epoch_end = function(epoch) inside <<- views()))
  expect_false(inside)
  expect_true(views())
  options(knitr.in.progress = TRUE)
  expect_false(views())
  options(knitr.in.progress = NULL, viewer = NULL)
  expect_false(views())
})

test_that("after an error and an interrupt, the page says so and is served no longer", {
  path <- page_file()
  seen <- NULL
  old <- options(viewer = function(url, ...) seen <<- url)
  on.exit(options(old))
  calls <- 0
  failing <- function() {
    calls <<- calls + 1
    if (calls == 4) stop("there is no file /srv/somewhere/7.csv")
    numbered()()
  }
  view <- live_view(save = path)
  expect_error(train(linear_model(), failing, 2, epochs = 3, callbacks = view), "no file")
  expect_match(state_in(path), "\"phase\":\"failed\"")
  expect_match(state_in(path), "there is no file 7.csv")
  expect_error(suppressWarnings(readLines(seen)))
  interrupts <- list(on_epoch_end = function(epoch) {
    stop(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
  })
  ended <- tryCatch(
    train(linear_model(), numbered(), 2, callbacks = list(interrupts, view)),
    interrupt = function(cnd) "interrupted"
  )
  expect_identical(ended, "interrupted")
  expect_match(state_in(path), "\"phase\":\"stopped\"")
  expect_error(suppressWarnings(readLines(seen)))
  expect_length(grep("fitgenerator", thread_names()), 0)
})

test_that("a view changes neither weights, nor random numbers of callbacks", {
  draws <- function(...) {
    drawn <- NULL
    set.seed(3)
    model <- linear_model()
    hook <- list(on_epoch_end = function(epoch) drawn <<- c(drawn, runif(1)))
    train(model, random_batches(), 3, epochs = 2, callbacks = list(..., hook))
    list(drawn, weights_of(model), runif(1))
  }
  old <- options(viewer = function(...) NULL)
  on.exit(options(old))
  expect_identical(draws(live_view()), draws())
})

test_that("a page that cannot be saved is a warning", {
  file <- tempfile()
  writeLines("", file)
  old <- options(viewer = function(...) NULL)
  on.exit(options(old))
  view <- live_view(save = file.path(file, "run.html"))
  expect_warning(
    train(linear_model(), numbered(), 2, callbacks = view), "could not be saved",
    class = "fitgenerator_live_view_warning"
  )
})

test_that("a browser that is closed does not end R", {
  done <- run_r(quote({
    options(viewer = function(url) address <<- url)
    closes <- function(epoch, logs) {
      port <- as.integer(sub(".*:([0-9]+)/.*", "\\1", address))
      path <- sub("^http://[^/]*", "", address)
      for (i in 1:4) {
        connection <- socketConnection("127.0.0.1", port, blocking = TRUE, open = "r+b", timeout = 10)
        writeLines(c(paste0("GET ", path, "events HTTP/1.0"), "Host: localhost", ""), connection, sep = "\r\n")
        readLines(connection, 2)
        close(connection)
      }
      Sys.sleep(2) # nolint: undesirable_function_linter. The view writes to the closed ones meanwhile.
    }
    history <- train(
      linear_model(), numbered(), 2, epochs = 2, callbacks = list(list(on_epoch_end = closes), live_view())
    )
    cat("trained", length(history$epoch))
  }))
  expect_process(done, "trained 2")
})

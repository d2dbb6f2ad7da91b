# What the user sees: in R's own output, as much as `verbose` asks for.

skip_without_keras()

plain_lines <- function(lines) gsub("[0-9.]+(us|ms|s)\\b", "TIME", lines)

test_that("S4: verbose = 2 gives a line an epoch, as does verbose = 1 where output is no terminal", {
  for (verbose in 1:2) {
    lines <- capture.output(train(echo_model(), numbered(), 3, epochs = 2, verbose = verbose))
    expect_identical(plain_lines(lines), c("Epoch 1/2 - 3/3 - TIME TIME/step - loss: 2.0000",
                                           "Epoch 2/2 - 3/3 - TIME TIME/step - loss: 5.0000"))
  }
  lines <- capture.output(train(echo_model(), numbered(), 1, epochs = 5, initial_epoch = 3, verbose = 2,
                                validation_data = numbered(), validation_steps = 1))
  expect_match(lines[[1]], "^Epoch 4/5 .* loss: 1.0000 - val_loss: 1.0000$")
  expect_length(lines, 2)
})

test_that("T29: without `verbose`, the option keras.fit_verbose decides, as in keras", {
  x <- matrix(1, 4, 1)
  said <- function(value, call) {
    withr::local_options(keras.fit_verbose = value)
    length(capture.output(call()))
  }
  for (call in list(function() fit_generator(echo_model(), numbered(), 2), function() fit(echo_model(), x, x))) {
    expect_identical(said(0, call), 0L)
    expect_identical(said(2, call), 1L)
    expect_identical(said(NULL, call), 1L)
  }
  expect_error(said("much", call), "`verbose` must be", class = "fitgenerator_argument_error")
})

test_that("S4: evaluate says one line, predict as well", {
  expect_length(capture.output(invisible(evaluate_generator(echo_model(), numbered(), 2, verbose = 2))), 1)
  expect_length(capture.output(invisible(predict_generator(echo_model(), numbered(), 2, verbose = 2))), 1)
})

test_that("Output comes on the calling thread, between the hooks around it", {
  said <- capture.output(train(echo_model(), numbered(), 2, epochs = 2, verbose = 2, callbacks = list(
    on_epoch_begin = function(epoch, logs) cat("begin\n"), on_epoch_end = function(epoch, logs) cat("end\n")
  )))
  expect_identical(sub("Epoch.*", "line", said), rep(c("begin", "line", "end"), 2))
})

test_that("S6: verbose = 0 says nothing: no output, message or warning, and nothing on stderr", {
  batch <- random_batches()
  expect_silent(train(linear_model(), batch, 2, validation_data = batch, validation_steps = 1))
  done <- run_r(quote({
    model <- linear_model()
    train(model, random_batches(), 1)
    message("from here on")
    train(model, random_batches(), 20, epochs = 3, validation_data = random_batches(), validation_steps = 2,
          callbacks = list(on_train_batch_end = function(batch, logs) NULL))
    invisible(evaluate_generator(model, random_batches(), 2))
    works <- function(batch, logs) { sum(sqrt(1:1e6)); NULL }
    slow <- keras()$callbacks$LambdaCallback(on_train_batch_end = works)
    train(model, random_batches(), 3, callbacks = list(slow))
    invisible(predict_generator(model, random_batches(), 2))
  }))
  expect_process(done)
  expect_identical(done$stdout, "")
  expect_match(done$stderr, "from here on\n$")
})

test_that("S4: a knitted page holds a line an epoch", {
  skip_if_not_installed("knitr")
  page <- c("```{r}", "history <- train(echo_model(), numbered(), 2, epochs = 2)",
            "history <- train(echo_model(), numbered(), 2, epochs = 3, verbose = 1)", "```")
  knitted <- knitr::knit(text = page, quiet = TRUE, envir = new.env(parent = environment()))
  knitted <- strsplit(knitted, "\n")[[1]]
  expect_match(grep("^## Epoch", knitted, value = TRUE), "^## Epoch [123]/3 - 2/2 - ")
  expect_length(grep("^## Epoch", knitted), 3)
})

test_that("S5: a terminal shows a bar, with cli and without, seldom and without wrapping", {
  skip_if_not_installed("cli")
  done <- run_in_terminal(quote({
    model <- echo_model()
    train(model, numbered(), 2)
    slow <- function() {
      Sys.sleep(0.05) # nolint: undesirable_function_linter. A generator that takes its time.
      list(matrix(1, 2, 1), matrix(0, 2, 1))
    }
    for (way in c("with cli", "without cli")) {
      if (way == "without cli") utils::assignInNamespace("has_cli", function() FALSE, "fitgenerator")
      cat("--", way, "\n")
      train(model, numbered(), 3000, verbose = 1)
      train(model, slow, 20, verbose = 1, validation_data = slow, validation_steps = 10)
      Sys.sleep(1) # nolint: undesirable_function_linter. So that a second of writes is one of one training.
      try(train(model, function() stop("mine"), 5, verbose = 1), silent = TRUE)
      train(model, numbered(), 1, epochs = 2, verbose = 2)
    }
    cat("--\n")
  }))
  expect_identical(done$status, 0L, info = done$raw)
  parts <- strsplit(done$raw, "-- ?(with cli|without cli)? *\n")[[1]]
  expect_match(parts[[2]], "\033[", fixed = TRUE) # cli's way to clear a line
  expect_no_match(parts[[3]], "\033[", fixed = TRUE)
  for (part in parts[2:3]) {
    expect_lt(nchar(part, "bytes"), 50000)
    expect_match(part, "Epoch 1/1 - [0-9]+/20 - [0-9]+ms/step - ETA 1s - loss: 1.0000")
    expect_match(part, "Epoch 1/1 - 0/20 \u2500+")
    expect_match(part, "Epoch 1/1 - validation - [0-9]+/10")
    bars <- gsub("\033\\[[0-9;?]*[a-zA-Z]", "", grep("ETA", strsplit(part, "[\r\n]")[[1]], value = TRUE))
    expect_gt(length(bars), 3)
    expect_lt(max(nchar(trimws(bars, "right"))), 60)
    lines <- grep("Epoch", seen_lines(part), value = TRUE)
    steps <- sub("^Epoch ./. - ([0-9]+/[0-9]+) .*", "\\1", lines)
    expect_identical(steps[steps != "0/5"], c("3000/3000", "20/20", "1/1", "1/1"))
  }
  a_second <- vapply(done$writes, function(at) sum(done$writes >= at & done$writes < at + 1), 0)
  expect_lte(max(a_second), 20)
})

test_that("A bar is shown where a line can be overwritten, and nowhere else", {
  old <- options(knitr.in.progress = TRUE)
  on.exit(options(old))
  expect_false(overwrites())
  options(knitr.in.progress = NULL, jupyter.in_kernel = TRUE)
  expect_false(overwrites())
  options(old)
  capture.output(captured <- overwrites())
  expect_false(captured)
  consoles <- c(RSTUDIO = "", POSITRON = "")
  before <- Sys.getenv(names(consoles))
  on.exit(do.call(Sys.setenv, as.list(before)), add = TRUE)
  do.call(Sys.setenv, as.list(consoles))
  expect_false(in_console())
  for (name in names(consoles)) {
    do.call(Sys.setenv, stats::setNames(list("1"), name))
    expect_true(in_console())
    do.call(Sys.setenv, as.list(consoles))
  }
})

test_that("A bar without cli is overwritten without a rest, and its line is left in the end", {
  screen <- new_screen()
  shown <- capture.output({
    show_bar(screen, "a long bar", 1, 10)
    show_bar(screen, "short", 2, 10)
    show_lines(screen, "line\n")
    show_bar(screen, "short", 2, NULL)
    close_screen(screen)
    close_screen(screen)
  })
  expect_identical(seen_lines(paste(shown, collapse = "\n")), c("line", "short"))
})

test_that("S2: a history prints and plots after an early stop, a plateau, and with an R metric", {
  metric <- function(y_true, y_pred) keras()$ops$mean(y_pred)
  model <- echo_model(metrics = list(metric))
  callbacks <- keras()$callbacks
  history <- train(model, numbered(), 2, epochs = 50, validation_data = numbered(), validation_steps = 1,
                   callbacks = list(callbacks$EarlyStopping("val_loss", patience = 2L),
                                    callbacks$ReduceLROnPlateau("val_loss", patience = 1L)))
  expect_length(history$epoch, 3)
  frame <- as.data.frame(history)
  expect_setequal(frame$metric, c("loss", "python_function", "learning_rate"))
  expect_identical(range(frame$epoch), c(1L, 3L))
  expect_output(print(history), "Trained epochs 1 to 3 of 50 with 2 steps each")
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  on.exit(unlink(file))
  expect_silent(plot(history, method = "base"))
  grDevices::dev.off()
})

test_that("The pipeline says where the time went", {
  slow <- function() {
    Sys.sleep(0.02) # nolint: undesirable_function_linter. A generator that takes its time.
    numbered()()
  }
  model <- echo_model()
  train(model, numbered(), 1) # traced before, the model has nothing to do but wait
  pipeline <- train(model, slow, 10)$pipeline
  expect_s3_class(pipeline, "fitgenerator_pipeline")
  expect_gt(pipeline$generator, 0.19)
  expect_gt(pipeline$model_waited, 0)
  expect_equal(c(pipeline$batches, pipeline$steps), c(10, 10))
  expect_match(pipeline$verdict, "waited [0-9]+ % of the time for")
  expect_output(print(pipeline), "Where the time went \\(10 steps, 10 batches drawn\\)")
  pipeline <- train(echo_model(), numbered(), 10, max_queue_size = 0)$pipeline
  expect_output(print(pipeline), "No queue: each batch was drawn when its step needed it")
})

test_that("T18: what Python writes to makes no difference, whether it is there or closed", {
  sys <- reticulate::import("sys", convert = FALSE)
  stdout <- sys$stdout
  withr::defer(reticulate::py_set_attr(sys, "stdout", stdout))
  closed <- reticulate::import("io", convert = FALSE)$StringIO()
  closed$close()
  for (output in list(reticulate::r_to_py(NULL), closed)) {
    reticulate::py_set_attr(sys, "stdout", output)
    for (verbose in 1:2) {
      said <- capture.output({
        history <- train(echo_model(), numbered(), 2, epochs = 2, verbose = verbose)
        evaluate_generator(echo_model(), numbered(), 2, verbose = verbose)
        predict_generator(echo_model(), numbered(), 2, verbose = verbose)
      })
      expect_identical(history$epoch, 0:1)
      expect_gt(length(said), 2)
    }
  }
})

# U4: the apps of vignette("servers"), as they are printed there.

skip_without_keras()

app_of <- function(label) {
  lines <- readLines(test_path("..", "..", "vignettes", "servers.Rmd"), encoding = "UTF-8")
  begin <- grep(sprintf("^```\\{r %s,", label), lines)
  end <- min(which(lines == "```" & seq_along(lines) > begin))
  parsed <- parse(text = lines[seq.int(begin + 1L, end - 1L)], keep.source = FALSE)
  made <- new.env()
  for (code in parsed[-length(parsed)]) eval(code, made) # all but shinyApp()
  made
}

test_that("U4: an app that trains one epoch per flush answers in between, and can be stopped", {
  skip_if_not_installed("shiny")
  app <- app_of("epochs-app")
  shiny::testServer(app$server, {
    session$setInputs(start = 1)
    done <- length(losses())
    expect_gt(done, 0)
    session$elapse(1)
    expect_gt(length(losses()), done)
    expect_match(output$state, sprintf("%d of 20 epochs", length(losses())))
    session$setInputs(stop = 1)
    stopped <- length(losses())
    session$elapse(5)
    expect_identical(length(losses()), stopped)
    session$setInputs(start = 2)
    for (i in seq_len(40)) session$elapse(1)
    expect_length(losses(), 20)
    expect_lt(losses()[[20]], losses()[[1]])
    expect_false(running())
  })
})

test_that("U4: an app with a process of its own shows its epochs, stops it, and has the model in a file", {
  skip_if_not_installed("shiny")
  skip_if_not_installed("callr")
  app <- app_of("process-app")
  shiny::testServer(app$server, {
    wait_until <- function(done) {
      end <- Sys.time() + 60
      while (!done() && Sys.time() < end) {
        Sys.sleep(0.2) # nolint: undesirable_function_linter. Another process works, and Shiny's clock is elapse().
        session$elapse(500)
      }
    }
    session$setInputs(start = 1)
    wait_until(function() length(losses()) > 2)
    expect_gt(length(losses()), 2)
    session$setInputs(stop = 1)
    wait_until(function() state() != "running")
    expect_match(output$state, "saved to")
    expect_lt(length(losses()), 200)
    model <- keras()$saving$load_model(file)
    expect_identical(dim(predict(model, matrix(1, 2, 4))), c(2L, 1L))
  })
})

# With keras3 or keras attached, their functions and methods are found, and nothing is printed.

skip_if_not_installed("callr")

# A package that resembles keras3: methods for the class of a model, and functions with the same names.
install_fake_keras3 <- function(lib) {
  source <- file.path(lib, "source", "keras3")
  dir.create(file.path(source, "R"), recursive = TRUE)
  generics <- c("compile", "evaluate", "fit", "predict", "summary")
  class <- "keras.src.models.model.Model"
  writeLines(c("Package: keras3", "Version: 99.0", "Title: Not Keras", "Description: A fake.", "License: MIT",
               "Imports: generics, stats"), file.path(source, "DESCRIPTION"))
  writeLines(c(
    "importFrom(generics, compile, fit)", "importFrom(stats, predict)",
    "export(compile, evaluate, fit, get_config, keras_model_sequential, train_on_batch)",
    sprintf("S3method(%s, %s)", generics, class)
  ), file.path(source, "NAMESPACE"))
  writeLines(c(
    "evaluate <- function(object, ...) UseMethod(\"evaluate\")",
    sprintf("%s.%s <- function(object, ...) \"theirs\"", generics, class),
    "get_config <- keras_model_sequential <- train_on_batch <- function(...) \"theirs\""
  ), file.path(source, "R", "keras3.R"))
  callr::rcmd("INSTALL", c("--no-docs", "--no-byte-compile", paste0("--library=", lib), source), fail_on_status = TRUE)
}

# The output of a process that attaches `packages` in this order, and runs `code`.
attach_both <- function(lib, packages, code = calls_of_all) {
  script <- tempfile(fileext = ".R")
  on.exit(unlink(script))
  attached <- c(sprintf(".libPaths(c(\"%s\", .libPaths()))", lib), sprintf("library(%s)", packages))
  writeLines(c(attached, code), script)
  run_script(script, 60)
}

calls_of_all <- c(
  "model <- structure(list(), class = c(\"keras.src.models.sequential.Sequential\",",
  "  \"keras.src.models.model.Model\", \"keras.src.trainers.trainer.Trainer\", \"python.builtin.object\"))",
  "all <- list(compile(model), fit(model), evaluate(model), predict(model), summary(model), get_config(model),",
  "  keras_model_sequential(), train_on_batch(model))",
  "cat(unlist(all), class(try(pop_layer(1), TRUE)), environmentName(environment(fit_generator)), sep = \"\\n\")",
  "only_ours <- structure(list(), class = \"keras.src.trainers.trainer.Trainer\")",
  "cat(tryCatch(fit(only_ours, 1), error = function(cnd) class(cnd)[[1L]]))"
)

test_that("T33: once keras3 is detached, the functions of this package are there again", {
  lib <- withr::local_tempdir()
  install_fake_keras3(lib)
  for (packages in list(c("keras3", "fitgenerator"), c("fitgenerator", "keras3"))) {
    done <- attach_both(lib, packages, c(
      "detach(\"package:keras3\")",
      "names <- fitgenerator:::shared_names",
      "own <- vapply(names, function(name) identical(get(name), getExportedValue(\"fitgenerator\", name)), NA)",
      "cat(names[!own], class(try(evaluate(1), TRUE)))",
      "library(keras3)",
      "cat(\"\", keras_model_sequential())"
    ))
    expect_identical(trimws(done$stdout), "try-error theirs", info = done$stderr)
  }
})

test_that("Methods and functions of keras3 win, whether it is attached before or after; nothing is said", {
  lib <- withr::local_tempdir()
  install_fake_keras3(lib)
  for (packages in list(c("keras3", "fitgenerator"), c("fitgenerator", "keras3"))) {
    done <- attach_both(lib, packages)
    expected <- c(rep("theirs", 8L), "try-error", "fitgenerator", "fitgenerator_argument_error")
    expect_identical(strsplit(done$stdout, "\n")[[1L]], expected, info = done$stderr)
    expect_no_match(done$stderr, "overwritten")
    if (packages[[1L]] == "keras3") expect_no_match(done$stderr, "masked")
  }
})

test_that("What is left to keras3 and keras is exported, and shared names are all", {
  expect_identical(setdiff(shared_names, getNamespaceExports("fitgenerator")), character())
})

# What is installed and what is missing; which Python packages are declared when the package is loaded.

test_that("fitgenerator_sitrep() prints versions and devices, and says that all is there", {
  skip_without_keras()
  said <- capture.output(works <- fitgenerator_sitrep())
  expect_true(works)
  for (pattern in c("^fitgenerator 0", "Python +3", "TensorFlow +2", "Keras +3", "Devices +CPU:0", "reticulate +1",
                    format(getRversion()))) {
    expect_match(said, pattern, all = FALSE)
  }
})

test_that("Python's packages are declared at load, but not where a Python was chosen or runs", {
  declared <- function(...) {
    asked <- NULL
    fitgenerator:::declare_python(..., declare = function(packages) asked <<- packages)
    asked
  }
  expect_null(declared("/usr/bin/python3"))
  running <- reticulate::py_available()
  if (running) expect_null(declared("")) else expect_match(declared(""), "tensorflow|keras")
})

test_that("In a session without a chosen Python the declaration is made, and no Python is started", {
  skip_if_not_installed("callr")
  code <- function() {
    Sys.unsetenv("RETICULATE_PYTHON")
    loadNamespace("fitgenerator")
    list(reticulate::py_require()$packages, reticulate::py_available())
  }
  env <- c(callr::rcmd_safe_env(), RETICULATE_PYTHON = "")
  got <- callr::r(code, env = env)
  expect_true(all(c("tensorflow>=2.16", "keras>=3.7") %in% got[[1L]]))
  expect_false(got[[2L]])
})

test_that("What is fetched is the backend that is chosen when Python starts, as by keras3's use_backend()", {
  skip_if_not_installed("callr")
  code <- function(at_load, at_start) {
    Sys.unsetenv("RETICULATE_PYTHON")
    Sys.setenv(KERAS_BACKEND = at_load)
    called <- FALSE
    options(reticulate.python.beforeInitialized = function() called <<- TRUE)
    loadNamespace("fitgenerator")
    packages <- function() setdiff(reticulate::py_require()$packages, "numpy")
    declared <- packages()
    Sys.setenv(KERAS_BACKEND = at_start)
    getOption("reticulate.python.beforeInitialized")() # which reticulate calls before it starts Python
    list(declared, packages(), called)
  }
  env <- c(callr::rcmd_safe_env(), RETICULATE_PYTHON = "")
  got <- callr::r(code, list("", "jax"), env = env)
  expect_setequal(got[[1L]], c("tensorflow>=2.16", "keras>=3.7"))
  expect_setequal(got[[2L]], c("jax>=0.4.30", "keras>=3.7"))
  expect_true(got[[3L]])
  expect_setequal(callr::r(code, list("jax", "jax"), env = env)[[2L]], c("jax>=0.4.30", "keras>=3.7"))
  expect_setequal(callr::r(code, list("jax", "torch"), env = env)[[2L]], c("torch>=2.4", "keras>=3.7"))
})

test_that("O10: a TensorFlow that does not load is reported as such, with what mends it", {
  folder <- withr::local_tempdir()
  dir.create(file.path(folder, "tensorflow"))
  text <- "Traceback (most recent call last):\\nImportError: DLL load failed: not found\\n\\nSee the page."
  writeLines(sprintf('raise ImportError("%s")', text), file.path(folder, "tensorflow", "__init__.py"))
  done <- run_script(local({
    script <- file.path(folder, "script.R")
    writeLines(c(
      sprintf("Sys.setenv(PYTHONPATH = \"%s\")", folder),
      "library(fitgenerator)",
      "stopifnot(!fitgenerator_sitrep())",
      "error <- tryCatch(keras_model_sequential(), fitgenerator_setup_error = identity)",
      "cat(conditionMessage(error))"
    ), script)
    script
  }))
  expect_process(done, c(
    "! TensorFlow +does not load: ImportError: DLL load failed: not found[.]", "Visual C[+][+] runtime",
    "has the Python module tensorflow, but it does not load: .*Visual C[+][+] runtime"
  ))
})

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

#' Show what is installed and what is missing
#'
#' Prints the versions of R, Python, TensorFlow, Keras and the optional packages, the devices, and the command that
#' installs what is missing. `python -m fitgenerator doctor` does the same from a shell.
#'
#' @return Whether everything that is required is installed (`TRUE` or `FALSE`), invisibly.
#' @examplesIf interactive()
#' fitgenerator_sitrep()
#' @export
fitgenerator_sitrep <- function() {
  r <- list(version = format(getRversion()), home = R.home(),
            reticulate = format(utils::packageVersion("reticulate")))
  if (!reticulate::py_available(initialize = TRUE)) {
    cat(sprintf("R %s, reticulate %s, no Python.\n", r$version, r$reticulate))
    cat("Choose one that has Keras and its backend: set RETICULATE_PYTHON to it, or call `reticulate::use_python()`",
        "first.\n")
    return(invisible(FALSE))
  }
  said <- cross(doctor()$report, r)
  cat(said[[1L]], sep = "\n")
  invisible(said[[2L]])
}

#' @keywords internal
#' @useDynLib fitgenerator, .registration = TRUE, .fixes = "C_"
"_PACKAGE"

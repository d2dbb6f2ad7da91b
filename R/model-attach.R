# Functions that keras3 and keras also have. Where one of these packages is attached, its functions take precedence.

shared_names <- c(
  "compile", "evaluate", "fit", "get_config", "get_layer", "keras_model", "keras_model_sequential", "pop_layer",
  "predict_on_batch", "predict_proba", "test_on_batch", "train_on_batch"
)

# If this package is attached after keras3 or keras, it would mask the functions that their users call.
.onAttach <- function(libname, pkgname) { # nolint: object_name_linter.
  theirs <- intersect(c("package:keras3", "package:keras"), search())
  names <- unlist(lapply(theirs, function(package) ls(as.environment(package))))
  attached <- as.environment(paste0("package:", pkgname))
  rm(list = intersect(intersect(shared_names, names), ls(attached)), envir = attached)
}

# What is left to keras3 and keras where they are attached: functions of the same names as theirs.

shared_names <- c(
  "compile", "evaluate", "fit", "get_config", "get_layer", "keras_model", "keras_model_sequential", "pop_layer",
  "predict_on_batch", "predict_proba", "test_on_batch", "train_on_batch"
)

# Attached behind one of these, we would mask what its users call.
.onAttach <- function(libname, pkgname) { # nolint: object_name_linter.
  theirs <- intersect(c("package:keras3", "package:keras"), search())
  names <- unlist(lapply(theirs, function(package) ls(as.environment(package))))
  attached <- as.environment(paste0("package:", pkgname))
  rm(list = intersect(intersect(shared_names, names), ls(attached)), envir = attached)
}

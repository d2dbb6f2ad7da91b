# Functions that keras3 and keras also have. Where one of these packages is attached, its functions take precedence.

shared_names <- c(
  "compile", "evaluate", "fit", "get_config", "get_layer", "keras_model", "keras_model_sequential", "pop_layer",
  "predict_on_batch", "predict_proba", "test_on_batch", "train_on_batch"
)

# If this package is attached after keras3 or keras, it would mask the functions that their users call. Those names then
# mean what keras3 or keras has, as long as one of them is attached, and afterwards the functions of this package.
.onAttach <- function(libname, pkgname) { # nolint: object_name_linter.
  attached <- as.environment(paste0("package:", pkgname))
  for (name in intersect(shared_names, ls(attached))) {
    if (!is.null(theirs(name))) share(name, attached)
  }
}

# The function of keras3 or keras of that name, or `NULL` if neither is attached or has one.
theirs <- function(name) {
  for (package in intersect(search(), c("package:keras3", "package:keras"))) {
    found <- get0(name, as.environment(package), mode = "function", inherits = FALSE)
    if (!is.null(found)) return(found)
  }
}

# An active binding, because an attached package is locked: nothing can be put back when the other one is detached.
share <- function(name, attached) {
  own <- get(name, attached)
  rm(list = name, envir = attached)
  makeActiveBinding(name, function() {
    found <- theirs(name)
    if (is.null(found)) own else found
  }, attached)
}

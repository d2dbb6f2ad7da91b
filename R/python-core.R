# The Python core, imported once per session, from the copy that is installed with the package.

# The state of the package: the modules and functions of the core, `answering` (see `check_free()`), `running` (whether
# a call runs), and `images`.
the <- new.env(parent = emptyenv())

# The module `name` of the core. If something that the core needs is missing, an error says how to install it.
core <- function(name = "r.reticulate.session") {
  if (is.null(the$modules)) {
    check_python()
    the$modules <- list()
    cross(core("r.reticulate.first_call")$call_beside, function() NULL)
    register_receivers(core_function("receive", "r.reticulate.thread_calls"))
  }
  if (is.null(the$modules[[name]])) {
    path <- system.file("python", package = "fitgenerator", mustWork = TRUE)
    module <- paste0("fitgenerator.", name)
    the$modules[[name]] <- reticulate::import_from_path(module, path, convert = TRUE)
  }
  the$modules[[name]]
}

# The function `name` of a module of the core. It is looked up once, because a lookup is a crossing of its own.
core_function <- function(name, module = "r.reticulate.session") {
  key <- paste("function", module, name)
  if (is.null(the[[key]])) {
    assign(key, reticulate::py_get_attr(core(module), name), envir = the)
  }
  the[[key]]
}

# What worker processes are told: the size of the numbers that stand for doubles, and whose compiled code fits.
float_bytes <- function() cross(core_function("float_bytes", "r.worker_source"))

own_version <- function() as.character(utils::packageVersion("fitgenerator"))

check_python <- function() {
  if (!reticulate::py_available(initialize = TRUE)) {
    abort_setup("fitgenerator needs Python (>= 3.10), and reticulate found none; see `?reticulate::py_config`.")
  }
  version <- as.character(reticulate::py_config()$version)
  if (numeric_version(sub("[^0-9.].*", "", version)) < "3.10") { # as text, "3.8" is more than "3.10"
    abort_setup(sprintf("fitgenerator needs Python (>= 3.10), not %s; see `?reticulate::use_python`.", version))
  }
  for (module in c(intersect(keras_backend(), names(backend_packages)), "keras")) {
    if (!reticulate::py_module_available(module)) abort_setup(missing_module(module))
  }
}

missing_module <- function(module) {
  fault <- cross(doctor()$load_fault, module)
  if (nzchar(fault)) {
    return(sprintf("%s has the Python module %s, but it does not load: %s", reticulate::py_exe(), module, fault))
  }
  sprintf(
    "fitgenerator needs the Python module %s, which %s does not have; install it with `%s`.",
    module, reticulate::py_exe(), install_command(module)
  )
}

install_command <- function(packages) {
  do.call(cross, c(list(doctor()$pip), as.list(unname(packages)), python = reticulate::py_exe()))
}

# What works where Keras or TensorFlow do not.
doctor <- function() {
  path <- system.file("python", package = "fitgenerator", mustWork = TRUE)
  reticulate::import_from_path("fitgenerator.doctor", path)
}

# reticulate before 1.41 aborts R when R is called from a background thread, and holds Python's lock while R code runs,
# so that nothing could train in the meantime.
.onLoad <- function(libname, pkgname) { # nolint: object_name_linter.
  version <- utils::packageVersion("reticulate")
  if (version < "1.41") {
    abort_setup(sprintf(
      "fitgenerator needs reticulate (>= 1.41), not %s; install it with install.packages(\"reticulate\").",
      version
    ))
  }
  quieten_tensorflow()
  declare_python()
}

# Hides what TensorFlow says of the processor when it is loaded, unless the user has chosen what is to be said. Its
# warnings and errors remain.
quieten_tensorflow <- function() {
  if (!nzchar(Sys.getenv("TF_CPP_MIN_LOG_LEVEL"))) Sys.setenv(TF_CPP_MIN_LOG_LEVEL = "1")
}

# What each of Keras's backends is installed as.
backend_packages <- c(tensorflow = "tensorflow>=2.16", jax = "jax>=0.4.30", torch = "torch>=2.4")

# Declares the packages that Python needs, for a reticulate that installs Python itself. If an installation was chosen,
# or Python runs already, nothing is declared. The backend may be another one when Python starts.
declare_python <- function(chosen = Sys.getenv("RETICULATE_PYTHON"), declare = reticulate::py_require) {
  if (!chosen %in% c("", "managed") || reticulate::py_available()) return(invisible())
  the$declared <- backend_package()
  declare(c(the$declared, "keras>=3.7"))
  others <- getOption("reticulate.python.beforeInitialized")
  options(reticulate.python.beforeInitialized = function() {
    declare_backend(declare)
    if (is.function(others)) others()
  })
}

# Declares the backend that was chosen since the package was loaded, as by keras3's `use_backend()`, in place of the one
# that was declared then: nobody is to wait for a TensorFlow that is not used.
declare_backend <- function(declare = reticulate::py_require) {
  chosen <- backend_package()
  if (identical(chosen, the$declared)) return(invisible())
  declare(the$declared, action = "remove")
  declare(chosen)
  the$declared <- chosen
}

backend_package <- function() unname(backend_packages[intersect(keras_backend(), names(backend_packages))])

# The backend that Keras will run on, as far as the session says.
keras_backend <- function() {
  named <- Sys.getenv("KERAS_BACKEND")
  if (nzchar(named)) named else "tensorflow"
}

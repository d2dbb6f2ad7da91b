# Methods and classes, which no function names: dispatch finds them by what it is called with. What the session has of
# its own is sent to workers.

# The session's own S3 methods and generics of S4 as `globals`, with what methods use; its classes and methods of S4 as
# `s4`; and the `packages` of all of these.
session_dispatch <- function() {
  s3 <- s3_methods()
  s4 <- s4_here()
  fns <- c(s3, methods_of(s4), unlist(lapply(unname(s4$classes), class_functions)))
  found <- lapply(unname(fns), function(fn) {
    if (isS4(fn)) fn <- fn@.Data
    globals::globalsOf(fn, envir = environment(fn), substitute = FALSE, mustExist = FALSE)
  })
  globals <- each_once(c(list(s3, own_generics(s4)), lapply(found, session_globals)))
  packages <- c(unlist(lapply(found, globals::packagesOf)), s4_packages(s4))
  list(
    globals = Filter(function(x) is.null(unsendable(x)), globals), s4 = s4, packages = without_own(packages)
  )
}

# What functions need, and what the session's dispatch does.
with_dispatch <- function(needs) {
  session <- session_dispatch()
  list(
    globals = each_once(list(needs$globals, session$globals)), s4 = session$s4, packages = needs$packages,
    others = c(needs$others, session$packages)
  )
}

# The S3 methods of the global environment and of data that is attached, and those that were registered from there.
s3_methods <- function() {
  places <- c(list(globalenv()), Filter(is_attached_data, lapply(search(), as.environment)))
  there <- lapply(places, function(env) {
    names <- grep("[^.][.]", ls(env, all.names = TRUE), value = TRUE)
    named <- Filter(is.function, mget(Filter(function(name) !bindingIsActive(name, env), names), env))
    named[vapply(names(named), utils::isS3method, NA, envir = globalenv())]
  })
  registered <- lapply(loadedNamespaces(), function(name) {
    Filter(is_of_session, as.list(asNamespace(name)[[".__S3MethodsTable__."]]))
  })
  each_once(c(there, registered))
}

is_of_session <- function(fn) !is.primitive(fn) && identical(topenv(environment(fn)), globalenv())

# The generics of S4 that the session has made.
own_generics <- function(s4) {
  there <- mget(generics_of(s4), globalenv(), ifnotfound = list(NULL))
  Filter(function(x) methods::is(x, "genericFunction"), there)
}

# The functions in a class of S4.
class_functions <- function(class) {
  by_reference <- if (methods::is(class, "refClassRepresentation")) as.list(class@refMethods)
  Filter(is_own_function, c(class@validity, by_reference))
}

# The packages with generics and classes that those of the session stand on.
s4_packages <- function(s4) {
  of_method <- function(method) c(attr(method@generic, "package"), method@defined@package)
  of_class <- function(class) {
    above <- lapply(names(class@contains), package_of_class)
    c(unlist(above), unlist(lapply(class@slots, attr, "package")))
  }
  c(unlist(lapply(methods_of(s4), of_method)), unlist(lapply(s4$classes, of_class)))
}

package_of_class <- function(name) attr(methods::getClassDef(name), "package")

# The packages that define methods for the classes of values, or these classes.
packages_with_methods <- function(values) {
  classes <- unique(unlist(lapply(values, classes_in)))
  s4 <- unlist(lapply(classes, package_of_class))
  classes <- setdiff(classes, .S3_methods_table[, 2L]) # R's own
  has_some <- function(name) any(getNamespaceInfo(name, "S3methods")[, 2L] %in% classes)
  without_own(c(s4, Filter(has_some, setdiff(loadedNamespaces(), "base"))))
}

# The classes of a value and of the parts of a list.
classes_in <- function(x, depth = 3L) {
  c(if (is.object(x)) class(x), if (is.list(x) && depth > 0L) unlist(lapply(unclass(x), classes_in, depth - 1L)))
}

# Packages but for those that each process has.
without_own <- function(packages) {
  setdiff(packages, c("base", "methods", "datasets", "utils", "grDevices", "graphics", "stats", ".GlobalEnv"))
}

# What a worker attaches, in the session's order, and loads. What is `needed` must be there.
packages_for <- function(needed, others) {
  attached <- rev(sub("^package:", "", grep("^package:", search(), value = TRUE)))
  all <- unique(c(needed, others))
  list(needed = needed, attach = intersect(attached, all), load = setdiff(all, attached))
}

# -- in this process and in a worker ---------------------------------------------------------------

# The classes of S4 of the global environment, by their names there, and the methods, by table and signature.
s4_here <- function() {
  there <- function(pattern) mget(grep(pattern, ls(globalenv(), all.names = TRUE), value = TRUE), globalenv())
  given <- function(table) Filter(function(x) !methods::is(x, "derivedDefaultMethod"), as.list(table, all.names = TRUE))
  list(classes = there("^[.]__C__"), tables = lapply(there("^[.]__T__"), given))
}

define_s4 <- function(s4) {
  suppressMessages(suppressWarnings({ # a class may come before those that it is a union of
    for (class in s4$classes) methods::assignClassDef(class@className, class, where = globalenv())
  }))
  for (method in methods_of(s4)) {
    suppressMessages(methods::setMethod(method@generic, method@defined, method@.Data, where = globalenv()))
  }
}

# R would not find methods of its primitives again if only their tables were removed.
remove_s4 <- function(s4) {
  suppressMessages(suppressWarnings({
    for (method in methods_of(s4)) methods::removeMethod(method@generic, method@defined, where = globalenv())
    for (class in s4$classes) methods::removeClass(class@className, where = globalenv())
    for (name in intersect(generics_of(s4), ls(globalenv(), all.names = TRUE))) {
      methods::removeGeneric(name, where = globalenv())
    }
  }))
}

methods_of <- function(s4) unlist(unname(s4$tables))

generics_of <- function(s4) unique(sub("^[.]__T__(.*):[^:]*$", "\\1", names(s4$tables)))

# Loads and attaches packages. One that is not to be had is an error only if a function needs it.
take_packages <- function(packages) {
  take <- function(name, code) tryCatch(code, error = function(cnd) if (name %in% packages$needed) stop(cnd))
  suppressPackageStartupMessages({
    for (name in packages$load) take(name, loadNamespace(name))
    for (name in packages$attach) take(name, library(name, character.only = TRUE))
  })
}

# Methods and classes, which no function names: dispatch finds them by what it is called with. What the session has of
# its own is sent to workers.

# The session's own S3 methods and generics of S4 as `globals`, with what methods use; its classes and methods of S4 as
# `s4`; and the `packages` of all of these. `used` are names in the code that is sent.
session_dispatch <- function(used = character()) {
  s3 <- s3_methods(used)
  s4 <- s4_here()
  found <- globals_used(c(s3, methods_of(s4), unlist(lapply(unname(s4$classes), class_functions))))
  globals <- each_once(c(list(s3, own_generics(s4)), lapply(found, session_globals)))
  packages <- c(unlist(lapply(found, globals::packagesOf)), s4_packages(s4))
  list(
    globals = Filter(function(x) is.null(unsendable(x)), globals), s4 = s4, packages = without_own(packages)
  )
}

# What methods use. Those of the global environment are looked through together, so that what they share is looked
# through once. A method that cannot be, as it uses a variable that is an error, is sent by itself.
globals_used <- function(fns) {
  fns <- lapply(Filter(Negate(is.primitive), unname(fns)), function(fn) if (isS4(fn)) fn@.Data else fn)
  look <- function(code, env) {
    found <- function() globals::globalsOf(code, envir = env, substitute = FALSE, mustExist = FALSE)
    suppressWarnings(tryCatch(found(), error = function(cnd) NULL))
  }
  one_by_one <- function(fns) lapply(fns, function(fn) look(fn, environment(fn)))
  at_top <- vapply(fns, function(fn) identical(environment(fn), globalenv()), NA)
  codes <- lapply(fns[at_top], function(fn) call("function", formals(fn), body(fn)))
  together <- if (length(codes)) look(as.call(c(quote(`{`), codes)), globalenv())
  top <- if (is.null(together)) one_by_one(fns[at_top]) else list(together)
  Filter(Negate(is.null), c(top, one_by_one(fns[!at_top])))
}

# What functions need, and what the session's dispatch does.
with_dispatch <- function(needs) {
  session <- session_dispatch(needs$used)
  list(
    globals = each_once(list(needs$globals, session$globals)), s4 = session$s4, packages = needs$packages,
    others = c(needs$others, session$packages)
  )
}

# The S3 methods of the global environment, and those that were registered from there. Dispatch does not look at data
# that is attached.
s3_methods <- function(used) {
  named <- grep("[^.][.]", ls(globalenv(), all.names = TRUE), value = TRUE)
  named <- Filter(is.function, lapply(stats::setNames(nm = named), value_of, globalenv()))
  places <- c(lapply(loadedNamespaces(), asNamespace), globalenv())
  registered <- lapply(places, function(env) Filter(is_of_session, as.list(env[[".__S3MethodsTable__."]])))
  each_once(c(list(named[vapply(names(named), is_method_name, NA, used)]), registered))
}

# Those of `s3` for one of these classes.
methods_for <- function(classes, s3) {
  endings <- paste0(".", unique(classes), recycle0 = TRUE)
  s3[vapply(names(s3), function(name) any(endsWith(name, endings)), NA)]
}

# The value of a variable; `NULL` if it is computed each time, or an error.
value_of <- function(name, env) {
  if (bindingIsActive(name, env)) return(NULL)
  suppressWarnings(tryCatch({
    value <- get(name, envir = env, inherits = FALSE)
    value # which may be missing, as an argument is
  }, error = function(cnd) NULL))
}

# Whether a function of this name is a method: of a generic that the session sees, or of one in a loaded package, or in
# one that is not loaded yet, if the code that is sent has its name, as in `tibble::as_tibble(x)`.
is_method_name <- function(name, used) {
  if (tryCatch(utils::isS3method(name, envir = globalenv()), error = function(cnd) FALSE)) return(TRUE)
  dots <- gregexpr(".", name, fixed = TRUE)[[1L]]
  is_generic <- function(generic, package) {
    fn <- get0(generic, asNamespace(package), mode = "function", inherits = FALSE)
    !is.null(fn) && !is.primitive(fn) && utils::isS3stdGeneric(fn)
  }
  generics <- substring(name, 1L, dots[dots > 1L] - 1L)
  if (any(generics %in% used)) return(TRUE)
  any(vapply(generics, function(generic) any(vapply(loadedNamespaces(), is_generic, NA, generic = generic)), NA))
}

is_of_session <- function(fn) is.function(fn) && !is.primitive(fn) && identical(topenv(environment(fn)), globalenv())

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

# The classes of a value and of what is in it: parts of lists, slots and other attributes, variables of objects that are
# environments, such as those of R6.
classes_in <- function(x, depth = 3L) {
  own <- if (is.object(x)) class(x)
  if (depth == 0L || is.function(x)) return(own)
  plain <- c("names", "class", "dim", "dimnames", "row.names", "tsp", "levels")
  parts <- c(
    if (is.list(x)) unclass(x), attributes(x)[setdiff(names(attributes(x)), plain)],
    if (is.environment(x) && !isNamespace(x) && !identical(x, globalenv())) {
      lapply(stats::setNames(nm = ls(x, all.names = TRUE)), value_of, x)
    }
  )
  c(own, unlist(lapply(without_missing(parts), classes_in, depth - 1L)))
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
    home <- attr(method@generic, "package")
    if (home != ".GlobalEnv" && !requireNamespace(home, quietly = TRUE)) next # nobody can call its generic
    suppressMessages(methods::setMethod(method@generic, method@defined, method@.Data, where = globalenv()))
  }
}

# R would not find methods of its primitives again if only their tables were removed.
remove_s4 <- function(s4) {
  suppressMessages(suppressWarnings({
    for (method in methods_of(s4)) {
      try(methods::removeMethod(method@generic, method@defined, where = globalenv()), silent = TRUE)
    }
    for (name in intersect(names(s4$classes), ls(globalenv(), all.names = TRUE))) {
      methods::removeClass(s4$classes[[name]]@className, where = globalenv())
    }
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

# What a function needs in another process, and what forbids to run it there.

# What the functions `fns`, which belong to the arguments `names`, need: `globals`, by their names, and `packages`.
# `met` are packages with methods for what is sent.
# They are found as the package future finds them. What a function's own environment holds travels with it.
needs_of <- function(fns, names) {
  require_globals()
  found <- lapply(fns, function(fn) {
    globals::globalsOf(fn, envir = environment(fn), substitute = FALSE, mustExist = FALSE)
  })
  for (i in seq_along(fns)) {
    own <- globals::cleanup(found[[i]])
    refuse_assignments(c(list(fns[[i]]), Filter(is_own_function, unclass(own))), names[[i]])
    refuse_unsendable(own, names[[i]])
  }
  packages <- unlist(lapply(found, function(each) c(globals::packagesOf(each), class_packages(unclass(each)))))
  plain <- c("base", "methods", "datasets", "utils", "grDevices", "graphics", "stats", ".GlobalEnv")
  list(
    globals = each_once(lapply(unname(found), session_globals)), packages = setdiff(packages, plain),
    met = method_packages(unlist(lapply(found, function(each) classes_in(unclass(each)))))
  )
}

# The S3 classes of values.
classes_in <- function(x, depth = 3L) {
  c(if (is.object(x)) class(x), if (is.list(x) && depth > 0L) unlist(lapply(unclass(x), classes_in, depth - 1L)))
}

# The loaded packages with methods for one of these classes that is none of R's own.
method_packages <- function(classes) {
  classes <- setdiff(classes, .S3_methods_table[, 2L])
  has_some <- function(name) any(getNamespaceInfo(name, "S3methods")[, 2L] %in% classes)
  Filter(has_some, setdiff(loadedNamespaces(), "base"))
}

# The packages that define the S4 classes of values.
class_packages <- function(x, depth = 3L) {
  if (isS4(x)) return(attr(class(x), "package"))
  if (is.list(x) && depth > 0L) unlist(lapply(unclass(x), class_packages, depth - 1L))
}

# Lists of globals as one. What several functions need is sent once.
each_once <- function(lists) {
  all <- do.call(c, lists)
  all[!duplicated(names(all))]
}

require_globals <- function(found = requireNamespace("globals", quietly = TRUE)) {
  if (found) return(invisible())
  text <- paste(
    "`workers` above 1 needs the R package globals, which finds what a function needs:",
    "install.packages(\"globals\")."
  )
  abort_setup(text, reason = text)
}

# The error for a function that `workers` cannot run; `reason` is a sentence of its own.
abort_workers <- function(reason, advice) abort_argument(paste(reason, advice), "workers", reason = reason)

# Those of the globals that a worker must be given: what lies in the session's global environment, or was attached as
# data.
session_globals <- function(found) {
  own <- globals::cleanup(found)
  where <- attr(own, "where")
  given <- vapply(names(own), function(name) {
    env <- where[[name]]
    is.environment(env) && (identical(env, globalenv()) || is_attached_data(env))
  }, NA)
  unclass(own)[names(own)[given]]
}

is_attached_data <- function(env) {
  name <- environmentName(env)
  nzchar(name) && name %in% search() && !startsWith(name, "package:") && name != "Autoloads"
}

# -- what dispatch finds ---------------------------------------------------------------------------

# The methods and S4 classes of the session's global environment, with the globals that the methods need: no function
# names them. What of these cannot be sent is left out.
dispatched_globals <- function() {
  there <- function(pattern) grep(pattern, ls(globalenv(), all.names = TRUE), value = TRUE)
  s3 <- mget(Filter(is_s3_method, there("[^.][.]")), globalenv())
  s4 <- mget(there("^[.]__[CT]__"), globalenv())
  fns <- Filter(is_own_function, c(s3, unlist(lapply(unname(s4), s4_functions))))
  found <- lapply(unname(fns), function(fn) {
    if (isS4(fn)) fn <- fn@.Data
    session_globals(globals::globalsOf(fn, envir = environment(fn), substitute = FALSE, mustExist = FALSE))
  })
  c(s4, Filter(function(x) is.null(unsendable(x)), each_once(c(list(s3), found))))
}

is_s3_method <- function(name) {
  exists(name, globalenv(), mode = "function", inherits = FALSE) && utils::isS3method(name, envir = globalenv())
}

# The functions of a table of methods, or of a class.
s4_functions <- function(x) {
  if (is.environment(x)) return(as.list(x))
  c(x@validity, if (methods::is(x, "refClassRepresentation")) as.list(x@refMethods))
}

# The packages that a worker is to have: those `attached` in the session, in the order to attach them; and those
# `loaded`, of which methods are `met`. Without those that stand on reticulate, unless they are `needed`, and
# what this package and reticulate have loaded for themselves: Matrix alone takes longer than the rest of a start.
session_packages <- function(needed, met) {
  imports <- lapply(stats::setNames(nm = loadedNamespaces()), function(name) names(getNamespaceImports(name)))
  with_imports <- function(names) {
    while (length(more <- setdiff(unlist(imports[names]), names))) names <- c(names, more)
    names
  }
  python <- c("fitgenerator", Filter(function(name) "reticulate" %in% with_imports(name), names(imports)))
  own <- with_imports(c("fitgenerator", "reticulate", "globals", "future", "mirai"))
  attached <- rev(sub("^package:", "", grep("^package:", search(), value = TRUE)))
  list(
    needed = needed, attached = setdiff(attached, setdiff(c("base", python), needed)),
    loaded = c(setdiff(met, c(attached, python, own)), setdiff(needed, attached))
  )
}

# Whether a function is the user's, not that of a package.
is_own_function <- function(x) is.function(x) && !is.primitive(x) && !isNamespace(topenv(environment(x)))

# -- assignments outside ---------------------------------------------------------------------------

# Refuses functions that assign outside of themselves: each process would count by itself.
refuse_assignments <- function(fns, name) {
  targets <- unlist(lapply(fns, function(fn) outer_assignments(fn)))
  if (!length(targets)) return(invisible())
  text <- "The function of `%s` assigns `%s` outside of itself, which each of several processes would do by itself."
  advice <- "Make the batch from its number, function(i) ..., or leave `workers` out."
  abort_workers(sprintf(text, name, targets[[1L]]), advice)
}

# The names that a function assigns outside of itself, by `<<-` or `assign()`. Its own variables may be assigned by
# functions within it.
outer_assignments <- function(fn) {
  if (is.primitive(fn)) return(character())
  own <- c(names(formals(fn)), codetools::findFuncLocals(formals(fn), body(fn)))
  setdiff(assignments_in(body(fn), character()), own)
}

# The names that `code` assigns outside of the functions in it, whose variables are `locals`.
assignments_in <- function(code, locals) {
  if (!is.call(code) && !is.pairlist(code)) return(character())
  head <- if (is.symbol(code[[1L]])) as.character(code[[1L]]) else ""
  if (is.call(code) && head == "function") {
    locals <- c(names(code[[2L]]), codetools::findFuncLocals(code[[2L]], code[[3L]]), locals)
  }
  outer <- is.call(code) && (head == "<<-" || (head == "assign" && assigns_outside(code)))
  target <- if (outer) setdiff(assigned(code[[2L]]), locals)
  is_there <- function(k) !identical(code[[k]], quote(expr = )) # nolint: spaces_inside_linter. As in x[1, ].
  there <- Filter(is_there, seq_along(code))
  c(target, unlist(lapply(there, function(k) assignments_in(code[[k]], locals))))
}

# The variable that the left side of an assignment names: that of `x[i]$y` is `x`.
assigned <- function(code) {
  while (is.call(code)) code <- code[[2L]]
  as.character(code)
}

# Whether a call of `assign()` is told another environment than the function's own.
assigns_outside <- function(code) {
  code <- tryCatch(match.call(assign, code), error = function(cnd) NULL)
  !is.null(code) && any(c("pos", "envir", "inherits") %in% names(code))
}

# -- what cannot be sent ---------------------------------------------------------------------------

# Refuses values that mean nothing in another process.
refuse_unsendable <- function(found, name) {
  for (variable in names(found)) {
    kind <- unsendable(found[[variable]])
    if (is.null(kind)) next
    text <- "The function of `%s` uses `%s`, %s, which cannot be sent to another process."
    advice <- "Make it within the function, or leave `workers` out."
    abort_workers(sprintf(text, name, variable, kind), advice)
  }
}

# What of a value cannot be sent, in words; `NULL` if all of it can.
unsendable <- function(x, depth = 3L) {
  if (inherits(x, "connection")) return("a connection")
  if (is_python(x)) return("an object of Python")
  if (typeof(x) == "externalptr") return("an external pointer")
  if (typeof(x) == "weakref") return("a weak reference")
  if (depth == 0L) return(NULL)
  parts <- if (is.list(x)) unclass(x) else if (isS4(x)) attributes(x)
  for (part in parts) if (!is.null(kind <- unsendable(part, depth - 1L))) return(paste("with", sub("^with ", "", kind)))
  NULL
}

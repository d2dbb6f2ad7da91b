# What a function needs in another process, and what forbids to run it there.

# What the functions `fns`, which belong to the arguments `names`, need: `globals`, by their names, and `packages`. They
# are found as the package future finds them. What a function's own environment holds travels with it. `others` are
# packages with methods for what these variables hold; `used` are all names in the code.
needs_of <- function(fns, names) {
  require_globals()
  found <- lapply(fns, function(fn) {
    globals::globalsOf(fn, envir = environment(fn), substitute = FALSE, mustExist = FALSE)
  })
  own_code <- c(fns, unlist(lapply(found, function(each) Filter(is_own_function, unclass(each)))))
  used <- unique(unlist(lapply(own_code, function(fn) all.names(body(fn)))))
  s3 <- s3_methods(used)
  for (i in seq_along(fns)) {
    own <- globals::cleanup(found[[i]])
    met <- methods_for(unlist(lapply(unclass(found[[i]]), classes_in)), s3)
    refuse_assignments(c(list(fns[[i]]), Filter(is_own_function, unclass(own)), met), names[[i]])
    refuse_unsendable(own, names[[i]])
  }
  list(
    globals = each_once(lapply(unname(found), session_globals)),
    packages = without_own(unlist(lapply(found, globals::packagesOf))),
    others = packages_with_methods(lapply(found, unclass)), used = used
  )
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
  # RStudio and Positron attach functions of their own, as "tools:rstudio".
  nzchar(name) && name %in% search() && !grepl("^(package|tools):", name) && name != "Autoloads"
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
  for (part in without_missing(parts)) {
    if (!is.null(kind <- unsendable(part, depth - 1L))) return(paste("with", sub("^with ", "", kind)))
  }
  NULL
}

# A list without the arguments in it that have no value, as in `alist(x = )`.
without_missing <- function(x) {
  given <- function(k) !identical(x[[k]], quote(expr = )) # nolint: spaces_inside_linter. Such an argument.
  x[vapply(seq_along(x), given, NA)]
}

# What a worker process does: it waits for the number of a batch, calls the function, and sends what came of it. As in
# workers-link.R, these functions run where this package may not be installed.

# Begins, in a process of ours. `at` are the lines of where to dial: host, port and token. `settings` is what the
# process takes over from the session. `input` has the functions and what these need, serialised.
begin_work <- function(at, settings, input) {
  .libPaths(settings$libraries) # where the compiled code may be
  link <- open_link(at[[1L]], as.integer(at[[2L]]), at[[3L]], compiled_code(settings$version), TRUE)
  work_for(link, settings, function() {
    take_over(settings)
    job <- unpacked(input)
    close(input)
    job
  })
}

# Makes batches until the training has gone. A failure to set up, of `take`, is the reply to every request.
work_for <- function(link, settings, take) {
  failed <- tryCatch({
    job <- take()
    for (name in names(job$globals)) assign(name, job$globals[[name]], envir = globalenv())
    define_s4(job$s4)
    sources <- lapply(job$functions, function(given) {
      if (is.null(given$form)) given else c(given, convert = converter_of(given$form, given$known))
    })
    NULL
  }, error = identity)
  repeat {
    asked <- link$ask(6L)
    if (length(asked) < 6L) return(invisible())
    image <- if (asked[[6L]] > 0L) take_image(link, asked[[6L]])
    if (is.null(failed)) {
      reply(link, sources[[asked[[1L]] + 1L]], asked, image, settings)
    } else {
      send_condition(link, "setup", failed)
    }
  }
}

# Works in a process of the user's, which is left as it was. `job` is serialised. `silently`: the process sends what a
# call returns over a connection that others read after us, so this call must not return. Elsewhere it must, also if
# Ctrl-C reaches this process, as it does from a terminal: its launcher waits for it.
lend_work <- function(at, settings, job, silently, session) {
  if (identical(session, this_process())) return("here")
  settings$folder <- getwd()
  tryCatch({
    link <- open_link(at[[1L]], as.integer(at[[2L]]), at[[3L]], compiled_code(settings$version),
                      gone = function() stop("the training has gone"))
    on.exit(link$close())
    found <- unpacked(job)
    put_back <- state_of(found)
    on.exit(suspendInterrupts(put_back()), add = TRUE)
    work_for(link, settings, function() {
      take_over(settings)
      found
    })
  }, error = function(cnd) NULL, interrupt = function(cnd) NULL)
  # Takes an interrupt that has waited for compiled code to return.
  tryCatch(Sys.sleep(0.001), interrupt = function(cnd) NULL) # nolint: undesirable_function_linter. It is taken there.
  if (silently) leave_silently()
  NULL
}

# Ends a call of a cluster of the package parallel without a reply, as an interrupt does.
leave_silently <- function() {
  signalCondition(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
}

this_process <- function() list(Sys.getpid(), Sys.info()[["nodename"]])

# What puts back what a job changes in a process: the folder, the random numbers, global variables, methods and classes.
state_of <- function(job) {
  folder <- getwd()
  kinds <- RNGkind()
  s4 <- s4_here()
  all <- unique(c(names(job$globals), names(job$s4$classes), names(job$s4$tables), generics_of(job$s4), ".Random.seed"))
  there <- all[vapply(all, exists, NA, envir = globalenv(), inherits = FALSE)]
  values <- mget(there, envir = globalenv())
  function() {
    setwd(folder) # nolint: undesirable_function_linter. It is where it was.
    suppressWarnings(do.call(RNGkind, as.list(kinds)))
    remove_s4(job$s4)
    rm(list = intersect(all, ls(globalenv(), all.names = TRUE)), envir = globalenv())
    for (name in there) assign(name, values[[name]], envir = globalenv())
    if (length(unlist(job$s4))) define_s4(s4)
  }
}

# The compiled code of this package, if the same version of it is installed here.
compiled_code <- function(version) {
  folder <- system.file(package = "fitgenerator")
  if (!nzchar(folder) || !identical(as.character(utils::packageVersion("fitgenerator")), version)) return(NULL)
  path <- system.file("libs", .Platform$r_arch, paste0("fitgenerator", .Platform$dynlib.ext), package = "fitgenerator")
  if (nzchar(path)) path
}

# Takes over what the session has: libraries, packages, options, the kinds of random numbers, and locale. A worker of
# the user's has libraries, options and locale of its own.
take_over <- function(settings) {
  if (!is.null(settings$libraries)) .libPaths(settings$libraries)
  for (category in names(settings$locale)) suppressWarnings(Sys.setlocale(category, settings$locale[[category]]))
  take_packages(settings$packages)
  for (name in names(settings$options)) try(options(settings$options[name]), silent = TRUE) # some cannot be set
  do.call(RNGkind, as.list(settings$kinds))
}

# Makes one batch, or an image of it, and sends it, or what came in its place. `asked` is the number of the function, of
# the batch, what the function is called with, the seed of its random numbers, and the bytes of each number of an
# `image`, if it is called with one.
reply <- function(link, source, asked, image, settings) {
  if (!identical(getwd(), settings$folder)) setwd(settings$folder) # nolint: undesirable_function_linter. Ours.
  signalled <- list()
  keep <- function(kind, restart) {
    function(cnd) {
      if (kind == "warning" && getOption("warn") >= 2) return() # R turns the warning into an error at once
      if (length(signalled) < most_signals) signalled[[length(signalled) + 1L]] <<- list(kind, cnd)
      invokeRestart(restart)
    }
  }
  converting <- FALSE
  make <- function() {
    set.seed(asked[[5L]])
    fn <- source$fn
    value <- if (is.null(image)) call_indexed(fn, source$takes, asked[[3L]], asked[[4L]]) else fn(image)
    converting <<- TRUE
    if (!is.null(image)) return(as_picture(value, dim(image), source$name))
    sendable(source$convert(value, source$name, asked[[2L]]), source$name, asked[[2L]])
  }
  failed <- led <- NULL
  value <- with_calls(
    withCallingHandlers(
      make(),
      warning = keep("warning", "muffleWarning"), packageStartupMessage = muffle_message,
      message = keep("message", "muffleMessage"),
      interrupt = function(cnd) if (!settings$lent) tell_where(link, sys.calls(), sys.nframe(), source)
    ),
    source$name,
    function(cnd, calls) {
      failed <<- cnd
      led <<- calls
    }
  )
  for (each in signalled) send_condition(link, each[[1L]], each[[2L]])
  if (is.null(failed)) return(send_value(link, value, if (is.null(image)) settings$size else asked[[6L]]))
  refused <- converting && inherits(failed, c("fitgenerator_batch_error", "fitgenerator_argument_error"))
  send_condition(link, if (refused) "refused" else "error", failed, led)
}

# That a package is loaded is the process's own business.
muffle_message <- function(cnd) invokeRestart("muffleMessage")

# Conditions beyond these are dropped, in one batch.
most_signals <- 1000L

# The batch, if it can be sent.
sendable <- function(x, place, batch) {
  if (is.list(x) && !inherits(x, "fitgenerator_sparse")) {
    for (part in x) sendable(part, place, batch)
    return(x)
  }
  if (is_python(x)) {
    text <- "Batch %d: %s() returned a Python object, which a worker process cannot send; return R arrays."
    refuse(sprintf(text, batch, place), place, batch)
  }
  if (length(dim(x)) > wire$most_dims) {
    text <- "Batch %d: %s() returned an array of %d dimensions; a worker process can send %d."
    refuse(sprintf(text, batch, place, length(dim(x)), wire$most_dims), place, batch)
  }
  x
}

# The batch takes too long: the training wants to know where the function stands. It is over then.
tell_where <- function(link, calls, n, source) {
  entry <- list(quote(fn()), quote(fn(index)), quote(fn(index, epoch)), quote(fn(image)))[[source$takes + 1L]]
  bytes <- as_bytes(paste(where_it_stands(calls, n, source$name, entry), collapse = "\n"))
  send_header(link, wire$stands, size = length(bytes))
  link$send(bytes)
  quit_quietly()
}

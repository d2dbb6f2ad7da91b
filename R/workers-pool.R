# R functions in worker processes that the package starts: what the processes are given. Python starts and ends them
# (`workers/pool.py`), and asks them for batches; R's thread takes no part in that.

# The worker processes of a call, if it is to have any: as `crossing` to Python, and as `used`, the names of the sources
# that they work for. `NULL` if there is no such source. `workers` is the number that was asked for.
worker_pool <- function(workers, sources, name, forms, input_names) {
  if (is.null(workers) || workers < 2L) return(NULL)
  used <- names(sources)[vapply(sources, inherits, NA, "fitgenerator_sequence")]
  for (stream in names(sources)) advise_workers(sources[[stream]], workers, if (stream == "generator") name else stream)
  if (!length(used)) return(NULL)
  jobs <- lapply(stats::setNames(nm = used), function(stream) {
    argument <- if (stream == "generator") name else stream
    job_of(sources[[stream]], argument, forms[[stream]], input_names)
  })
  needs <- needs_of(lapply(jobs, function(job) job$fn), vapply(jobs, function(job) job$name, ""))
  crossing <- launch_of(unname(jobs), needs)
  list(crossing = crossing, used = used, seeds = seeds_of(sources[used]))
}

# Says, once, that a function without a number is not run by workers.
advise_workers <- function(source, workers, name) {
  if (!is.function(source) || is.object(source)) return(invisible())
  text <- paste(
    "`workers` = %d has no effect on `%s`: a function of no number runs on R's own thread.",
    "batch_sequence(%s, length = Inf, seed = 1) makes a source of it that %d processes share."
  )
  message(sprintf(text, workers, name, name, workers))
}

# What a worker does for a source, which was given as the argument `name`.
job_of <- function(source, name, form, input_names) {
  source <- unclass(source)
  known <- if (form == "inputs") input_names else character()
  list(fn = source$fn, takes = index_args(source$fn), name = name, form = form, known = known)
}

# What the random numbers of each source follow from, `NULL` where it has a seed. One number of the session's is drawn,
# whatever is fetched of the sources.
seeds_of <- function(sources) {
  seeded <- vapply(sources, function(source) unclass(source)$seeded, NA)
  drawn <- if (!all(seeded)) sample.int(.Machine$integer.max - length(sources), 1L)
  lapply(stats::setNames(nm = names(sources)), function(stream) {
    if (!seeded[[stream]]) drawn + match(stream, names(sources))
  })
}

# What crosses of a source that workers make the batches of; `number` is its place among them.
work_of <- function(source, number, seed) {
  hook <- unclass(source)$on_epoch_end
  list(
    work = number - 1L, passes = passes_of(source), seed = seed,
    hook = if (!is.null(hook)) function(epoch) call_epoch_end(hook, epoch)
  )
}

# How a worker process is started, and what it reads from its standard input: R code, and the serialised `jobs`.
launch_of <- function(jobs, needs) {
  code <- portable_code("begin_work")
  job <- serialize(list(functions = jobs, globals = needs$globals), NULL, xdr = FALSE)
  work <- list(begin = code$begin_work, settings = session_settings(needs$packages), job = job)
  begin <- paste(
    "local({ input <- file(\"stdin\", \"rb\"); at <- readLines(input, 3L); work <- unserialize(input);",
    "close(input); work$begin(at, work$settings, work$job) })"
  )
  list(
    program = file.path(R.home("bin"), "Rscript"), options = c("--vanilla", "-e", begin),
    environment = worker_environment(), folder = getwd(), scratch = normalizePath(tempdir()),
    work = serialize(work, NULL, xdr = FALSE), host = option_host(), port = option_port()
  )
}

# What a worker takes over from the session.
session_settings <- function(packages) {
  plain <- Filter(is_plain, options())
  categories <- c("LC_COLLATE", "LC_CTYPE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME")
  list(
    libraries = .libPaths(), folder = getwd(), kinds = RNGkind(), packages = packages,
    options = plain[setdiff(names(plain), own_options)],
    locale = vapply(categories, Sys.getlocale, ""),
    size = cross(core_function("float_bytes", "r.worker_source")),
    version = as.character(utils::packageVersion("fitgenerator"))
  )
}

# Whether an option is plain data.
is_plain <- function(x) is.atomic(x) || (is.list(x) && !is.object(x) && all(vapply(x, is.atomic, NA)))

# Options that belong to the session's terminal.
own_options <- c(
  "browser", "continue", "device", "echo", "editor", "error", "menu.graphics", "pager", "prompt", "warning.expression"
)

# The environment variables of a worker. One thread each: as many workers as cores would otherwise fight for these.
worker_environment <- function() {
  threads <- c(paste0(c("OMP", "OPENBLAS", "MKL", "BLIS"), "_NUM_THREADS"), "VECLIB_MAXIMUM_THREADS")
  all <- as.list(Sys.getenv())
  all[threads] <- "1"
  all[setdiff(names(all), c("R_DEFAULT_PACKAGES", "R_TESTS"))]
}

option_host <- function() {
  host <- getOption("fitgenerator.host", "127.0.0.1")
  if (is.character(host) && length(host) == 1L && !is.na(host) && nzchar(host)) return(host)
  abort_argument(sprintf("The option `fitgenerator.host` must be the address to listen on, not %s.", shown(host)))
}

option_port <- function() {
  port <- getOption("fitgenerator.port", 0L)
  if (is_whole(port) && port >= 0 && port < 65536) return(as_whole(port))
  abort_argument(sprintf("The option `fitgenerator.port` must be a port from 0 to 65535, not %s.", shown(port)))
}

# The functions of this package that `root` needs, directly or not, in an environment of their own: another R process
# can run them without this package. Methods are found by the names of their generics.
portable_code <- function(root) {
  if (!is.null(the$portable)) return(the$portable)
  space <- topenv(environment())
  code <- new.env(parent = baseenv())
  code$sparse_to_py <- identity # Python makes a matrix of its own of the parts
  wanted <- c(root, ls(space, pattern = "^as_part[.]"))
  while (length(wanted)) {
    name <- wanted[[1L]]
    wanted <- wanted[-1L]
    if (exists(name, envir = code, inherits = FALSE)) next
    value <- get(name, envir = space)
    if (is.function(value)) {
      wanted <- c(wanted, intersect(codetools::findGlobals(value), ls(space, all.names = TRUE)))
      environment(value) <- code
    }
    assign(name, value, envir = code)
  }
  the$portable <- code
  code
}

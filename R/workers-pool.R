# R functions in worker processes that the package starts: what the processes are given. Python starts and ends them
# (`workers/pool.py`), and asks them for batches; R's thread takes no part in that.

#' Batches made in several R processes
#'
#' An R function that is slower than the model can run in several R processes. `fit_generator(workers = 4)`, and
#' [evaluate_generator()] and [predict_generator()] likewise, start four of them for the call if the generator, or the
#' validation data, is a [batch_sequence()]. Training and validation share the processes, which end with the call.
#'
#' `workers` may also be processes of yours, on this machine or on others:
#' * a cluster of the package parallel (`parallel::makeCluster()`, `parallelly::makeClusterPSOCK()`,
#'   `mirai::make_cluster()`), of one node or more: its nodes make the batches;
#' * `"future"`: the processes of the `plan()` that is set, by one long future for each. Where there are two or more,
#'   one is left free for other futures. `plan(sequential)` and `plan(multicore)` are errors;
#' * `"mirai"`: the `mirai::daemons()` that are set.
#'
#' Batches, their order, and the history are those of R's own thread, to the bit, if the sequence has a `seed`; they do
#' not depend on the number of workers. Without a `seed`, one is drawn from the session's random numbers in each call.
#'
#' @section What can run there:
#' A function of the number of a batch, of this and the epoch, or of nothing. A generator that draws random numbers,
#' `generator <- function() ...`, becomes such a source by `batch_sequence(generator, length = Inf, seed = 1)`.
#'
#' Each process makes some of the batches, so a function must not count its calls. A function that assigns variables
#' outside of itself, by `<<-` or `assign()`, is an error before the first batch. Changes of environments, of R6
#' objects and of files are not detected: each process makes them for itself, so avoid them. A plain R function that is
#' not a `batch_sequence()` runs on R's own thread, as without `workers`, and a message says so.
#'
#' R functions of images, as `preprocessing_function` of [image_data_generator()], run there, too. Threads of the
#' session read the images of the flow and transform them; each image then goes to one of the processes and comes back.
#' A function of images that assigns outside of itself, or uses something that cannot be sent, runs on R's own thread,
#' and a message says why.
#'
#' @section What is sent:
#' Global variables, functions and packages that the function needs are found by the package globals, as the package
#' future does it, and sent once to each process, together with the session's library paths, options, working directory,
#' locale and `RNGkind()`. Connections, external pointers and Python objects cannot be sent: if the function uses one,
#' an error names the variable. Each process computes with one thread of BLAS and OpenMP. What it prints is dropped.
#'
#' Methods are sent, too, as no function names them: S3 methods, S4 methods and classes that the session has defined
#' itself. Packages with methods for the classes of what is sent are loaded, so that `x[i, ]` of a tibble, say, is what
#' it is in the session. A package is attached if it is in the session. A process needs time to load packages, about a
#' second for Matrix.
#'
#' A process of yours keeps its own library paths, options, folder and locale, which may be those of another machine.
#' Packages stay loaded there. Its global variables, methods, classes and random numbers are put back after the call.
#'
#' @section Processes of yours:
#' They are never ended, interrupted or replaced. One that dies is done without; if none is left, that is a
#' `fitgenerator_worker_error`. One that hangs is named by the error of `timeout`, and left. After the call, even after
#' an error or an interrupt, a cluster can be used as before: a node that is still busy with a batch answers the next
#' call when the function has returned, and `parallel::clusterCall()` waits for it.
#'
#' From a terminal, Ctrl-C reaches the processes of a local cluster as well as the session. A node that makes a batch
#' abandons it, and stays of use. Only one that receives a call at this very moment is lost: R takes the interrupt in
#' the middle of the message. Nodes that lead a session of their own are out of reach, on Linux
#' `parallelly::makeClusterPSOCK(4, rscript = c("setsid", file.path(R.home("bin"), "Rscript")))`.
#'
#' No more of them are used than batches may wait (`max_queue_size`). If none answers within
#' `options(fitgenerator.patience = 60)` seconds, that is an error. Set the option to a higher number where futures wait
#' in the queue of a scheduler, such as Slurm.
#'
#' @section Errors, warnings, and processes that die:
#' An error arrives with its classes, message, call and batch, as from R's own thread. Its `parent` is built again from
#' these: other fields of your condition do not travel. Warnings and messages are signalled in the session, with the
#' number of their batch; messages of packages that are loaded are dropped.
#'
#' If a process dies, its batch is made again by another one. A batch that ends two processes, and more deaths in a row
#' than there are workers, are a `fitgenerator_worker_error`. If a batch takes longer than `timeout`, the error names
#' the process, and shows where the function stands. An interrupt does not wait for the functions.
#'
#' @section Connections:
#' The processes connect to the session at `options(fitgenerator.host = "127.0.0.1", fitgenerator.port = 0)`, where port
#' 0 stands for any free one, and identify themselves by a secret that is new in each call. What they send is not
#' encrypted. They are sent numbers and images, and send arrays and texts back; the session evaluates nothing that it
#' receives. The functions and the secret reach processes of yours by the connection of the cluster, of future, or of
#' mirai.
#'
#' Processes on other machines must reach this address. Either set `fitgenerator.host` to an address of this machine
#' (`"0.0.0.0"`: all of them), or let ssh lead them here through a tunnel, which also encrypts:
#' ```
#' options(fitgenerator.port = 45454)
#' cl <- parallelly::makeClusterPSOCK("server", rshopts = c("-R", "45454:127.0.0.1:45454"))
#' fit_generator(model, batches, workers = cl)
#' ```
#'
#' @seealso [batch_sequence()], [fit_generator()]
#' @examplesIf fitgenerator:::has_keras() && requireNamespace("globals", quietly = TRUE)
#' layers <- reticulate::import("keras")$layers
#' model <- keras_model_sequential(input_shape = 2, layers = list(layers$Dense(1L)))
#' compile(model, "sgd", "mse")
#' generator <- function() {
#'   x <- matrix(rnorm(64), ncol = 2)
#'   list(x, x %*% c(1, -1))
#' }
#' batches <- batch_sequence(generator, length = Inf, seed = 1)
#' fit_generator(model, batches, steps_per_epoch = 50, verbose = 0, workers = 2)
#' @name workers
NULL

# The workers of a call, if it is to have any: as `crossing` to Python, and as `used`, the names of the sources that
# they work for; and, for those of the user's, `lend()`, which has them dial in. `NULL` if there is no such source.
# `workers` is what was asked for, as `as_workers()` gives it.
worker_pool <- function(workers, sources, name, forms, input_names) {
  if (is.null(workers$launcher) && (is.null(workers$count) || workers$count < 2L)) return(NULL)
  argument_of <- function(stream) if (stream == "generator") name else stream
  images <- image_jobs(sources)
  for (stream in setdiff(names(sources), images$streams)) {
    advise_workers(sources[[stream]], workers, argument_of(stream))
  }
  numbered <- names(sources)[vapply(sources, inherits, NA, "fitgenerator_sequence")]
  jobs <- lapply(stats::setNames(nm = numbered), function(stream) {
    job_of(unclass(sources[[stream]])$fn, argument_of(stream), forms[[stream]], input_names)
  })
  needs <- if (length(jobs)) list(needs_of(lapply(jobs, `[[`, "fn"), vapply(jobs, `[[`, "", "name")))
  needs <- c(needs, images$needs)
  jobs <- c(jobs, images$jobs)[intersect(names(sources), c(numbered, names(images$jobs)))] # training comes first
  if (!length(jobs)) return(NULL)
  part <- function(name) lapply(needs, `[[`, name)
  needs <- list(
    globals = each_once(part("globals")), packages = unique(unlist(part("packages"))), others = unlist(part("others")),
    used = unlist(part("used"))
  )
  seeded <- vapply(sources[numbered], function(source) unclass(source)$seeded, NA)
  pool <- list(used = names(jobs), seeds = seeds_of(seeded))
  if (is.null(workers$launcher)) {
    door <- list(host = option_host(), port = option_port())
    return(c(pool, list(crossing = c(launch_of(unname(jobs), needs), door))))
  }
  c(pool, list(crossing = lent_door(), lent = new_lent(workers$launcher, unname(jobs), needs)))
}

# Says, once, that a function without a number is not run by workers.
advise_workers <- function(source, workers, name) {
  not_for_workers <- is.null(source) || is_fixed(source) || is.function(source) || restarts(source)
  if (!is.null(workers$launcher) && !not_for_workers) {
    text <- "`workers` = %s has no effect on `%s`: only a batch_sequence() of an R function is made there."
    return(message(sprintf(text, workers$shown, name)))
  }
  if (!is.function(source) || is.object(source)) return(invisible())
  text <- paste(
    "`workers` = %s has no effect on `%s`: a function of no number runs on R's own thread.",
    "batch_sequence(%s, length = Inf, seed = 1) makes a source of it that %d processes share."
  )
  message(sprintf(text, workers$shown, name, name, workers$count))
}

# What a worker does for a source, whose function `fn` was given as the argument `name`.
job_of <- function(fn, name, form, input_names) {
  known <- if (form == "inputs") input_names else character()
  list(fn = fn, takes = index_args(fn), name = name, form = form, known = known)
}

# What the random numbers of each source follow from, `NULL` for those that are `seeded`, a vector with their names. One
# number of the session's is drawn, whatever is fetched of the sources.
seeds_of <- function(seeded) {
  drawn <- if (!all(seeded)) sample.int(.Machine$integer.max - length(seeded), 1L)
  lapply(stats::setNames(nm = names(seeded)), function(stream) {
    if (!seeded[[stream]]) drawn + match(stream, names(seeded))
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

# How a worker process is started, and what it reads from its standard input: R code, then the `jobs`.
launch_of <- function(jobs, needs) {
  code <- portable_code()
  needs <- with_dispatch(needs)
  work <- list(begin = code$begin_work, settings = session_settings(needs))
  job <- c(list(functions = jobs), needs[c("globals", "s4")])
  begin <- paste(
    "local({ input <- file('stdin', 'rb'); at <- readLines(input, 3L); work <- unserialize(input);",
    "work$begin(at, work$settings, input) })"
  )
  list(
    program = file.path(R.home("bin"), "Rscript"), options = c("--vanilla", "-e", begin),
    environment = worker_environment(), folder = getwd(), scratch = normalizePath(tempdir()),
    work = list(serialize(work, NULL, xdr = FALSE), packed(job, xdr = FALSE))
  )
}

# What a worker takes over from the session, for functions with such needs.
session_settings <- function(needs) {
  plain <- Filter(is_plain, options())
  categories <- c("LC_COLLATE", "LC_CTYPE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME")
  list(
    libraries = .libPaths(), folder = getwd(), kinds = RNGkind(),
    packages = packages_for(needs$packages, needs$others),
    options = plain[setdiff(names(plain), own_options)],
    locale = vapply(categories, Sys.getlocale, ""),
    size = float_bytes(), lent = FALSE, version = own_version()
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

# The functions of this package that a worker needs, directly or not, in an environment of their own: another R process
# can run them without this package. Methods are found by the names of their generics.
portable_code <- function() {
  if (!is.null(the$portable)) return(the$portable)
  space <- parent.env(environment()) # this package's; or, in a Python process, that of the files which rpy2 loads
  code <- new.env(parent = baseenv())
  code$sparse_to_py <- identity # Python makes a matrix of its own of the parts
  wanted <- c("begin_work", "lend_work", ls(space, pattern = "^as_part[.]"))
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

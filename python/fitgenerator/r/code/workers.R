# What Python asks of R for the R processes that make batches (`workers`). The files `workers-` next to this one are
# those of the R package.

the <- new.env(parent = emptyenv()) # what those files keep, and what Python has told them

float_bytes <- function() the$size

own_version <- function() the$version

# How processes are started that make the batches of `fns`, and what their random numbers follow from, an integer for
# each, or `NA` where that is the seed of the passes. Each function was given as one of the arguments `names`. `forms`:
# what the model takes of their batches. `inputs`: the names of the model's inputs. `size` and `version`: of the numbers
# that are sent, and of this code. Answers as fetch.R does.
launch <- function(fns, names, forms, inputs, seeded, size, version) {
  the$size <- size
  the$version <- version
  tryCatch({
    jobs <- Map(function(fn, name, form) job_of(fn, name, form, inputs), fns, names, forms)
    found <- launch_of(unname(jobs), needs_of(fns, names))
    # Python reads texts as UTF-8.
    found$environment <- Filter(validUTF8, found$environment)
    seeds <- seeds_of(stats::setNames(seeded, names))
    found$seeds <- vapply(seeds, function(seed) if (is.null(seed)) NA_integer_ else as.integer(seed), 1L)
    list(found, "value", NULL)
  }, fitgenerator_error = function(cnd) list(NULL, class(cnd)[[1L]], conditionMessage(cnd)))
}

# What Python is told of a function that failed in a worker, as `failure_of()` does; its calls do not travel.
told_error <- function(message, call, classes) {
  list(rebuilt(list(message = message, call = call, classes = classes), "error"), character(), character())
}

# Signals a warning or a message of a worker.
told_signal <- function(message, call, classes, kind, place, batch) {
  told <- list(kind = kind, message = message, call = call, classes = classes)
  signal_worker(list(condition = told, place = place, batch = batch))
}

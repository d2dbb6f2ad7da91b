# The table of faults: where a fault occurs, how, and when, and what must follow. With FITGENERATOR_FAULTS=all, every
# combination runs with every queue size; otherwise each combination runs with one of them.

all_faults <- identical(Sys.getenv("FITGENERATOR_FAULTS"), "all")
queue_sizes <- c(0, 1, 10)

disk_error <- function() {
  stop(structure(class = c("disk_error", "error", "condition"), list(message = "disk full", call = NULL)))
}

too_deep <- function(n) too_deep(n + 1)

in_python <- function() {
  reticulate::py_run_string("def fitgenerator_test_raise():\n    raise KeyError('gone')")
  reticulate::py$fitgenerator_test_raise()
}

# What user code may do wrong. `raises`: a class that the parent of the error has, and a part of its text.
fault_failures <- list(
  stop = list(act = function() stop("a text"), raises = c("simpleError", "a text")),
  class = list(act = disk_error, raises = c("disk_error", "disk full")),
  warning = list(
    act = function() {
      old <- options(warn = 2)
      on.exit(options(old))
      warning("soon an error")
    },
    raises = c("simpleError", "soon an error")
  ),
  recursion = list(act = function() too_deep(1), raises = c("error", "infinite recursion|stack|nested too deeply")),
  python = list(act = in_python, raises = c("python.builtin.KeyError", "gone"))
)

# What a handler or a restart outside of the call takes: the call is left at once. `take` runs the call.
fault_ways_out <- list(
  warning = list(act = function() warning("w"), take = function(call) tryCatch(call(), warning = function(cnd) "out")),
  message = list(act = function() message("m"), take = function(call) tryCatch(call(), message = function(cnd) "out")),
  condition = list(
    act = function() signalCondition(structure(class = c("mine", "condition"), list(message = "c", call = NULL))),
    take = function(call) tryCatch(call(), mine = function(cnd) "out")
  ),
  interrupt = list(
    act = function() {
      press_ctrl_c()
      for (i in 1:1e6) sqrt(i)
    },
    take = function(call) tryCatch(call(), interrupt = function(cnd) "out")
  ),
  restart = list(
    act = function() invokeRestart("leave"),
    take = function(call) withRestarts(call(), leave = function() "out")
  )
)

# What user code may do without harm.
fault_harmless <- list(
  gc = function(model) gc(),
  warns = function(model) suppressWarnings(warning("unseen")),
  python = function(model) reticulate::py_eval("sum(range(1000))"),
  predicts = function(model) model$predict_on_batch(matrix(1, 2, 1)),
  trains = function(model) train(linear_model(), random_batches(), 2)
)

# Does `act` in call `at`, and at no other.
fault <- function(act, at) {
  calls <- 0
  function(...) {
    calls <<- calls + 1
    if (calls == at) act()
  }
}

faulty <- function(act, at) {
  happens <- fault(act, at)
  batch <- random_batches()
  function() {
    happens()
    batch()
  }
}

# The occurrences of each place: how many steps of 2 epochs of 3 are finished then.
fault_occurrences <- list(
  generator = c("1" = 0, "2" = 1, "3" = 2, "4" = 3),
  validation_data = c("1" = 3, "2" = 3, "3" = 6),
  on_train_begin = c("1" = 0), on_epoch_begin = c("1" = 0, "2" = 3),
  on_train_batch_begin = c("1" = 0, "4" = 3), on_train_batch_end = c("1" = 1, "3" = 3),
  on_test_begin = c("1" = 3), on_test_batch_begin = c("2" = 3), on_test_batch_end = c("3" = 6),
  on_test_end = c("2" = 6), on_epoch_end = c("1" = 3, "2" = 6), on_train_end = c("1" = 6)
)

# Every place, occurrence and way, with sizes of the queue.
fault_table <- function(ways, places = names(fault_occurrences)) {
  rows <- do.call(rbind, lapply(places, function(place) {
    expand.grid(place = place, at = as.integer(names(fault_occurrences[[place]])), way = ways, stringsAsFactors = FALSE)
  }))
  if (all_faults) return(merge(rows, data.frame(size = queue_sizes)))
  rows$size <- rep_len(queue_sizes, nrow(rows))
  rows
}

# Trains with `act` at a place of the table. `lambda`: hooks are Keras's, not R's plain lists.
train_with <- function(model, place, act, at, size, lambda = FALSE) {
  model$set_weights(list(matrix(0)))
  model$optimizer$iterations$assign(0L)
  generator <- if (place == "generator") faulty(act, at) else random_batches()
  validation <- if (place == "validation_data") faulty(act, at) else random_batches()
  hooks <- if (startsWith(place, "on_")) stats::setNames(list(hook_of(place, fault(act, at))), place)
  if (lambda) hooks <- do.call(keras()$callbacks$LambdaCallback, hooks)
  train(model, generator, 3, epochs = 2, validation_data = validation, validation_steps = 2,
        callbacks = if (!is.null(hooks)) list(hooks), max_queue_size = size)
}

# Keras calls hooks by the names of their arguments.
hook_of <- function(place, act) {
  if (grepl("epoch", place)) return(function(epoch, logs) act())
  if (grepl("batch", place)) return(function(batch, logs) act())
  function(logs) act()
}

finished_steps <- function(place, at) fault_occurrences[[place]][[as.character(at)]]

label_of <- function(row) paste(unlist(row), collapse = " ")

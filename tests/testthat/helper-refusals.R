# A call for every place in the package that signals a condition, named by what is wrong.

fit_one <- function(value, ...) function() train(linear_model(), function() value, 1, ...)

fit_with <- function(...) function() train(linear_model(), random_batches(), ...)

with_validation <- function(data) fit_with(1, validation_data = data)

deep_list <- function(depth) {
  inner <- 1
  for (i in seq_len(depth)) inner <- list(inner)
  inner
}

fails <- function(...) stop("the disk is full")

python_generator <- function(code) {
  lines <- c("def fitgenerator_test_source():", paste0("    ", code))
  reticulate::py_run_string(paste(lines, collapse = "\n"))
  reticulate::py_get_attr(reticulate::import_main(convert = FALSE), "fitgenerator_test_source")()
}

ended_after <- function(n) {
  calls <- 0
  function() if ((calls <<- calls + 1) <= n) random_batches()()
}

# Evaluates `code` with replaced functions in a package.
with_replaced <- function(replaced, package, code) {
  namespace <- asNamespace(package)
  set <- function(values) {
    for (name in names(values)) {
      unlockBinding(name, namespace)
      assign(name, values[[name]], namespace)
      lockBinding(name, namespace)
    }
  }
  originals <- mget(names(replaced), namespace)
  on.exit(set(originals))
  set(replaced)
  force(code)
}

where <- function(replaced, package, call) function() with_replaced(replaced, package, call())

all_refusals <- function() {
  x <- matrix(1, 4, 1)
  c(
    batch_refusals(x), argument_refusals(x), source_refusals(x), flow_refusals(x), failures(x), page_refusals(x),
    image_refusals(), picture_refusals(), setup_refusals(), worker_refusals()
  )
}

batch_refusals <- function(x) {
  list(
    "a bare matrix" = fit_one(x),
    "a list of one" = fit_one(list(x)),
    "a list of five" = fit_one(list(x, NULL, sum, list(1), 1)),
    "a list of four, to predict" = function() predict_generator(linear_model(), function() list(x, x, x, x), 1),
    "names in another order" = fit_one(list(y = x, x = x)),
    "NULL as inputs" = fit_one(list(NULL, x)),
    "NULL as targets" = fit_one(list(x, NULL)),
    "a function in a list" = fit_one(list(list(image = x, size = sum), x)),
    "dates" = fit_one(list(x, Sys.Date() + 1:4)),
    "an integer NA" = fit_one(list(x, c(1L, NA, 2L, 3L))),
    "a factor with NA" = fit_one(list(x, factor(c("a", NA)))),
    "columns of several types" = fit_one(list(data.frame(n = 1:4, who = letters[1:4], when = Sys.Date()), x)),
    "a data.frame without columns" = fit_one(list(data.frame(), x)),
    "an empty list" = fit_one(list(x, list())),
    "four parts without a loss" = function() train(linear_model(loss = NULL), function() list(x, x, x, x), 1),
    "names that are partly missing" = fit_one(list(list(a = x, x), x)),
    "a list in many lists" = fit_one(list(deep_list(30), x)),
    "unequal rows" = fit_one(list(x, 1:2)),
    "a vector for a row" = fit_one(list(1:2, x)),
    "no rows" = fit_one(list(x[0, , drop = FALSE], x[0, , drop = FALSE])),
    "a dict of Python" = fit_one(list(reticulate::py_eval("{'a': 'text'}", convert = FALSE), x)),
    "a list of Python's numbers" = fit_one(reticulate::tuple(x, c(1, 0, 1, 0))),
    "targets that are text" = fit_one(list(x, rep("a", 4))),
    "text for numbers" = fit_one(list(x, rep("a", 4)), class_weight = list("0" = 1)),
    "a class without a weight" = fit_one(list(x, 0:3), class_weight = list("0" = 1, "1" = 2)),
    "more inputs than the model has" = fit_one(list(list(x, x), x))
  )
}

argument_refusals <- function(x) {
  list(
    "a fraction of a step" = fit_with(0.5),
    "no steps" = fit_with(NULL),
    "no time" = fit_with(1, timeout = -1),
    "verbose" = fit_with(1, verbose = 7),
    "jit_compile" = fit_with(1, jit_compile = "yes"),
    "class weights without names" = fit_with(1, class_weight = list(1, 2)),
    "class weights by output" = fit_with(1, class_weight = list(a = list("0" = 1, "1" = 2))),
    "class weights that are negative" = fit_with(1, class_weight = list("0" = -1)),
    "no epochs to validate after" = fit_with(1, validation_freq = integer()),
    "no model" = function() train(mtcars, random_batches()),
    "a model of another session" = function() train(unserialize(serialize(linear_model(), NULL)), random_batches()),
    "an optimizer of another session" = function() {
      compile(linear_model(), unserialize(serialize(keras()$optimizers$SGD(), NULL)), "mse")
    },
    "a batch of another session" = fit_one(list(x, unserialize(serialize(keras()$ops$ones(4L), NULL)))),
    "a model of another kind" = function() train(reticulate::import("sys", convert = FALSE), random_batches()),
    "a model that is not compiled" = function() {
      layers <- keras()$layers
      train(keras()$Sequential(list(layers$Input(list(1L)), layers$Dense(1L))), random_batches())
    },
    "no callback" = fit_with(1, callbacks = "early stopping"),
    "a hook without a name" = fit_with(1, callbacks = list(function(epoch, logs) 1)),
    "a hook twice" = fit_with(1, callbacks = list(on_epoch_end = sum, on_epoch_end = sum)),
    "no hook" = fit_with(1, callbacks = list(on_epoch_ends = sum)),
    "a metric that is not there" = function() plot(train(linear_model(), random_batches(), 1), metrics = "auc")
  )
}

source_refusals <- function(x) {
  coro <- structure(function(n) n, class = c("coro_generator", "function"))
  list(
    "a generator that needs arguments" = function() train(linear_model(), function(i, n, ...) 1),
    "a factory of coro" = function() train(linear_model(), coro),
    "a batch for a generator" = function() train(linear_model(), list(x, x)),
    "a data.frame for a generator" = function() train(linear_model(), iris),
    "a Python object for a generator" = function() train(linear_model(), reticulate::import("sys", convert = FALSE)),
    "no fixed array" = with_validation(list()),
    "one fixed array" = with_validation(list(x)),
    "a fixed function" = with_validation(list(x, sum)),
    "fixed arrays of unequal rows" = with_validation(list(x, 1:3))
  )
}

# Reads `parts`, one after the other.
in_parts <- function(...) {
  parts <- list(...)
  function() {
    i <- 0L
    function() if ((i <<- i + 1L) <= length(parts)) parts[[i]]
  }
}

# Trains on a query whose connection is already in use.
read_twice <- function() {
  con <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
  on.exit(DBI::dbDisconnect(con))
  DBI::dbWriteTable(con, "rows", data.frame(x = 1:4 + 0, y = 0))
  flow <- flow_from_query(con, "SELECT * FROM rows", y ~ x, batch_size = 1)
  train(linear_model(), flow, 1, epochs = 2, validation_data = flow, validation_steps = 1)
}

flow_refusals <- function(x) {
  train_on <- function(...) function() train(linear_model(), flow_from_chunks(...), NULL)
  list(
    "a flow of unequal rows" = function() flow_from_data(x, 1:3),
    "a flow of a function" = function() flow_from_data(sum),
    "a flag" = function() flow_from_data(x, shuffle = "yes"),
    "a choice" = function() flow_from_data(x, last_batch = "pad"),
    "a seed" = function() flow_from_data(x, seed = -1),
    "a setting of a flow that is changed" = function() {
      flow <- flow_from_data(x)
      flow$shuffle <- FALSE
    },
    "a window that is too long" = function() timeseries_generator(x, x, 4),
    "a frame that is none" = function() flow_from_frame(x, "a"),
    "names of columns" = function() flow_from_frame(iris, 3),
    "an unknown column" = function() flow_from_frame(iris, "Sepal", "Species"),
    "a formula and targets" = function() flow_from_frame(iris, Species ~ ., "Species"),
    "a formula of what is not there" = function() flow_from_frame(iris, Species ~ Sepal),
    "a formula with a product" = function() flow_from_frame(iris, Species ~ Sepal.Width * Sepal.Length),
    "a formula with an offset" = function() flow_from_frame(iris, Species ~ Sepal.Width + offset(Sepal.Length)),
    "columns of one name" = function() flow_from_frame(cbind(iris, iris), "Species"),
    "missing values" = function() flow_from_frame(airquality, Wind ~ .),
    "dates in a column" = function() flow_from_frame(data.frame(day = Sys.Date(), y = 1), y ~ day),
    "a sequence of no function" = function() batch_sequence(x, 4),
    "a share of a function" = function() share_of(function() NULL, 0, 2),
    "a share of too few batches" = function() share_of(batch_sequence(function(i) i, 2), 0, 3),
    "a share for a process that is not there" = function() share_of(batch_sequence(function(i) i, 4), 2, 2),
    "a function of three numbers" = function() batch_sequence(function(a, b, c) 1, 4),
    "a setting that a sequence lacks" = function() {
      sequence <- batch_sequence(function(i) i, 4)
      sequence$size <- 3
    },
    "parts of no function" = function() flow_from_chunks(iris),
    "a function of a path" = function() flow_from_chunks(function(path) 1),
    "levels without names" = function() flow_from_chunks(in_parts(), levels = c("a", "b")),
    "nothing that reads" = train_on(function() iris, Sepal.Width ~ Sepal.Length),
    "parts that are no frames" = train_on(in_parts(1:3), Sepal.Width ~ Sepal.Length),
    "parts without rows" = train_on(function() function() iris[0, ], Sepal.Width ~ Sepal.Length),
    "words in parts" = train_on(in_parts(data.frame(y = 1, word = "a")), y ~ word, one_hot = TRUE),
    "no connection" = function() flow_from_query("data.sqlite", "SELECT 1"),
    "no query" = function() {
      con <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
      on.exit(DBI::dbDisconnect(con))
      flow_from_query(con, NULL)
    },
    "a connection that is read" = function() read_twice(),
    "a fraction of steps" = fit_with(2.4),
    "a prediction of a fraction of steps" = function() {
      predict_generator(echo_model(), flow_from_data(matrix(1:4), batch_size = 1, shuffle = FALSE), 2.4)
    },
    "a matrix as validation data" = with_validation(matrix(0, 8, 2)),
    "a data frame as validation data" = with_validation(data.frame(x = 1)),
    "text for inputs" = fit_one(list(matrix("a", 4, 1), x)),
    "steps of fixed arrays" = fit_with(1, validation_data = list(matrix(1:4), matrix(1:4)), validation_steps = 7),
    "a shuffled prediction" = function() {
      predict_generator(linear_model(), batch_sequence(function(i) list(x), 2, shuffle = TRUE))
    }
  )
}

failures <- function(x) {
  list(
    "code of the generator" = function() train(linear_model(), fails),
    "code of a hook" = fit_with(1, callbacks = list(on_epoch_end = fails)),
    "code of a loss" = function() train(linear_model(loss = fails), random_batches()),
    "code of a Python generator" = function() {
      train(linear_model(), python_generator(c("yield from ()", "raise KeyError('gone')")))
    },
    "a restart out of a hook" = function() abort_jump(),
    "a shape that the model does not take" = fit_one(list(matrix(1, 4, 3), x)),
    "a generator that is too slow" = function() {
      slow <- python_generator(c("import time", "time.sleep(0.3)", "yield 1"))
      train(linear_model(), slow, timeout = 0.05)
    },
    "a closure that is too slow" = function() {
      train(linear_model(), function() repeat sqrt(2), timeout = 0.5)
    },
    "R code in a Python source that is too slow" = function() {
      calling <- reticulate::py_eval("lambda function: iter(function, None)")
      train(linear_model(), calling(function() repeat sqrt(2)), timeout = 0.5)
    },
    "code of R in a Python source" = function() {
      train(linear_model(), reticulate::py_eval("lambda function: iter(function, None)")(fails))
    },
    "a path that is none" = function() checkpoint(NA),
    "a path elsewhere" = function() checkpoint("gs://bucket/saved.npz"),
    "a live view that is to open" = function() live_view(open = "yes"),
    "a live view without a file" = function() live_view(save = NA),
    "a live view elsewhere" = function() {
      train(linear_model(), numbered(), callbacks = live_view(save = "gs://bucket/run.html"))
    },
    "a live view that is neither" = function() train(linear_model(), numbered(), view_metrics = "yes"),
    "nothing to train on" = function() train(linear_model(), function() NULL),
    "nothing to evaluate" = function() evaluate_generator(linear_model(), function() NULL, 1),
    "nothing to predict" = function() predict_generator(linear_model(), function() NULL, 1),
    "training that ended early" = function() train(linear_model(), ended_after(3), 2, 3),
    "a prediction that ended early" = function() predict_generator(linear_model(), ended_after(3), 5),
    "a thread that was left behind" = function() {
      resolve(list(warnings = list(list("A generator did not return.", "AbandonedThreadWarning"))))
    },
    "a run of tfruns that cannot be written" = function() recording(new.env(), fails())
  )
}

page_refusals <- function(x) {
  fit_rows <- function(...) function() fit(linear_model(), ..., verbose = 0)
  layers <- function() keras_model_sequential(1, layers = list(keras()$layers$Dense(1L, name = "a")))
  list(
    "a shape that is none" = function() keras_model_sequential("two"),
    "no layer asked for" = function() get_layer(layers()),
    "a layer that is not there" = function() get_layer(layers(), index = 2),
    "no sequential model" = function() pop_layer(keras()$layers$Dense(1L)),
    "arrays of unequal rows" = fit_rows(x, 1:3),
    "a generator with a batch size" = fit_rows(random_batches(), batch_size = 2),
    "a generator that is to be split" = fit_rows(random_batches(), validation_split = 0.1),
    "a share of rows" = fit_rows(x, x, validation_split = 1),
    "an order of rows" = fit_rows(x, x, shuffle = "batch"),
    "an argument of another name" = fit_rows(x, x, nb_epoch = 2),
    "a batch without targets" = function() train_on_batch(linear_model(), x),
    "a batch of unequal rows" = function() train_on_batch(linear_model(), x, 1:3),
    "a model not compiled for a batch" = function() train_on_batch(layers(), x, x),
    "code of a loss, on a batch" = function() train_on_batch(linear_model(loss = fails), x, x),
    "a layer by a name that is not there" = function() get_layer(layers(), "b")
  )
}

picture_refusals <- function() {
  history <- some_history()
  list(
    "an unknown metric of no epoch" = function() plot(empty_history(), metrics = "auc"),
    "too much smoothing" = function() plot(history, smooth = 1),
    "a logarithm of something" = function() plot(history, log = "y"),
    "a timeline of no step" = function() plot(some_pipeline(), type = "timeline", last = 0)
  )
}

setup_refusals <- function() {
  no <- function(...) FALSE
  list(
    "no Python" = where(list(py_available = no), "reticulate", function() check_python()),
    "an old Python" = where(
      list(py_config = function() list(version = "3.8")), "reticulate", function() check_python()
    ),
    "no TensorFlow" = where(
      list(py_module_available = no, py_exe = function() "/usr/bin/python3"), "reticulate", function() check_python()
    ),
    "an old reticulate" = where(
      list(packageVersion = function(...) package_version("1.30")), "utils", function() .onLoad()
    ),
    "what Python lacks" = function() stop(failure_condition(list(kind = "setup", text = "Missing."))),
    "no iterators" = where(list(requireNamespace = no), "base", function() {
      train(linear_model(), structure(list(), class = c("containeriter", "iter")))
    }),
    "no DBI" = where(list(requireNamespace = no), "base", function() flow_from_query(NULL, "SELECT 1")),
    "no ggplot2" = where(list(requireNamespace = no), "base", function() use_ggplot2("ggplot2"))
  )
}

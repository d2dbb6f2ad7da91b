# Batches of every wrong and unusual kind, from a seed, for a linear model of three inputs whose loss has a closed
# form. A kind is a function of a plain 3 x 3 matrix (inputs) or 3 x 1 matrix (targets): a list of `value`, what the
# generator gives, and `plain`, the matrix that it stands for, `NULL` where it must be refused. Also sourced by
# bench/endurance/malformed.R.

stands_for <- function(value, plain) list(value = value, plain = plain)

itself <- function(value) stands_for(value, value)

refused_value <- function(value) {
  force(value)
  function(x) list(value = value, plain = NULL)
}

refused_like <- function(make) function(x) list(value = make(x), plain = NULL)

whole <- function(x) matrix(as.integer(abs(x) * 4), nrow(x))

# `x` with zeros, as a Matrix of class `kind`.
sparse_of <- function(kind) {
  function(x) {
    x[x < 0] <- 0
    value <- methods::as(x, "CsparseMatrix")
    value <- switch(kind,
      row = methods::as(value, "RsparseMatrix"), triplet = methods::as(value, "TsparseMatrix"),
      logical = methods::as(value, "lMatrix"), pattern = methods::as(value, "nMatrix"),
      dense = methods::as(x, "unpackedMatrix"), value
    )
    stands_for(value, 1 * unname(as.matrix(value)))
  }
}

# A square sparse matrix; itself where `x` is not square.
square <- function(make) {
  function(x) {
    if (ncol(x) != nrow(x)) return(itself(x))
    value <- make(x)
    stands_for(value, 1 * unname(as.matrix(value)))
  }
}

in_python <- function(make) function(x) stands_for(make(reticulate::np_array(x, "float32")), x)

fine_kinds <- function() {
  kinds <- list(
    "double matrix" = itself,
    "integer matrix" = function(x) stands_for(whole(x), 1 * whole(x)),
    "logical matrix" = function(x) stands_for(x > 0, 1 * (x > 0)),
    "raw matrix" = function(x) {
      value <- array(as.raw(whole(x)), dim(x))
      stands_for(value, 1 * whole(x))
    },
    "with NA" = function(x) {
      x[[2L]] <- NA
      itself(x)
    },
    "with NaN and Inf" = function(x) {
      x[1:2] <- c(NaN, Inf)
      itself(x)
    },
    "with dimnames" = function(x) {
      names <- list(paste0(strrep("row", 1e4), 1:3), strrep("column", seq_len(ncol(x)) * 1e4))
      stands_for(array(x, dim(x), names), x)
    },
    "with a class" = function(x) stands_for(structure(x, class = "mine"), x),
    "with attributes" = function(x) stands_for(structure(x, note = globalenv()), x),
    "scaled" = function(x) stands_for(scale(x, scale = FALSE), unclass(sweep(x, 2, colMeans(x)))),
    "ts" = function(x) stands_for(stats::ts(x), x),
    "table" = function(x) stands_for(as.table(whole(x)), 1 * whole(x)),
    "data.frame" = function(x) stands_for(as.data.frame(x), x),
    "data.frame of integers" = function(x) stands_for(as.data.frame(whole(x)), 1 * whole(x)),
    "data.frame of logicals" = function(x) stands_for(as.data.frame(x > 0), 1 * (x > 0)),
    "data.frame of factors" = function(x) {
      columns <- as.data.frame(lapply(seq_len(ncol(x)), function(j) factor(c("u", "v", "u"))))
      stands_for(columns, matrix(c(0, 1, 0), 3, ncol(x)))
    },
    "numpy array" = in_python(identity),
    "numpy array, column-major" = in_python(reticulate::import("numpy", convert = FALSE)$asfortranarray),
    "tensor" = in_python(reticulate::import("tensorflow", convert = FALSE)$constant),
    "variable" = in_python(reticulate::import("tensorflow", convert = FALSE)$Variable)
  )
  if (requireNamespace("tibble", quietly = TRUE)) {
    kinds$tibble <- function(x) stands_for(tibble::as_tibble(as.data.frame(x)), x)
  }
  if (requireNamespace("Matrix", quietly = TRUE)) kinds <- c(kinds, matrix_kinds())
  kinds
}

matrix_kinds <- function() {
  list(
    "dgCMatrix" = sparse_of("column"), "dgRMatrix" = sparse_of("row"), "dgTMatrix" = sparse_of("triplet"),
    "lgCMatrix" = sparse_of("logical"), "ngCMatrix" = sparse_of("pattern"), "dgeMatrix" = sparse_of("dense"),
    "symmetric" = square(function(x) Matrix::forceSymmetric(methods::as(x, "CsparseMatrix"))),
    "triangular" = square(function(x) Matrix::triu(methods::as(x, "CsparseMatrix"))),
    "diagonal" = square(function(x) Matrix::Diagonal(3)),
    "diagonal of numbers" = square(function(x) Matrix::Diagonal(3, 1:3)),
    "permutation" = square(function(x) methods::as(3:1, "pMatrix")),
    "triplets that are there twice" = square(function(x) {
      methods::new("dgTMatrix", i = c(0L, 0L), j = c(1L, 1L), x = c(1, 2), Dim = c(3L, 3L))
    })
  )
}

# What changes the shape: `plain` is a matrix only where the model takes it as that.
shape_kinds <- function() {
  column <- function(make) {
    function(x) if (ncol(x) == 1L) stands_for(make(x), x) else stands_for(make(x[, 1L]), NULL)
  }
  list(
    "vector" = column(as.vector),
    "named vector" = column(function(x) stats::setNames(as.vector(x), strrep("name", 1:3 * 1e4))),
    "one-dimensional array" = column(function(x) array(x, 3L)),
    "rank 3" = function(x) stands_for(array(x, c(dim(x), 1L)), x),
    "rank 5" = refused_like(function(x) array(x, c(dim(x), 1L, 2L, 1L))),
    "no rows" = refused_like(function(x) x[0L, , drop = FALSE]),
    "one row less" = function(x) itself(x[-1L, , drop = FALSE]),
    "no dimension" = refused_value(5),
    "no columns" = refused_like(function(x) x[, 0L, drop = FALSE])
  )
}

bad_kinds <- function() {
  np <- reticulate::import("numpy", convert = FALSE)
  builtins <- reticulate::import_builtins(convert = FALSE)
  methods::setClass("fitgeneratorTestS4", methods::representation(x = "numeric"), where = globalenv())
  deep <- list(1)
  for (i in 1:3000) deep <- list(deep)
  language <- list(
    "formula" = y ~ x, "call" = quote(f(x)), "symbol" = quote(x), "expression" = expression(a, b),
    "function" = function(x) x, "primitive" = sum, "pairlist" = pairlist(1, 2), "byte code" = compiler::compile(1)
  )
  values <- list(
    "NULL" = NULL, "complex" = matrix(1i, 3, 3), "Date" = Sys.Date() + 0:2, "POSIXct" = Sys.time() + 0:2,
    "POSIXlt" = as.POSIXlt(Sys.time() + 0:2), "difftime" = as.difftime(1:3, units = "secs"),
    "integer64" = structure(c(1, 2, 3), class = "integer64"), "factor with NA" = factor(c("a", NA, "b")),
    "NA" = c(NA, TRUE, FALSE), "integer NA" = c(1L, NA, 3L), "character" = matrix("text", 3, 3),
    "character NA" = c("a", NA, "b"), "environment" = new.env(), "class on an environment" =
      structure(new.env(), class = "R6"), "S4" = methods::new("fitgeneratorTestS4", x = 1),
    "list with a class" = structure(list(1, 2, 3), class = strrep("mine", 100)), "no list" = list(),
    "list in lists" = list(list(list(list()))), "deep list" = deep, "list of functions" = list(sum, sum),
    "names partly" = list(a = 1:3, 2:4), "names twice" = stats::setNames(list(1:3, 1:3), rep(strrep("n", 1e4), 2)),
    "long name" = stats::setNames(list(sum), strrep("name", 1e4)), "AsIs" = I(list(1, 2, 3)),
    "lm" = structure(list(coefficients = 1), class = "lm"),
    "columns of text" = data.frame(a = 1:3, b = letters[1:3]), "no columns at all" = data.frame()[1:3, ],
    "a column of dates" = data.frame(a = 1:3, when = Sys.Date()),
    "a column of times" = data.frame(a = 1:3, when = Sys.time()),
    "a column of lists" = structure(list(a = list(1, 2, 3)), row.names = 1:3, class = "data.frame"),
    "a column with a long name" = stats::setNames(data.frame(1:3, letters[1:3]), c("a", strrep("n", 1e5))),
    "Python dict" = reticulate::dict(a = 1), "Python None" = builtins$None, "Python text" = builtins$str("text"),
    "Python number" = np$float64(1), "Python set" = builtins$set(list(1, 2)), "Python function" = builtins$len,
    "Python iterator" = builtins$iter(list(1)), "NumPy of objects" = np$array(list(builtins$object()), "object"),
    "NumPy dates" = np$array(list("2020-01-01", "2020-01-02", "2020-01-03"), "datetime64[D]"),
    "NumPy masked" = np$ma$array(c(1, 2, 3), mask = c(TRUE, FALSE, FALSE))
  )
  if (requireNamespace("Matrix", quietly = TRUE)) {
    values[["sparse vector"]] <- methods::as(c(0, 1, 2), "sparseVector")
    values[["sparse with NA"]] <- methods::as(matrix(c(NA, TRUE, FALSE), 3, 3), "CsparseMatrix")
  }
  lapply(c(values, language), refused_value)
}

# -- what is right --------------------------------------------------------------------------------------------------

malformed_x <- matrix(c(-1, 0.5, 2, 0, 1, -0.5, 0.25, -2, 1.5), 3)
malformed_y <- matrix(c(0.5, -1, 2))
malformed_rate <- 0.1

# The loss of a linear model with the mean squared error, before a step, and its weights after the step.
closed_form <- function(x, y, w, weights) {
  if (ncol(x) != nrow(weights)) return(NULL)
  error <- x %*% weights - y
  slope <- t(x) %*% (error * w) * 2 / nrow(x)
  list(loss = mean(w * error^2), weights = weights - malformed_rate * slope, outputs = x %*% weights)
}

# One batch: what is unusual about it, the batch, and its plain parts, `NULL` where it must be refused.
malformed_case <- function(kinds) {
  parts <- list(x = itself(malformed_x), y = itself(malformed_y))
  label <- character()
  for (name in names(parts)) {
    if (stats::runif(1) < 0.6) {
      kind <- sample(names(kinds), 1L)
      label <- c(label, sprintf("%s: %s", name, kind))
      parts[[name]] <- kinds[[kind]](if (name == "x") malformed_x else malformed_y)
    }
  }
  w <- malformed_weights(sample(length(malformed_weights_all), 1L))
  label <- c(label, if (!is.null(w$label)) paste("weights:", w$label))
  batch <- list(parts$x$value, parts$y$value)
  if (!is.null(w$label)) batch <- c(batch, list(w$value))
  plain <- list(parts$x$plain, parts$y$plain, w$plain)
  rows <- unique(c(nrow(plain[[1L]]), nrow(plain[[2L]]), setdiff(length(w$plain), 1L)))
  if (length(rows) != 1L || any(vapply(plain, is.null, NA))) plain <- NULL
  container <- if (stats::runif(1) < 0.9) "list" else sample(names(malformed_containers), 1L)
  if (container != "list") {
    batch <- malformed_containers[[container]](batch)
    plain <- NULL
  }
  list(label = paste(c(label, container), collapse = "; "), batch = batch, plain = plain, x = parts$x$plain)
}

malformed_weights_all <- list(
  list(NULL, NULL, 1), list(NULL, NULL, 1), list(NULL, NULL, 1), list(NULL, NULL, 1),
  list("NULL", NULL, 1), list("vector", c(1, 0, 2), c(1, 0, 2)), list("integers", c(2L, 1L, 0L), 2:0),
  list("column", matrix(1:3 / 2), 1:3 / 2), list("negative", c(-1, 1, 2), c(-1, 1, 2)),
  list("NaN", c(NaN, 1, 1), c(NaN, 1, 1)), list("logical", c(TRUE, FALSE, TRUE), c(1, 0, 1)),
  list("two", 1:2, 1:2), list("text", letters[1:3], NULL), list("date", Sys.Date() + 1:3, NULL)
)

malformed_weights <- function(i) stats::setNames(malformed_weights_all[[i]], c("label", "value", "plain"))

malformed_containers <- list(
  "bare" = function(batch) batch[[1L]],
  "one part" = function(batch) batch[1L],
  "four parts" = function(batch) c(batch, batch)[1:4],
  "no parts" = function(batch) list(),
  "names in another order" = function(batch) stats::setNames(rev(batch[1:2]), c("y", "x")),
  "long names in another order" = function(batch) c(stats::setNames(batch[1], strrep("n", 1e5)), list(inputs = 1)),
  "twice in lists" = function(batch) list(batch),
  "an environment" = function(batch) globalenv(),
  "FALSE" = function(batch) FALSE
)

malformed_places <- c("first", "middle", "validation", "evaluate", "predict")

# Runs a case on `model`, whose weights begin as `start`; a word for what came of it. Fails with `stop()` where that
# was not right.
try_malformed <- function(case, place, model, start, queue) {
  good <- list(malformed_x, malformed_y)
  stepped <- closed_form(good[[1L]], good[[2L]], 1, start)
  model$set_weights(list(reticulate::np_array(start, "float32")))
  result <- tryCatch(run_malformed(case$batch, place, model, good, queue), error = identity)
  before <- if (place %in% c("middle", "validation")) stepped$weights else start
  if (inherits(result, "error")) {
    word <- judge_refusal(result, case, place)
    after <- before
  } else {
    plain <- if (place == "predict" && is.null(case$plain) && is.matrix(case$x)) list(case$x, 0, 1) else case$plain
    if (is.null(plain)) stop("accepted, although it must be refused")
    wanted <- closed_form(plain[[1L]], plain[[2L]], plain[[3L]], before)
    judge_value(result, wanted, place)
    after <- switch(place, first = , middle = wanted$weights, before)
    if (place == "middle") after <- closed_form(good[[1L]], good[[2L]], 1, after)$weights
    word <- switch(place, first = , middle = "trained", predict = "predicted", "evaluated")
  }
  if (!near(weights_of(model)[[1L]], after)) stop("other weights than those of the last finished step")
  again <- train(model, function() good, 1)
  if (!near(again$metrics$loss, closed_form(good[[1L]], good[[2L]], 1, after)$loss)) stop("the next call is off")
  word
}

run_malformed <- function(batch, place, model, good, queue) {
  calls <- 0
  odd <- function() batch
  between <- function() if ((calls <<- calls + 1) == 2) batch else good
  switch(place,
    first = train(model, odd, 1, max_queue_size = queue)$metrics$loss,
    middle = train(model, between, 3, max_queue_size = queue)$metrics$loss,
    validation = train(model, function() good, 1, max_queue_size = queue, validation_data = odd,
                       validation_steps = 1)$metrics$val_loss,
    evaluate = evaluate_generator(model, odd, 1, max_queue_size = queue)$loss,
    predict = predict_generator(model, odd, 1, max_queue_size = queue)
  )
}

near <- function(a, b) isTRUE(all.equal(as.vector(a), as.vector(b), tolerance = 1e-4))

judge_value <- function(result, wanted, place) {
  if (is.null(wanted)) stop("accepted, although the model has another number of inputs")
  if (place == "middle") return(invisible())
  wanted <- if (place == "predict") wanted$outputs else wanted$loss
  if (!near(result, wanted)) stop(sprintf("%s instead of %s", format(result[[1L]]), format(wanted[[1L]])))
}

judge_refusal <- function(e, case, place) {
  text <- conditionMessage(e)
  if (!inherits(e, "fitgenerator_error")) stop(sprintf("no error of ours, but %s: %s", class(e)[[1L]], text))
  number <- if (place == "middle") 2 else 1
  where <- if (place == "validation") "validation_data" else "generator"
  named <- sprintf("Batch %d: %s\\(\\)|[Bb]atch %d of `%s`", number, where, number, where)
  if (!grepl(named, text)) stop("the place is not named: ", text)
  if (nchar(text) >= 2000) stop(nchar(text), " characters: ", substr(text, 1, 200))
  if (inherits(e, "fitgenerator_generator_error")) stop("the generator is blamed: ", text)
  if (!is.null(case$plain) && !inherits(e, "fitgenerator_python_error")) stop("refused: ", text)
  sub("^fitgenerator_", "", class(e)[[1L]])
}

# Tries `n` cases; a data frame of `label`, `place`, `word` ("FAILED" where it was not right) and `text`.
try_malformed_cases <- function(n, seed) {
  set.seed(seed)
  groups <- list(fine_kinds(), fine_kinds(), shape_kinds(), bad_kinds())
  model <- linear_model(3L, rate = malformed_rate)
  start <- matrix(c(1, -0.5, 0.25))
  rows <- lapply(seq_len(n), function(i) {
    case <- malformed_case(groups[[sample(4L, 1L)]])
    place <- sample(malformed_places, 1L)
    queue <- sample(c(0, 3), 1L)
    failed <- ""
    word <- tryCatch(try_malformed(case, place, model, start, queue), error = function(e) {
      failed <<- conditionMessage(e)
      "FAILED"
    })
    data.frame(label = case$label, place = place, word = word, text = failed)
  })
  do.call(rbind, rows)
}

refused <- function(expr) tryCatch({ expr; NULL }, fitgenerator_batch_error = identity)

skip_without_numpy <- function() {
  skip_if_not_installed("reticulate")
  skip_if_not(tryCatch(reticulate::py_module_available("numpy"), error = function(e) FALSE), "numpy")
}

# What Python sees: dtype, shape and C-ordered values of one array.
seen_by_python <- function(x) {
  np <- reticulate::import("numpy", convert = FALSE)
  x <- np$asarray(reticulate::r_to_py(x))
  list(dtype = reticulate::py_str(x$dtype), shape = as.integer(unlist(reticulate::py_to_r(x$shape))),
       flat = as.vector(reticulate::py_to_r(x$ravel(order = "C")$tolist())))
}

test_that("a vector becomes a 1-d array, also of length one", {
  expect_identical(as_part(1), array(1, 1L))
  expect_identical(as_part(c(a = 1, b = 2)), array(c(1, 2), 2L))
  expect_identical(as_part(1:3), array(1:3, 3L))
  expect_identical(as_part(TRUE), array(TRUE, 1L))
  expect_identical(as_part(as.raw(7)), array(as.raw(7), 1L))
  expect_identical(as_part("a"), array("a", 1L))
})

test_that("arrays keep type and dim and lose all other attributes", {
  x <- matrix(1:6, 2, dimnames = list(NULL, letters[1:3]))
  expect_identical(as_part(x), matrix(1:6, 2))
  expect_identical(as_part(structure(x + 0.5, note = "mine")), matrix(1:6 + 0.5, 2))
  expect_identical(as_part(table(c(1, 1, 2))), array(c(2L, 1L), 2L))
  expect_identical(as_part(scale(matrix(c(1, 3), 2))), matrix(c(-1, 1) / sqrt(2), 2))
  expect_identical(as_part(ts(c(1, 2))), array(c(1, 2), 2L))
})

test_that("a double array that has only a dim is not copied", {
  skip_if_not(capabilities("profmem"))
  x <- array(0, c(100, 10, 10))
  address <- tracemem(x)
  on.exit(untracemem(x))
  expect_output(part <- as_part(x), NA)
  expect_identical(tracemem(part), address)
})

test_that("a factor is its codes from 0, and NA in it is refused", {
  f <- factor(c("b", "a", "b"))
  expect_identical(as_part(f), array(as.integer(f) - 1L, 3L))
  expect_identical(as_part(ordered(c("b", "a"))), array(c(1L, 0L), 2L))
  expect_match(conditionMessage(refused(as_part(factor(c("a", NA))))), "factor.*NA")
})

test_that("a data.frame with columns of one type is a matrix", {
  d <- data.frame(a = 1:2, b = c(0.5, 1.5))
  expect_identical(as_part(d), unname(as.matrix(d)))
  expect_identical(as_part(data.frame(a = 1:2, b = 3:4)), matrix(1:4, 2))
  expect_identical(as_part(data.frame(a = c(TRUE, NA) %in% TRUE)), matrix(c(TRUE, FALSE)))
  codes <- data.frame(a = factor(c("u", "v")), b = factor(c("z", "y")))
  expect_identical(as_part(codes), matrix(c(0:1, 1:0), 2))
  expect_identical(as_part(data.frame(a = "u", b = "v")), matrix(c("u", "v"), 1))
})

test_that("a tibble is a matrix as a data.frame is", {
  skip_if_not_installed("tibble")
  expect_identical(as_part(tibble::tibble(a = 1:2, b = c(0.5, 1.5))), matrix(c(1, 2, 0.5, 1.5), 2))
})

test_that("a data.frame of mixed columns is refused with the names of those that do not fit", {
  e <- refused(as_batch(list(data.frame(n = 1, when = Sys.Date(), who = "me", m = 2L), 1), batch = 2L))
  expect_match(conditionMessage(e), "`when` (Date), `who` (character)", fixed = TRUE)
  expect_no_match(conditionMessage(e), "`n`|`m`")
  expect_match(conditionMessage(e), "Batch 2: generator\\(\\)")
  d <- data.frame(a = 1)
  d$inner <- matrix(1, 1, 2)
  d$many <- list(1)
  expect_match(conditionMessage(refused(as_part(d))), "`inner` (matrix), `many` (list)", fixed = TRUE)
  expect_match(conditionMessage(refused(as_part(iris[0]))), "no columns")
})

test_that("all kinds of sparse matrices give their entries row by row from 0", {
  skip_if_not_installed("Matrix")
  library(Matrix)
  dense <- matrix(c(0, 2, 0, 4, 0, 0, 0, -1, 3), 3)
  even <- crossprod(dense)
  csc <- as(dense, "CsparseMatrix")
  all_kinds <- list(
    csc, as(dense, "RsparseMatrix"), as(dense, "TsparseMatrix"), as(dense != 0, "CsparseMatrix"),
    as(dense != 0, "RsparseMatrix"), as(csc, "nMatrix"), forceSymmetric(as(even, "CsparseMatrix")), triu(csc),
    Diagonal(3), Diagonal(3, 1:3), as(c(2L, 2L, 1L), "indMatrix"), as(3:1, "pMatrix"), csc * 0,
    new("dgTMatrix", i = c(0L, 0L), j = c(1L, 1L), x = c(1, 2), Dim = c(2L, 2L))
  )
  for (m in all_kinds) {
    parts <- sparse_parts(m)
    wanted <- unname(as.matrix(m))
    filled <- array(vector(typeof(wanted), length(wanted)), as.vector(parts$shape))
    filled[cbind(parts$rows + 1L, parts$cols + 1L)] <- parts$values
    expect_identical(filled, wanted, info = class(m))
    expect_false(is.unsorted(parts$rows), info = class(m))
    expect_true(is.integer(parts$rows) && is.integer(parts$cols), info = class(m))
    expect_identical(unname(lengths(lapply(parts, dim))), rep(1L, 4), info = class(m))
  }
})

test_that("a dense Matrix is a matrix", {
  skip_if_not_installed("Matrix")
  m <- Matrix::Matrix(c(1, 2, 2, 5), 2, sparse = FALSE)
  expect_identical(as_part(m), matrix(c(1, 2, 2, 5), 2))
})

test_that("lists are inputs by name or by position, at any depth", {
  expect_identical(as_part(list(1, 2:3)), list(array(1, 1L), array(2:3, 2L)))
  expect_identical(as_part(list(b = 1, a = list(c = 2))), list(b = array(1, 1L), a = list(c = array(2, 1L))))
  expect_match(conditionMessage(refused(as_part(list(a = 1, 2)))), "names are partly missing")
  expect_match(conditionMessage(refused(as_part(list(a = 1, a = 2)))), "not unique")
  expect_match(conditionMessage(refused(as_part(list()))), "a list of 0")
})

test_that("what is no array is refused by its class, and by no dump of it", {
  bad <- list(sum, function() 1, globalenv(), quote(a), quote(a + b), 1i, NULL, Sys.Date(), Sys.time(),
              as.POSIXlt(Sys.time()), as.difftime(1, units = "secs"), structure(1, class = "integer64"),
              structure(1, units = "m", class = "units"),
              structure(list(1), class = "mine"), list(1, sum), structure(new.env(), class = "R6"), y ~ x)
  for (x in bad) {
    e <- refused(as_batch(list(x, 1), batch = 7L))
    expect_s3_class(e, "fitgenerator_batch_error")
    expect_match(conditionMessage(e), "^Batch 7: generator\\(\\) returned a list whose ")
    expect_match(conditionMessage(e), "element 1 \\(inputs\\) is (an? |NULL)")
    expect_lt(nchar(conditionMessage(e)), 420)
    expect_identical(e$batch, 7L)
  }
  expect_match(conditionMessage(refused(as_batch(list(1, Sys.Date())))), "`Date`.*as.numeric")
})

test_that("T28: quantities with a unit are refused like differences of times, also as columns", {
  lengths <- structure(1:4 + 0, units = structure(list(numerator = "m"), class = "symbolic_units"), class = "units")
  expect_match(conditionMessage(refused(as_batch(list(lengths, 1:4)))), "`units`.*as.numeric")
  expect_match(conditionMessage(refused(as_batch(list(data.frame(a = 1:4, b = I(lengths)), 1:4)))), "columns")
})

test_that("NA is refused where Python has no value for it, and kept as NaN in doubles", {
  for (x in list(NA, NA_integer_, NA_character_)) expect_match(conditionMessage(refused(as_part(x))), "NA")
  expect_identical(as_part(c(1, NA)), array(c(1, NA), 2L))
})

test_that("a batch is a list of two or three parts", {
  expect_identical(as_batch(list(1, 2)), list(array(1, 1L), array(2, 1L)))
  expect_identical(as_batch(list(1, 2, 3)), list(array(1, 1L), array(2, 1L), array(3, 1L)))
  expect_identical(as_batch(list(1, 2, NULL)), list(array(1, 1L), array(2, 1L)))
  expect_identical(as_batch(list(x = 1, y = 2)), list(array(1, 1L), array(2, 1L)))
  expect_identical(as_batch(list(image = 1, digit = 2)), list(array(1, 1L), array(2, 1L)))
})

test_that("what is no batch is refused with what was found and the allowed forms", {
  x <- matrix(0, 32, 16)
  found <- list(
    "a 32 x 16 double matrix" = x, "a list of 1 (a 32 x 16 double matrix)" = list(x),
    "a list of 5 (a 32 x 16 double matrix, NULL, a function, a list of 1, ...)" =
      list(x, NULL, sum, list(1), 1),
    "`data.frame` (150 x 5)" = iris, "an integer vector of length 3" = 1:3, "a list of 0" = list()
  )
  for (i in seq_along(found)) {
    e <- refused(as_batch(found[[i]], batch = 4L))
    expect_match(conditionMessage(e), names(found)[[i]], fixed = TRUE)
    expect_match(conditionMessage(e), "list(inputs, targets, weights)", fixed = TRUE)
    expect_match(conditionMessage(e), "^Batch 4: ")
  }
})

test_that("NULL is refused as inputs and targets", {
  expect_match(conditionMessage(refused(as_batch(list(NULL, 1)))), "element 1 \\(inputs\\) is NULL")
  expect_match(conditionMessage(refused(as_batch(list(1, NULL)))), "element 2 \\(targets\\) is NULL")
  expect_match(conditionMessage(refused(as_batch(list(list(a = NULL), 1)))), "element `a` of element 1")
})

test_that("NULL in a list of targets or weights stands for an output that has none", {
  y <- matrix(1:2 / 4)
  expect_identical(as_batch(list(1, list(y, NULL)))[[2L]], list(y, NULL))
  expect_identical(as_batch(list(1, 2, list(b = list(NULL), a = 1)))[[3L]], list(b = list(NULL), a = array(1, 1L)))
  layers <- keras()$layers
  loss_of <- function(loss, ...) {
    keras()$utils$set_random_seed(1L)
    input <- layers$Input(list(1L))
    outputs <- lapply(c("a", "b"), function(name) layers$Dense(1L, name = name)(input))
    model <- keras()$Model(input, outputs)
    model$compile("sgd", loss)
    source <- list(...)
    fit_generator(model, batch_sequence(function(i) source, 2), verbose = 0, workers = workers)$metrics$loss
  }
  for (workers in 1:2) {
    expect_identical(loss_of(list("mse", NULL), y, list(y, NULL)), loss_of(list("mse", NULL), y, list(a = y)))
    named <- loss_of(list("mse", "mse"), y, list(y, y), list(a = 1:2))
    expect_identical(loss_of(list("mse", "mse"), y, list(y, y), list(1:2, NULL)), named)
  }
})

test_that("names that say another order than the positions are refused", {
  expect_match(conditionMessage(refused(as_batch(list(y = 1, x = 2)))), "by position")
  expect_match(conditionMessage(refused(as_batch(list(Inputs = 1, weights = 2)))), "by position")
})

test_that("data that was given, not returned, is named as the argument", {
  e <- expect_error(as_batch(list(1, sum), "validation_data", NULL), class = "fitgenerator_argument_error")
  expect_match(conditionMessage(e), "^`validation_data` is a list whose element 2")
})

test_that("predict takes bare inputs and batches with targets and weights", {
  x <- array(1, 1L)
  forms <- list(1, list(1), list(1, 2), list(1, 2, 3), list(1, NULL))
  for (form in forms) expect_identical(as_inputs(form), list(x))
  expect_identical(as_inputs(list(b = 1, a = 1)), list(list(b = x, a = x)))
  expect_identical(as_inputs(list(list(1, 1))), list(list(x, x)))
  expect_identical(as_inputs(data.frame(a = 1, b = 2)), list(matrix(c(1, 2), 1)))
  expect_match(conditionMessage(refused(as_inputs(list(1, 2, 3, 4)))), "list(list(a, b))", fixed = TRUE)
  expect_match(conditionMessage(refused(as_inputs(NULL))), "returned NULL")
})

test_that("predict drops named parts only where no name can be that of an input, and refuses them in another order", {
  x <- array(1, 1L)
  unknown <- inputs_reader(character())
  known <- inputs_reader(c("input", "mask"))
  expect_identical(unknown(list(input = 1, mask = 1)), list(list(input = x, mask = x)))
  expect_identical(unknown(list(x = 1, label = 1)), list(x))
  expect_identical(unknown(list(inputs = 1, targets = 1, weights = 1)), list(x))
  expect_identical(known(list(input = 1, mask = 1)), list(list(input = x, mask = x)))
  expect_identical(known(list(input = 1, other = 1)), list(x))
  for (read in list(unknown, known)) {
    for (batch in list(list(y = 1, x = 1), list(targets = 1, weights = 1, inputs = 1))) {
      expect_match(conditionMessage(refused(read(batch))), "expected the order inputs, targets, weights")
    }
    expect_identical(read(list(list(y = 1, x = 1))), list(list(y = x, x = x)))
  }
  expect_identical(inputs_reader(c("x", "y"))(list(y = 1, x = 1)), list(list(y = x, x = x)))
  expect_identical(unknown(list(input = 1, feature = 1)), list(list(input = x, feature = x)))
})

test_that("NULL and coro's end value end a generator, and nothing else does", {
  expect_true(is_exhausted(NULL))
  expect_true(is_exhausted(as.symbol(".__exhausted__.")))
  for (x in list(list(), quote(end), ".__exhausted__.", FALSE)) expect_false(is_exhausted(x))
})

test_that("every element arrives in Python at its own index, with its type", {
  skip_without_numpy()
  for (dims in list(4L, 2:3, 2:4, 2:5, c(2L, 1L, 3L, 2L, 2L))) {
    x <- array(seq_len(prod(dims)) + 0.5, dims)
    seen <- seen_by_python(as_part(x))
    expect_identical(seen$shape, as.integer(dims))
    expect_identical(seen$flat, as.vector(aperm(x)))
    expect_identical(seen$dtype, "float64")
  }
  expect_identical(seen_by_python(as_part(5L))[1:2], list(dtype = "int32", shape = 1L))
  expect_identical(seen_by_python(as_part(FALSE))[1:2], list(dtype = "bool", shape = 1L))
  expect_identical(seen_by_python(as_part("a"))[1:2], list(dtype = "object", shape = 1L))
})

test_that("Python objects go as they are", {
  skip_without_numpy()
  x <- reticulate::import("numpy", convert = FALSE)$ones(list(2L, 2L))
  expect_identical(as_part(x), x)
  expect_identical(as_batch(list(x, 1))[[1]], x)
  pair <- reticulate::r_to_py(reticulate::tuple(x, x))
  expect_identical(as_batch(pair), pair)
  expect_identical(as_inputs(pair), pair)
  expect_identical(as_inputs(x), list(x))
})

test_that("a name is a name, also where a Python object of that name is in scope", {
  skip_without_numpy()
  np <- reticulate::import("numpy", convert = FALSE)
  keys <- reticulate::import_builtins()$sorted(reticulate::r_to_py(as_part(list(np = 1, b = 2))))
  expect_identical(keys, c("b", "np"))
})

test_that("lists in lists without an end are refused, long before R's stack ends", {
  deep <- 1
  for (i in 1:10000) deep <- list(deep)
  expect_match(conditionMessage(refused(as_batch(list(deep, 1)))), "is a list of 1 nested in 16 lists")
})

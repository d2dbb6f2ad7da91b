# R functions of one image, which flows call on other threads (`preprocessing_function`). The flow sends a request, and
# R's thread runs the function, in the host loop if there is one.
#
# A *cell* is an environment: Python keeps an environment and gives it back unchanged, which it does not do with a
# function. When a function fails, a list of the failure's text and a cell of its own crosses in place of an image.

function_cell <- function(fn, name) {
  cell <- new.env(parent = emptyenv())
  cell$fn <- fn
  cell$name <- name
  cell
}

# Why `fn` cannot be a function of one image; of length 0 if it can.
image_function_fault <- function(fn) {
  takes <- names(formals(args(fn)))
  needs <- setdiff(required_args(fn), takes[1L])
  if (!length(takes)) return("one without arguments")
  sprintf("one that also needs `%s`", utils::head(needs, 1L))
}

# What Python makes an `RFunction` of. `call` is for R's thread, in the absence of a host loop.
crossing_function <- function(fn, name) {
  cell <- function_cell(fn, name)
  list(name = name, cell = cell, call = function(image, seed) apply_cell(cell, image, seed))
}

# Returns what the function makes of an image, or its failure. The function's random numbers follow from `seed`; `NULL`
# continues the current ones.
apply_cell <- function(cell, image, seed, run = NULL) {
  fn <- cell$fn
  timeout <- run$timeout
  overdue <- stack <- NULL
  converting <- FALSE
  stop_overdue <- function(calls, n) {
    stack <<- where_it_stands(calls, n, cell$name, quote(fn(image)))
    overdue <<- overdue_error(cell$name, NA, timeout, stack)
    stop(overdue)
  }
  with_calls({
    value <- in_time(with_seed(seed, fn(image)), run, stop_overdue)
    converting <- TRUE
    as_picture(value, dim(image), cell$name)
  }, cell$name, function(cnd, calls) {
    if (identical(cnd, overdue)) {
      failed_cell(function(where) overdue_error(where$place, where$batch, timeout, stack))
    } else if (converting || is_time_limit(cnd)) {
      failed_cell(function(where) cnd)
    } else {
      failed_cell(function(where) function_error(cnd, cell$name, where, calls))
    }
  })
}

# `condition` makes the condition of where the function failed, once the batch and the image are known.
failed_cell <- function(condition) {
  cell <- new.env(parent = emptyenv())
  cell$condition <- condition
  list(text = conditionMessage(condition(NULL)), cell = cell)
}

# An image as it crosses: doubles, with the `dim` of the image that the function was given.
as_picture <- function(value, dims, name) {
  if (is_python(value)) return(value)
  fine <- (is.numeric(value) || is.logical(value)) && !is.factor(value) && identical(dim(value), dims)
  if (!fine) {
    text <- "`%s` must return an image, numbers with the dimensions of its argument, %s, not %s."
    abort_argument(sprintf(text, name, paste(dims, collapse = " x "), describe(value)), name)
  }
  array(as.double(value), dims)
}

# Rule 8: evaluates `code` with random numbers that follow from `seed`, and leaves the current ones as they were.
with_seed <- function(seed, code) {
  if (is.null(seed)) return(code)
  before <- session_seed()
  on.exit(set_seed(before))
  set.seed(seed)
  force(code)
}

# Answers a request to call a function of images. Returns the next request or `NULL`.
serve_apply <- function(run, request) {
  made <- apply_cell(request$cell, request$image, request$seed, run)
  cross(run$python$applied, made, slice)
}

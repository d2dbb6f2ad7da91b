# R functions of one image, which flows call while other threads read them. A flow asks; R's thread runs the
# function, in the host loop where there is one.
#
# A *cell* is an environment: Python keeps it and gives it back, which it would not do with a function. In place of
# an image the function's failure crosses as a list of its text and of a cell of its own.

function_cell <- function(fn, name) {
  cell <- new.env(parent = emptyenv())
  cell$fn <- fn
  cell$name <- name
  cell
}

# What is wrong with `fn` as a function of one image; nothing, where it is one.
image_function_fault <- function(fn) {
  takes <- names(formals(args(fn)))
  needs <- setdiff(required_args(fn), takes[1L])
  if (!length(takes)) return("one without arguments")
  sprintf("one that also needs `%s`", utils::head(needs, 1L))
}

# What Python makes an `RFunction` of. `call` is for R's thread, where no host is asked.
crossing_function <- function(fn, name) {
  cell <- function_cell(fn, name)
  list(name = name, cell = cell, call = function(image, seed) apply_cell(cell, image, seed))
}

# What the function makes of an image, or its failure. `seed` begins the function's own random numbers; `NULL` goes on
# with the current ones.
apply_cell <- function(cell, image, seed, calls = NULL, timeout = NULL) {
  fn <- cell$fn
  overdue <- NULL
  shaping <- FALSE
  stop_it <- function(calls, n) {
    stack <- where_it_stands(calls, n, cell$name, quote(fn(image)))
    overdue <<- overdue_error(cell$name, NA, timeout, stack)
    stop(overdue)
  }
  # Exiting: where R's stack is full, there is no room for a calling handler.
  tryCatch({
    value <- in_time(with_seed(seed, fn(image)), calls, timeout, stop_it)
    shaping <- TRUE
    as_picture(value, dim(image), cell$name)
  }, error = function(cnd) {
    if (identical(cnd, overdue)) return(failed_cell(function(place, batch, image) {
      overdue_error(place, batch, timeout, sub("^[^\n]*\n", "", conditionMessage(cnd)))
    }))
    failed_cell(if (shaping) function(place, batch, image) cnd else function(place, batch, image) {
      function_error(cnd, cell$name, place, batch, image)
    })
  })
}

failed_cell <- function(condition) {
  cell <- new.env(parent = emptyenv())
  cell$condition <- condition
  list(text = conditionMessage(condition("generator", NULL, NULL)), cell = cell)
}

# The condition of a failed cell. The notes say which image it was, and which batch it was for.
function_condition <- function(failure) {
  notes <- as.character(unlist(failure$notes))
  of_image <- "^While (.*) was processed\\.$"
  of_batch <- "^While batch ([0-9]+) of `(.*)` was made\\.$"
  image <- sub(of_image, "\\1", grep(of_image, notes, value = TRUE))
  batch <- grep(of_batch, notes, value = TRUE)
  if (!length(batch)) return(failure$cell$condition("generator", NULL, image))
  failure$cell$condition(sub(of_batch, "\\2", batch[[1L]]), as.integer(sub(of_batch, "\\1", batch[[1L]])), image)
}

# An image as it crosses: numbers with the `dim` of the one that the function was given.
as_picture <- function(value, dims, name) {
  if (inherits(value, "python.builtin.object")) return(value)
  fine <- (is.numeric(value) || is.logical(value)) && !is.factor(value) && identical(dim(value), dims)
  if (!fine) {
    text <- "`%s` must return an image with the dim of the one that it was given, %s, not %s."
    abort_argument(sprintf(text, name, paste(dims, collapse = " x "), describe(value)), name)
  }
  array(as.double(value), dims)
}

with_seed <- function(seed, code) {
  if (is.null(seed)) return(code)
  before <- session_seed()
  on.exit(set_seed(before))
  set.seed(seed)
  force(code)
}

# Answers a request to call a function; the next request, or `NULL`.
serve_apply <- function(calls, request, timeout = NULL) {
  made <- apply_cell(request[[2L]], request[[3L]], request[[4L]], calls, timeout)
  cross(calls$applied, made, slice)
}

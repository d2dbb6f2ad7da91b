# The connection of a worker process to the training, and how a batch is sent over it. These functions run in the
# worker, which may have nothing but base R: what they need is sent along (`portable_code()` in workers-pool.R). The
# other end is `workers/wire.py`, which says what the numbers mean.

# Dials the training. `ask(n)` waits for `n` integers, fewer if the training has gone; `take(n, size)` likewise for
# doubles that come as numbers of `size` bytes; `send(x, size)` sends raw bytes, integers, logicals, or doubles, as
# numbers of `size` bytes. `library` is the compiled code of this package, if it is installed here in the same version:
# it casts without a copy of the doubles. `watch`: the process ends when the training has gone. `gone()` is called where
# that is noticed in sending.
open_link <- function(host, port, token, library = NULL, watch = FALSE, gone = quit_quietly) {
  link <- if (!is.null(library)) compiled_link(host, port, library, watch, gone)
  if (is.null(link)) link <- base_link(host, port, gone)
  link$send(wire$magic)
  link$send(as.raw(strtoi(substring(token, 2L * 1:16 - 1L, 2L * 1:16), 16L)))
  link$send(Sys.getpid())
  link
}

compiled_link <- function(host, port, library, watch, gone) {
  # To load it again would unload it first, from under this package.
  code <- getLoadedDLLs()[["fitgenerator"]]
  if (is.null(code)) code <- tryCatch(dyn.load(library), error = function(cnd) NULL)
  if (is.null(code)) return(NULL)
  routines <- lapply(getDLLRegisteredRoutines(code)$.Call, identity)
  fd <- .Call(routines$link_open, host, port)
  if (is.null(fd)) return(NULL)
  if (watch) .Call(routines$link_watch, fd)
  list(
    ask = function(n) .Call(routines$link_ask, fd, n),
    take = function(n, size) .Call(routines$link_take, fd, n, size),
    send = function(x, size = 8L) if (!.Call(routines$link_send, fd, x, size)) gone(),
    close = function() .Call(routines$link_close, fd)
  )
}

# (Without "no-delay", each batch would take 40 ms more.)
base_link <- function(host, port, gone) {
  con <- socketConnection(host, port, open = "r+b", blocking = TRUE, timeout = 1e8, options = "no-delay")
  list(
    ask = function(n) readBin(con, "integer", n, endian = "little"),
    take = function(n, size) readBin(con, "double", n, size, endian = "little"),
    send = function(x, size = 8L) {
      bytes <- if (is.double(x)) size else NA_integer_
      tryCatch(writeBin(as.vector(x), con, size = bytes, endian = "little"), error = function(cnd) gone())
    },
    close = function() close(con)
  )
}

# The training has gone.
quit_quietly <- function() quit(save = "no", status = 0L)

# The numbers of the wire, as in `workers/wire.py`.
wire <- list(
  magic = 829908838L,
  array = 1L, list = 2L, named = 3L, null = 4L, sparse = 5L, condition = 6L, stands = 7L,
  most_dims = 11L,
  conditions = c(error = 0L, refused = 1L, warning = 2L, message = 3L, setup = 4L)
)

# Sends the header of a node.
send_header <- function(link, kind, type = 0L, items = 0L, dims = integer(), size = 0L) {
  link$send(c(wire$magic, kind, type, items, dims, integer(wire$most_dims - length(dims)), size))
}

# Sends a batch that is converted: arrays, lists of them, `NULL`.
send_value <- function(link, x, size) {
  if (is.null(x)) return(send_header(link, wire$null))
  if (inherits(x, "fitgenerator_sparse")) {
    send_header(link, wire$sparse)
    return(for (part in c("rows", "cols", "values", "shape")) send_array(link, x[[part]], size))
  }
  if (!is.list(x)) return(send_array(link, x, size))
  names <- if (!is.null(names(x))) as_bytes(names(x)) else raw()
  send_header(link, if (length(names)) wire$named else wire$list, items = length(x), size = length(names))
  if (length(names)) link$send(names)
  for (part in x) send_value(link, part, size)
}

send_array <- function(link, x, size) {
  type <- switch(typeof(x), double = if (size == 4L) 0L else 1L, integer = 2L, logical = 3L, raw = 4L, character = 5L)
  if (is.character(x)) {
    bytes <- as_bytes(x)
    send_header(link, wire$array, type, length(dim(x)), dim(x), length(bytes))
    return(link$send(bytes))
  }
  send_header(link, wire$array, type, length(dim(x)), dim(x))
  link$send(x, size)
}

# The image that follows a request, of numbers of `size` bytes; its header is that of a node.
take_image <- function(link, size) {
  header <- link$ask(5L + wire$most_dims)
  dims <- header[4L + seq_len(header[[4L]])]
  array(link$take(prod(dims), size), dims)
}

# Texts, in UTF-8, each with a zero byte at its end.
as_bytes <- function(x) writeBin(valid_text(as.vector(x)), raw(), useBytes = TRUE)

# Texts in UTF-8; a byte that is none of a text, as of a file in Latin-1, is written out, as <e9>.
valid_text <- function(x) iconv(enc2utf8(x), "UTF-8", "UTF-8", sub = "byte")

# Sends a condition as texts: its message, the code of its call, that of the calls which led to it, its classes. If
# these cannot be had, the reason takes their place.
send_condition <- function(link, kind, cnd, calls = NULL) {
  led <- utils::tail(calls, 50L)
  bytes <- tryCatch(as_bytes(condition_texts(cnd, led)), error = function(other) {
    led <<- NULL
    text <- paste("The condition cannot be sent:", condition_message(other))
    as_bytes(condition_texts(simpleCondition(text)))
  })
  send_header(link, wire$condition, wire$conditions[[kind]], items = length(led), size = length(bytes))
  link$send(bytes)
}

condition_texts <- function(cnd, led = NULL) {
  call <- tryCatch(conditionCall(cnd), error = function(other) NULL)
  c(condition_message(cnd), if (is.null(call)) "" else code_of(call), vapply(led, code_of, ""), class(cnd))
}

condition_message <- function(cnd) {
  text <- tryCatch(conditionMessage(cnd), error = function(other) "")
  substr(valid_text(paste(as.character(text), collapse = "\n")), 1L, 1e5L)
}

# The code of a call; that of its function alone if it is long: it may hold data.
code_of <- function(call) {
  text <- deparse(call, 500L, nlines = 20L)
  if (length(text) < 20L) paste(text, collapse = "\n") else deparse(as.call(list(call[[1L]])), nlines = 1L)[[1L]]
}

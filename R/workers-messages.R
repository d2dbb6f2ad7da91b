# Messages to and from the nodes of clusters, which come whole whatever interrupts do.
#
# While R waits for a socket, or for time to pass, it takes interrupts even where they are suspended (`R_SelectEx()` in
# its sources). Taken in the middle of a message, one leaves a node out of step: the rest of the message is missing, or
# the reply waits for whoever calls the node next. Where the timeout of a connection is 0, R does not wait, and takes
# none: `writeBin()` writes a small piece or nothing of it, `readBin()` reads what is there. The waiting is done here.

# Evaluates code that must come to its end. An interrupt that came meanwhile, or that `waiting()` met, is taken after
# it: as soon as interrupts are not suspended any more, which may be before any other code runs. So the state is in
# order by then.
unbroken <- function(code) {
  if (isTRUE(the$unbroken)) return(code) # the outermost takes it
  on.exit(if (isTRUE(the$interrupted)) interrupt_again())
  suspendInterrupts({
    the$interrupted <- FALSE
    the$unbroken <- TRUE
    tryCatch(code, finally = the$unbroken <- FALSE)
  })
}

# What R does about an interrupt. (A signal would also reach Python, if its handler is not suspended.)
interrupt_again <- function() {
  the$interrupted <- FALSE
  signalCondition(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
  invokeRestart("abort")
}

# In such code: a wait, which an interrupt ends with the value FALSE.
waiting <- function(code) {
  tryCatch(code, interrupt = function(cnd) {
    the$interrupted <- TRUE
    FALSE
  })
}

# The node of a cluster, with messages that come whole; others than sockets see to that by themselves.
whole_node <- function(node) {
  if (inherits(node, "fitgenerator_node")) return(node)
  if (is.list(node) && inherits(node$con, "sockconn")) class(node) <- c("fitgenerator_node", class(node))
  node
}

plain_node <- function(node) {
  class(node) <- setdiff(class(node), "fitgenerator_node")
  node
}

#' @exportS3Method parallel::sendData
sendData.fitgenerator_node <- function(node, data) { # nolint: object_name_linter. The name is parallel's.
  unbroken(send_whole(node$con, serialize(data, NULL, xdr = !inherits(node, "SOCK0node"))))
}

#' @exportS3Method parallel::recvData
recvData.fitgenerator_node <- function(node) { # nolint: object_name_linter. So is this one.
  if (!isTRUE(the$unbroken)) socketSelect(list(node$con)) # where the user's own call may be interrupted
  unbroken(receive_whole(node))
}

# Bytes that a socket takes either all or none of.
piece_size <- 2048L

send_whole <- function(con, bytes) {
  waits <- socketTimeout(con, 0L)
  on.exit(try(socketTimeout(con, waits), silent = TRUE))
  at <- 0
  full <- FALSE
  since <- Sys.time()
  withCallingHandlers(while (at < length(bytes)) {
    full <- FALSE
    piece <- bytes[at + seq_len(min(piece_size, length(bytes) - at))]
    writeBin(piece, con)
    if (full) {
      wait_for_node(con, TRUE, since)
    } else {
      at <- at + length(piece)
      since <- Sys.time()
    }
  }, warning = function(cnd) {
    full <<- TRUE
    invokeRestart("muffleWarning")
  })
}

# A node that Ctrl-C has reached as well, as it does from a terminal, may have dropped its reply. So it is asked for a
# sign, and what comes before that is its reply.
receive_whole <- function(node) {
  waits <- socketTimeout(node$con, 0L)
  on.exit(try(socketTimeout(node$con, waits), silent = TRUE))
  came <- raw()
  reply <- sign <- NULL
  ended <- FALSE
  since <- Sys.time()
  repeat {
    more <- readBin(node$con, "raw", 65536L)
    if (length(more)) {
      came <- c(came, more)
      ended <- FALSE
      since <- Sys.time()
      next
    }
    while (length(first <- first_message(came))) {
      if (is.null(sign)) return(first$value)
      if (identical(first$value$tag, sign)) return(if (is.null(reply)) stop("the node was interrupted") else reply)
      reply <- first$value
      came <- first$rest
    }
    if (ended) stop("the connection has ended")
    if (is.null(sign) && isTRUE(the$interrupted) && Sys.time() > since + 0.5) {
      sign <- sprintf("fitgenerator %.6f", as.numeric(Sys.time()))
      utils::getFromNamespace("sendCall", "parallel")(node, Sys.getpid, list(), tag = sign)
    }
    ended <- wait_for_node(node$con, FALSE, since) # or there is more to read
  }
}

# The first message in raw bytes, as its `value`, and the `rest`; `NULL` if it is not all there.
first_message <- function(bytes) {
  if (!length(bytes)) return(NULL)
  con <- rawConnection(bytes)
  on.exit(close(con))
  tryCatch(
    list(value = unserialize(con), rest = readBin(con, "raw", length(bytes))),
    error = function(cnd) NULL
  )
}

# Waits until a connection can be written to, or read; whether it can. Once the user has interrupted, a node that has
# not moved for 10 seconds is given up: without its connection, the user's next call is an error, not another call's
# value.
wait_for_node <- function(con, write, since) {
  if (isTRUE(the$interrupted) && Sys.time() > since + 10) {
    close(con)
    stop("the node has hung in the middle of a message, and its connection was closed")
  }
  waiting(socketSelect(list(con), write, slice))
}

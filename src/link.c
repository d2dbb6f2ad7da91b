/* The connection of a worker process to the training: arrays are cast and sent from R's own memory.

   Where this library is not installed, `base_link()` in workers-link.R does the same with R's connections. */

#include <R.h>
#include <Rinternals.h>

#ifdef _WIN32

/* `link_open()` gives no connection, so that the others are never called. */
#define UNUSED __attribute__((unused))

SEXP link_open(SEXP host UNUSED, SEXP port UNUSED) { return R_NilValue; }
SEXP link_ask(SEXP fd UNUSED, SEXP n UNUSED) { return R_NilValue; }
SEXP link_send(SEXP fd UNUSED, SEXP x UNUSED, SEXP size UNUSED) { return R_NilValue; }
SEXP link_watch(SEXP fd UNUSED) { return R_NilValue; }
SEXP link_close(SEXP fd UNUSED) { return R_NilValue; }
SEXP link_take(SEXP fd UNUSED, SEXP n UNUSED, SEXP size UNUSED) { return R_NilValue; }

#else

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* Connects; `NULL` if that fails. */
SEXP link_open(SEXP host, SEXP port) {
  struct addrinfo hints = {0}, *found = NULL, *each;
  char service[16];
  int fd = -1, yes = 1;
  hints.ai_socktype = SOCK_STREAM;
  snprintf(service, sizeof service, "%d", Rf_asInteger(port));
  if (getaddrinfo(CHAR(STRING_ELT(host, 0)), service, &hints, &found)) return R_NilValue;
  for (each = found; each != NULL && fd < 0; each = each->ai_next) {
    fd = socket(each->ai_family, each->ai_socktype, each->ai_protocol);
    if (fd >= 0 && connect(fd, each->ai_addr, each->ai_addrlen)) {
      close(fd);
      fd = -1;
    }
  }
  freeaddrinfo(found);
  if (fd < 0) return R_NilValue;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return Rf_ScalarInteger(fd);
}

static int take_all(int fd, void *data, size_t left) {
  char *at = data;
  while (left > 0) {
    ssize_t got = recv(fd, at, left, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    at += got;
    left -= (size_t) got;
  }
  return 1;
}

/* Waits for `n` integers; none, if the other end has gone. */
SEXP link_ask(SEXP fd, SEXP n) {
  SEXP asked = PROTECT(Rf_allocVector(INTSXP, Rf_asInteger(n)));
  int there = take_all(Rf_asInteger(fd), INTEGER(asked), sizeof(int) * (size_t) Rf_asInteger(n));
  UNPROTECT(1);
  return there ? asked : Rf_allocVector(INTSXP, 0);
}

static int take_floats(int fd, double *to, R_xlen_t left) {
  float cast[16384];
  while (left > 0) {
    R_xlen_t count = left < 16384 ? left : 16384;
    if (!take_all(fd, cast, sizeof(float) * (size_t) count)) return 0;
    for (R_xlen_t i = 0; i < count; i++) to[i] = cast[i];
    to += count;
    left -= count;
  }
  return 1;
}

/* Waits for `n` numbers of `size` bytes; none, if the other end has gone. */
SEXP link_take(SEXP fd, SEXP n, SEXP size) {
  R_xlen_t count = (R_xlen_t) Rf_asReal(n);
  SEXP taken = PROTECT(Rf_allocVector(REALSXP, count));
  int from = Rf_asInteger(fd);
  int there = Rf_asInteger(size) == 4 ? take_floats(from, REAL(taken), count)
                                      : take_all(from, REAL(taken), sizeof(double) * (size_t) count);
  UNPROTECT(1);
  return there ? taken : Rf_allocVector(REALSXP, 0);
}

static int send_all(int fd, const void *data, size_t left) {
  const char *at = data;
  while (left > 0) {
    ssize_t sent = send(fd, at, left, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return 0;
    at += sent;
    left -= (size_t) sent;
  }
  return 1;
}

static int send_floats(int fd, const double *from, R_xlen_t left) {
  float cast[16384];
  while (left > 0) {
    R_xlen_t count = left < 16384 ? left : 16384;
    for (R_xlen_t i = 0; i < count; i++) cast[i] = (float) from[i];
    if (!send_all(fd, cast, sizeof(float) * (size_t) count)) return 0;
    from += count;
    left -= count;
  }
  return 1;
}

/* Sends raw bytes, integers, or doubles as numbers of `size` bytes; FALSE if the other end has gone. */
SEXP link_send(SEXP fd, SEXP x, SEXP size) {
  int to = Rf_asInteger(fd), sent;
  R_xlen_t count = XLENGTH(x);
  switch (TYPEOF(x)) {
    case RAWSXP:
      sent = send_all(to, RAW(x), (size_t) count);
      break;
    case INTSXP:
      sent = send_all(to, INTEGER(x), sizeof(int) * (size_t) count);
      break;
    case LGLSXP:
      sent = send_all(to, LOGICAL(x), sizeof(int) * (size_t) count);
      break;
    case REALSXP:
      sent = Rf_asInteger(size) == 4 ? send_floats(to, REAL(x), count)
                                     : send_all(to, REAL(x), sizeof(double) * (size_t) count);
      break;
    default:
      Rf_error("cannot send a value of this type");
  }
  return Rf_ScalarLogical(sent);
}

SEXP link_close(SEXP fd) {
  close(Rf_asInteger(fd));
  return R_NilValue;
}

/* The training has gone, and R is busy: it would not notice before its function returns. */
static void *watch(void *data) {
  int fd = (int) (intptr_t) data;
  char next;
  for (;;) {
    ssize_t seen = recv(fd, &next, 1, MSG_PEEK);
    if (seen == 0 || (seen < 0 && errno != EINTR)) break;
    usleep(200000);
  }
  usleep(500000); /* in which an idle R quits by itself */
  kill(-getpgrp(), SIGKILL); /* with all that it has started: the process leads a group of its own */
  return NULL;
}

/* Ends this process, and its group, soon after the other end has gone. */
SEXP link_watch(SEXP fd) {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all); /* R's handlers must run on R's thread */
  pthread_sigmask(SIG_BLOCK, &all, &before);
  if (getpgrp() == getpid() && !pthread_create(&thread, NULL, watch, (void *) (intptr_t) Rf_asInteger(fd))) {
    pthread_detach(thread);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return R_NilValue;
}

#endif

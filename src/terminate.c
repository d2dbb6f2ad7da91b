/* SIGTERM while R hosts a training that keeps itself: noted, and R's thread is interrupted, as by Ctrl-C, so that
   nobody waits for a batch. The next SIGTERM acts as it would have without us. */

#include <Rinternals.h>

#ifdef _WIN32

SEXP watch_termination(SEXP yes) {
  (void) yes;
  return Rf_ScalarLogical(FALSE);
}

SEXP terminated(void) {
  return Rf_ScalarLogical(FALSE);
}

#else

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t came = 0;
static volatile sig_atomic_t watching = 0;
static pthread_t host;
static struct sigaction before;

static void restore(void) {
  if (watching) sigaction(SIGTERM, &before, NULL);
  watching = 0;
}

/* The signal may come to any thread of the process. */
static void take(int number) {
  int kept = errno;
  (void) number;
  came = 1;
  restore();
  pthread_kill(host, SIGINT);
  errno = kept;
}

/* Begins to watch for SIGTERM, or ends it. Whether it began: not within a call that watches. */
SEXP watch_termination(SEXP yes) {
  struct sigaction action;
  if (!Rf_asLogical(yes)) restore();
  if (!Rf_asLogical(yes) || watching) return Rf_ScalarLogical(FALSE);
  memset(&action, 0, sizeof action);
  action.sa_handler = take;
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGINT); /* which is taken when the handler has returned */
  came = 0;
  host = pthread_self();
  watching = !sigaction(SIGTERM, &action, &before);
  return Rf_ScalarLogical(watching);
}

/* Whether SIGTERM has come since then. */
SEXP terminated(void) {
  return Rf_ScalarLogical(came != 0);
}

#endif

/* R's thread waits outside Python, for a byte in the pipe of `host/doorbell.py`. */

#include <R.h>
#include <Rinternals.h>
#include <R_ext/Utils.h>

SEXP terminated(void); /* terminate.c */

#ifdef _WIN32

SEXP doze(SEXP bell, SEXP seconds) {
  (void) bell;
  (void) seconds;
  return R_NilValue;
}

#else

#include <poll.h>

enum {SLICE = 50}; /* milliseconds: the longest delay of an interrupt that came just before the wait */

/* Returns when the bell has rung, when `seconds` are over, and after a signal, which ends the wait at once where it
   comes to this thread. Interrupts are taken here. */
SEXP doze(SEXP bell, SEXP seconds) {
  struct pollfd door = {Rf_asInteger(bell), POLLIN, 0};
  int slices = (int) (1000 * Rf_asReal(seconds)) / SLICE;
  int came = 0, before = Rf_asLogical(terminated());
  for (int slice = 0; slice < slices && !came; slice++) {
    came = poll(&door, 1, SLICE) || Rf_asLogical(terminated()) != before;
    R_CheckUserInterrupt();
  }
  return R_NilValue;
}

#endif

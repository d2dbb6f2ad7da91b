/* Arrays of a closure that something else holds: compiled code may overwrite them, and R would not know. */

#include <Rinternals.h>

/* Whether something else than its caller holds `x`, or an element of the list `x`. R counts who does. */
static Rboolean is_held(SEXP x) {
  Rboolean held = MAYBE_SHARED(x);
  if (TYPEOF(x) != VECSXP) return held;
  for (R_xlen_t i = 0; i < XLENGTH(x) && !held; i++) held = is_held(VECTOR_ELT(x, i));
  return held;
}

/* Bytes of the vectors in `x`. */
static double bytes_of(SEXP x) {
  switch (TYPEOF(x)) {
  case LGLSXP: case INTSXP: return 4.0 * XLENGTH(x);
  case REALSXP: case STRSXP: return 8.0 * XLENGTH(x);
  case RAWSXP: return XLENGTH(x);
  }
  double bytes = 0;
  if (TYPEOF(x) == VECSXP) for (R_xlen_t i = 0; i < XLENGTH(x); i++) bytes += bytes_of(VECTOR_ELT(x, i));
  return bytes;
}

SEXP held(SEXP x) {
  return Rf_ScalarLogical(is_held(x));
}

/* A copy of `x` with all that it holds; `NULL` if that is more than `most` bytes. */
SEXP copied(SEXP x, SEXP most) {
  return bytes_of(x) > Rf_asReal(most) ? R_NilValue : Rf_duplicate(x);
}

/* Two things that R code cannot do for itself: call a function so that no jump leaves it, and ask whether an
   interrupt is waiting. */

#include <R.h>
#include <Rinternals.h>
#include <R_ext/Rdynload.h>
#include <R_ext/Utils.h>

static void evaluate(void *data) {
  Rf_eval((SEXP) data, R_GlobalEnv);
}

/* Calls `fn`, a function without arguments, at a top level of its own: handlers and restarts outside are not
   seen from within. FALSE where it was left by a jump. */
static SEXP isolate(SEXP fn) {
  SEXP call = PROTECT(Rf_lang1(fn));
  Rboolean returned = R_ToplevelExec(evaluate, call);
  UNPROTECT(1);
  return Rf_ScalarLogical(returned);
}

/* Takes a pending interrupt, if there is one: this is a place to be left by it. */
static SEXP take_interrupt(void) {
  R_CheckUserInterrupt();
  return R_NilValue;
}

SEXP forks_safely(SEXP yes); /* fork.c */
SEXP link_open(SEXP host, SEXP port); /* link.c */
SEXP link_ask(SEXP fd, SEXP n);
SEXP link_close(SEXP fd);
SEXP link_send(SEXP fd, SEXP x, SEXP size);
SEXP link_watch(SEXP fd);

static const R_CallMethodDef routines[] = {
  {"forks_safely", (DL_FUNC) &forks_safely, 1},
  {"isolate", (DL_FUNC) &isolate, 1},
  {"link_ask", (DL_FUNC) &link_ask, 2},
  {"link_close", (DL_FUNC) &link_close, 1},
  {"link_open", (DL_FUNC) &link_open, 2},
  {"link_send", (DL_FUNC) &link_send, 3},
  {"link_watch", (DL_FUNC) &link_watch, 1},
  {"take_interrupt", (DL_FUNC) &take_interrupt, 0},
  {NULL, NULL, 0}
};

void R_init_fitgenerator(DllInfo *dll) {
  R_registerRoutines(dll, NULL, routines, NULL, NULL);
  R_useDynamicSymbols(dll, FALSE);
}

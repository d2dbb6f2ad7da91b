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

SEXP doze(SEXP bell, SEXP seconds); /* doze.c */
SEXP forks_safely(SEXP yes); /* fork.c */
SEXP copied(SEXP x, SEXP most); /* held.c */
SEXP held(SEXP x);
SEXP link_open(SEXP host, SEXP port); /* link.c */
SEXP link_ask(SEXP fd, SEXP n);
SEXP link_close(SEXP fd);
SEXP link_send(SEXP fd, SEXP x, SEXP size);
SEXP link_take(SEXP fd, SEXP n, SEXP size);
SEXP link_watch(SEXP fd);
SEXP terminated(void); /* terminate.c */
SEXP watch_termination(SEXP yes);

/* Through the type that compilers take for any function's: R's own is of functions without arguments. */
#define ROUTINE(name, n) {#name, (DL_FUNC) (void (*)(void)) &name, n}

static const R_CallMethodDef routines[] = {
  ROUTINE(copied, 2),
  ROUTINE(doze, 2),
  ROUTINE(forks_safely, 1),
  ROUTINE(held, 1),
  ROUTINE(isolate, 1),
  ROUTINE(link_ask, 2),
  ROUTINE(link_close, 1),
  ROUTINE(link_open, 2),
  ROUTINE(link_send, 3),
  ROUTINE(link_take, 3),
  ROUTINE(link_watch, 1),
  ROUTINE(take_interrupt, 0),
  ROUTINE(terminated, 0),
  ROUTINE(watch_termination, 1),
  {NULL, NULL, 0}
};

void R_init_fitgenerator(DllInfo *dll) {
  R_registerRoutines(dll, NULL, routines, NULL, NULL);
  R_useDynamicSymbols(dll, FALSE);
}

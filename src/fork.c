/* Forks in R code that runs while a model trains, as parallel::mclapply() in a closure makes them.

   The child has only the thread that forked, but Python's lock as it was: held, mostly, by a thread that is not
   there any more. R's garbage collector would wait for it for ever when it drops the first Python object. So while
   R hosts, its thread takes the lock before it forks, and in the child Python is told, as os.fork() does. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* for RTLD_DEFAULT */
#endif
#include <Rinternals.h>

#ifdef _WIN32

SEXP forks_safely(SEXP yes) {
  return yes;
}

#else

#include <dlfcn.h>
#include <pthread.h>

/* Of Python's interface; reticulate has loaded it, for all to see. */
static struct {
  int (*check)(void);
  int (*ensure)(void);
  void (*release)(int);
  void (*before_fork)(void);
  void (*after_fork_parent)(void);
  void (*after_fork_child)(void);
} python;

static Rboolean safely = FALSE;
static pthread_t host;
static Rboolean held = FALSE;
static int state;

static Rboolean find(void *function, const char *name) {
  *(void **) function = dlsym(RTLD_DEFAULT, name);
  return *(void **) function != NULL;
}

static Rboolean find_python(void) {
  return find(&python.check, "PyGILState_Check") && find(&python.ensure, "PyGILState_Ensure") &&
    find(&python.release, "PyGILState_Release") && find(&python.before_fork, "PyOS_BeforeFork") &&
    find(&python.after_fork_parent, "PyOS_AfterFork_Parent") && find(&python.after_fork_child, "PyOS_AfterFork_Child");
}

/* Nothing is done where Python itself forks: it holds its lock then, and does all this. */
static void before(void) {
  held = safely && pthread_equal(host, pthread_self()) && !python.check();
  if (!held) return;
  state = python.ensure();
  python.before_fork();
}

static void in_parent(void) {
  if (!held) return;
  held = FALSE;
  python.after_fork_parent();
  python.release(state);
}

static void in_child(void) {
  if (!held) return;
  held = FALSE;
  python.after_fork_child();
  python.release(state);
}

/* Whether the calling thread forks safely from now on; returns what was so before. */
SEXP forks_safely(SEXP yes) {
  static int registered = 0;
  Rboolean was = safely;
  if (!registered && find_python()) registered = !pthread_atfork(before, in_parent, in_child);
  host = pthread_self();
  safely = registered && Rf_asLogical(yes);
  return Rf_ScalarLogical(was);
}

#endif

# Ctrl-C while workers make the batches: does each arrive, how soon, and is anything left?
#
#   tools/with-env Rscript bench/endurance/workers_interrupts.R [TRIALS] [SETTING ...]
#
# In "busy" (functions of 60 s), "starting", "waiting" (a hook runs) and "tracing" (the start of a model that was never
# trained), the workers are ours; in "cluster", "future" and "mirai" they are the user's, in functions of 3 s. Variants
# of these are named "cluster-launching" and so on ("-collecting", "-terminal", "-large"; see the trial's script). Each
# setting trains in a process of its own. A trial is clean if no process, thread, file or socket is left, and if workers
# of the user's answer the next call with its own value.

args <- commandArgs(trailingOnly = TRUE)
trials <- if (length(args)) as.integer(args[[1L]]) else 30L
file <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
script <- file.path(dirname(file), "..", "..", "tests", "testthat", "trials", "workers.R")
all <- c("busy", "starting", "waiting", "tracing", "cluster", if (requireNamespace("future", quietly = TRUE)) "future",
         if (requireNamespace("mirai", quietly = TRUE)) "mirai")

results_of <- function(setting) {
  lines <- suppressWarnings(system2(
    file.path(R.home("bin"), "Rscript"), c(shQuote(script), setting, trials), stdout = TRUE, stderr = FALSE,
    timeout = 60 + 15 * trials
  ))
  utils::read.table(text = lines, col.names = c("outcome", "seconds", "left"), sep = " ")
}

heads <- list("setting", "trials", "arrived", "clean", "median", "slowest", "within 0.2 s")
cat(do.call(sprintf, c("%-10s %8s %8s %8s %10s %10s %12s\n", heads)))
for (setting in if (length(args) > 1L) args[-1L] else all) {
  found <- results_of(setting)
  arrived <- found$outcome == "interrupt"
  cat(sprintf(
    "%-10s %8d %8d %8d %8.3f s %8.3f s %12d\n", setting, trials, sum(arrived), sum(found$left == "nothing"),
    stats::median(found$seconds), max(found$seconds), sum(arrived & found$seconds <= 0.2)
  ))
}

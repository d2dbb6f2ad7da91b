# Ctrl-C at random moments, from R: does each arrive, and how soon is control back?
#
#   tools/with-env Rscript bench/endurance/interrupts.R [TRIALS] [SETTING ...]
#
# Each setting trains in a process of its own; another process sends it SIGINT. A trial counts as arrived when the call
# signals R's interrupt, no thread of the call is left, and the model can still be trained; as lost when nothing arrives
# within eight seconds; as other in all remaining cases, including a process that hangs or dies. Of those that arrived,
# the table counts the ones that did so within a second. The settings iterator, calls, dataset, naps, evaluated and
# predicted have R code inside a Python source.

args <- commandArgs(trailingOnly = TRUE)
trials <- if (length(args)) as.integer(args[[1L]]) else 30L
file <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
script <- file.path(dirname(file), "..", "..", "tests", "testthat", "trials", "interrupts.R")

# Most seconds that one trial may take on average before the process is taken for dead.
limit <- 15

run_script <- function(..., timeout = 60) {
  rscript <- file.path(R.home("bin"), "Rscript")
  suppressWarnings(
    system2(rscript, c(shQuote(script), ...), stdout = TRUE, stderr = FALSE, timeout = timeout)
  )
}

# Of one setting: outcomes and seconds of the trials that said anything.
results_of <- function(setting) {
  lines <- run_script(setting, trials, timeout = 60 + limit * trials)
  fields <- strsplit(lines[startsWith(lines, paste0(setting, " "))], " ")
  list(outcomes = vapply(fields, `[[`, "", 2L), seconds = as.numeric(vapply(fields, `[[`, "", 3L)))
}

settings <- if (length(args) > 1L) args[-1L] else run_script("list")
cat(sprintf("%-12s %8s %8s %8s %8s %14s %14s\n", "setting", "arrived", "in 1 s", "lost", "other", "median", "slowest"))
for (setting in settings) {
  found <- results_of(setting)
  arrived <- sum(found$outcomes == "arrived")
  soon <- sum(found$outcomes == "arrived" & found$seconds <= 1)
  lost <- sum(found$outcomes == "lost")
  cat(sprintf("%-12s %8d %8d %8d %8d %12.3f s %12.3f s\n", setting, arrived, soon, lost, trials - arrived - lost,
              stats::median(found$seconds), max(found$seconds)))
}

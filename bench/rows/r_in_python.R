# R code inside Python sources (T13): what a step costs, over the same function as a closure; and what a Python generator
# that never calls R loses in an R session, over one where reticulate's calls are left alone, and over plain Python.
#
#   tools/with-env Rscript bench/rows/r_in_python.R [STEPS] [ROUNDS]
#
# All take turns in one process; plain Python runs in a process of its own, which waits for its turn.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[[1L]]))
source(file.path(here, "..", "support", "common.R"))
args <- commandArgs(trailingOnly = TRUE)
steps <- if (length(args)) as.numeric(args[[1L]]) else 12000
rounds <- if (length(args) > 1L) as.integer(args[[2L]]) else 15L
common <- reticulate::import_from_path("common", support, convert = FALSE)
model <- common$small_model()
us <- function(generator, n = steps, ...) {
  1e6 * seconds(fit_generator(model, generator, n, verbose = 0, jit_compile = FALSE, ...)) / n
}

# A batch that is made anew each time, in R.
batch <- function() {
  x <- matrix(stats::runif(32 * 16), 32L)
  reticulate::tuple(x, array(rowSums(x)))
}
reticulate::py_run_string("def calling(function):\n    while True: yield function()")
calling <- reticulate::py_get_attr(reticulate::import_main(convert = FALSE), "calling")
data_set <- reticulate::PyClass("FitgeneratorBenchOfR", inherit = keras$utils$PyDataset, defs = list(
  `__len__` = function(self) 1000L, `__getitem__` = function(self, index) batch()
))

few <- ceiling(steps / 6)
one_round <- function() {
  c(
    `R closure` = us(batch, few), py_iterator = us(reticulate::py_iterator(batch), few),
    `Python generator that calls R` = us(calling(batch), few), `PyDataset made in R` = us(data_set(), few)
  )
}
invisible(one_round())
table <- t(replicate(max(3L, rounds %/% 3L), one_round()))
over <- apply(table / table[, 1L], 2L, stats::median)
report("2-sources", "R code inside a Python source", "microseconds per step", table,
       list(`over the closure` = round(over, 2)))

# Sources that never call R. Pairs, whose order changes; the median of their ratios.
calls <- fitgenerator:::core("r.reticulate.thread_calls")$ThreadCalls
taken <- calls$suspend
left_alone <- reticulate::py_eval("lambda self: None", convert = FALSE)
switched <- function(on) reticulate::py_set_attr(calls, "suspend", if (on) taken else left_alone)
program <- paste(
  "import os, sys, time",
  "os.environ['CUDA_VISIBLE_DEVICES'] = os.environ.get('CUDA_VISIBLE_DEVICES', '')",
  "sys.path.insert(0, sys.argv[1])",
  "from common import forever, small_batch, small_model",
  "from fitgenerator import fit_generator",
  "model, steps = small_model(), int(sys.argv[2])",
  "for line in sys.stdin:",
  "    generator, begun = forever(small_batch()), time.perf_counter()",
  "    fit_generator(model, generator, steps, verbose=0, jit_compile=False)",
  "    print('took', 1e6 * (time.perf_counter() - begun) / steps, flush=True)",
  sep = "\n"
)
subprocess <- reticulate::import("subprocess", convert = FALSE)
plain <- subprocess$Popen(
  c(reticulate::py_exe(), "-c", program, normalizePath(support), format(steps, scientific = FALSE)),
  stdin = subprocess$PIPE, stdout = subprocess$PIPE, text = TRUE
)
in_python <- function() {
  plain$stdin$write("go\n")
  plain$stdin$flush()
  repeat {
    line <- reticulate::py_to_r(plain$stdout$readline())
    if (startsWith(line, "took ")) return(as.numeric(sub("took ", "", line)))
    if (!nzchar(line)) stop("Plain Python has ended.")
  }
}
in_r <- function(on) {
  switched(on)
  on.exit(switched(TRUE))
  us(common$forever(common$small_batch()))
}
contenders <- list(
  `calls taken` = function() in_r(TRUE), `calls left alone` = function() in_r(FALSE), `plain Python` = in_python
)
take_turns <- function(i) {
  order <- if (i %% 2L) seq_along(contenders) else rev(seq_along(contenders))
  found <- numeric(length(contenders))
  for (k in order) found[[k]] <- contenders[[k]]()
  stats::setNames(found, names(contenders))
}
invisible(take_turns(1L))
table <- t(vapply(seq_len(rounds), take_turns, numeric(length(contenders))))
plain$stdin$close()
ratios <- table[, 1L] / table
report("2-neutral", "a Python generator that never calls R, in an R session", "microseconds per step", table,
       list(`calls taken over it` = round(apply(ratios, 2L, stats::median), 3),
            quartiles = apply(ratios, 2L, function(x) {
              paste(round(stats::quantile(x, c(0.25, 0.75)), 3), collapse = "-")
            })))
cat("load:", readLines("/proc/loadavg"), "\n")

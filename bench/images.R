# Row 4: image batches of 32 x 224 x 224 x 3, from the generator's value to a tensor.
#
#   tools/with-env Rscript bench/images.R
#
# `crossing` is what R's thread does (cast and copy), `feeder` what our background thread does (to a row-major
# tensor). Against the naive way: np.ascontiguousarray(x, dtype = "float32") on R's thread.

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[[1L]])), "common.R"))
path <- system.file("python", package = "fitgenerator")
seam <- reticulate::import_from_path("fitgenerator.rseam", path, convert = FALSE)
tensors <- reticulate::import_from_path("fitgenerator.tensors", path, convert = FALSE)
np <- reticulate::import("numpy", convert = FALSE)

dims <- c(32L, 224L, 224L, 3L)
n <- prod(dims)
arrays <- list(
  `R double` = array(stats::runif(n), dims),
  `R integer` = array(sample.int(255L, n, TRUE), dims),
  `R raw` = array(as.raw(sample.int(255L, n, TRUE)), dims),
  `NumPy float32` = np$ones(dims, "float32"),
  `NumPy uint8` = np$ones(dims, "uint8")
)

# Timed in Python, each result dropped before the next: memory that is new each time would be timed instead.
reticulate::py_run_string("
import time
import numpy as np
def fitgenerator_bench(x, own, prepare, rounds):
    if x.dtype.kind == 'V':  # R's raw, which NumPy has no number for
        naive = lambda: np.ascontiguousarray(x.view('uint8'), dtype='float32')
    else:
        naive = lambda: np.ascontiguousarray(x, dtype='float32')
    kept = own(x) if own else x
    steps = {'naive': naive, 'crossing': (lambda: own(x)) if own else None,
             'feeder': lambda: prepare((kept,)).ready()}
    times = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            begun = time.perf_counter()
            if step is not None:
                step()
            times[name].append(1e3 * (time.perf_counter() - begun))
    return {name: values[1:] for name, values in times.items()}
")
measure <- reticulate::py$fitgenerator_bench
for (name in names(arrays)) {
  x <- arrays[[name]]
  own <- if (!inherits(x, "python.builtin.object")) seam$`_own`
  times <- measure(x, own, tensors$Preparer(NULL, predicting = TRUE), 7L)
  rounds <- do.call(cbind, lapply(times, unlist))
  rounds <- cbind(rounds, ours = rounds[, "crossing"] + rounds[, "feeder"])
  over <- apply(rounds / rounds[, "naive"], 2L, stats::median)
  row <- paste0("4-", gsub(" ", "-", tolower(name)))
  report(row, paste("image batch to tensor,", name), "milliseconds", rounds, list(`over naive` = round(over, 2)))
}

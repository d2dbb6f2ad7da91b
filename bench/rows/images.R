# Row 4: from the value of a generator to a tensor, for image batches of 32 x 224 x 224 x 3.
#
#   tools/with-env Rscript bench/rows/images.R
#
# `crossing` is the work on R's thread (cast and copy), `feeder` the work on the background thread (into a row-major
# tensor). The comparison is the naive way: np.ascontiguousarray(x, dtype = "float32") on R's thread.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[[1L]]))
source(file.path(here, "..", "support", "common.R"))
path <- system.file("python", package = "fitgenerator")
values <- reticulate::import_from_path("fitgenerator.r.reticulate.values", path, convert = FALSE)
preparation <- reticulate::import_from_path("fitgenerator.batches.preparation", path, convert = FALSE)
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

# Timed in Python, where each result is dropped before the next is made: otherwise the allocation of new memory
# would be timed.
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
model <- keras$Sequential(list(keras$layers$Input(as.list(dims[-1L])), keras$layers$Flatten()))
prepare <- preparation$Preparer(model, predicting = TRUE)
for (name in names(arrays)) {
  x <- arrays[[name]]
  own <- if (!inherits(x, "python.builtin.object")) values$own
  times <- measure(x, own, prepare, 7L)
  rounds <- do.call(cbind, lapply(times, unlist))
  rounds <- cbind(rounds, ours = rounds[, "crossing"] + rounds[, "feeder"])
  over <- apply(rounds / rounds[, "naive"], 2L, stats::median)
  row <- paste0("4-", gsub(" ", "-", tolower(name)))
  report(row, paste("image batch to tensor,", name), "milliseconds", rounds, list(`over naive` = round(over, 2)))
}

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
targets <- np$zeros(32L, "float32")
reticulate::py_run_string("
def fitgenerator_bench_make(tensors):
    prepare = tensors.Preparer(None, predicting=True)
    return lambda x: prepare((x,)).ready().leaves[0]
")
to_tensor <- reticulate::py$fitgenerator_bench_make(tensors)
own <- seam$`_own`
ms <- function(code) 1000 * seconds(code)

for (name in names(arrays)) {
  x <- arrays[[name]]
  in_r <- !inherits(x, "python.builtin.object")
  rounds <- t(replicate(5L, {
    naive <- ms(reticulate::py_call(np$ascontiguousarray, x, dtype = "float32"))
    crossing <- if (in_r) ms(kept <- own(x)) else { kept <- x; 0 }
    feeder <- ms(to_tensor(kept))
    c(naive = naive, crossing = crossing, feeder = feeder, ours = crossing + feeder)
  }))
  over <- apply(rounds / rounds[, "naive"], 2L, stats::median)
  row <- paste0("4-", gsub(" ", "-", tolower(name)))
  report(row, paste("image batch to tensor,", name), "milliseconds", rounds, list(`over naive` = round(over, 2)))
}

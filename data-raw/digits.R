# Makes data/digits.rda from the copy of the UCI digits that scikit-learn ships. Run from the package's root:
#
#   RETICULATE_PYTHON=<a Python with scikit-learn> Rscript data-raw/digits.R
#
# Source: E. Alpaydin, C. Kaynak (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning
# Repository. https://doi.org/10.24432/C50P49. License: CC BY 4.0.

loaded <- reticulate::import("sklearn.datasets")$load_digits()

digits <- list(
  images = array(as.integer(loaded$images), dim(loaded$images)),
  labels = as.integer(loaded$target)
)

# Rows must be rows: in the flat table of the source the columns run fastest.
by_row <- aperm(digits$images, c(1, 3, 2))
stopifnot(
  identical(dim(digits$images), c(1797L, 8L, 8L)), range(digits$images) == c(0L, 16L),
  matrix(by_row, 1797) == loaded$data, identical(sort(unique(digits$labels)), 0:9)
)

dir.create("data", showWarnings = FALSE)
save(digits, file = "data/digits.rda", compress = "xz", compression_level = 9, version = 2)

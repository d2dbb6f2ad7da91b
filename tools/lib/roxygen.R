# Writes man/ and NAMESPACE of the package in a folder: Rscript tools/lib/roxygen.R FOLDER.
# The code is sourced, not loaded with pkgload, which would compile src/ inside the checkout.

folder <- commandArgs(trailingOnly = TRUE)
stopifnot(length(folder) == 1, dir.exists(folder))
roxygen2::roxygenise(folder, load_code = roxygen2::load_source)

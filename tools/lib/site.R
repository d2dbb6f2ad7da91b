# Builds the web pages of the R package: Rscript tools/lib/site.R FOLDER DESTINATION. FOLDER holds its sources; the
# package itself is the one that is installed.

arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(length(arguments) == 2, dir.exists(arguments))

options(pkgdown.internet = FALSE)
pkgdown::build_site(
  arguments[[1]], override = list(destination = arguments[[2]]), install = FALSE, devel = FALSE, preview = FALSE,
  new_process = FALSE, seed = 1
)

# Pages have no formulas; Debian's pkgdown would load a file of this machine for them.
pages <- list.files(arguments[[2]], "[.]html$", full.names = TRUE, recursive = TRUE)
for (page in grep("/python/", pages, invert = TRUE, value = TRUE)) {
  lines <- readLines(page, encoding = "UTF-8")
  writeLines(lines[!grepl("<script.*mathjax", lines, ignore.case = TRUE)], page, useBytes = TRUE)
}

# Builds the web pages of the R package: Rscript tools/lib/site.R FOLDER DESTINATION. FOLDER holds its sources; the
# package itself is the one that is installed.

arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(length(arguments) == 2, dir.exists(arguments[[1]]))
from <- arguments[[1]]
to <- arguments[[2]]

# No network: pkgdown would look for the package on CRAN, and downlit there for packages that code names.
options(pkgdown.internet = FALSE)
no_urls <- function() data.frame(Package = character(), URL = character())
utils::assignInNamespace("CRAN_urls", no_urls, "downlit")

pkgdown::build_site(
  from, override = list(destination = to), install = FALSE, devel = FALSE, preview = FALSE, new_process = FALSE, seed = 1
)
invisible(file.copy(file.path(from, "examples"), to, recursive = TRUE))

# Where the files that the repository's pages link to are in the site.
links <- c(
  'href="(docs/)?installing[.](html|md)' = 'href="INSTALLING.html',
  'href="(docs/)?versions[.](html|md)' = 'href="VERSIONS.html',
  'href="([.][.]/)?SECURITY[.](html|md)' = 'href="SECURITY.html',
  'href="vignettes/([a-z]+)[.]Rmd"' = 'href="articles/\\1.html"',
  'href="(docs/)?(design/)?(overview|contract|threads|seam|speed|traps)[.](html|md)' = 'href="DESIGN-\\3.html',
  'href="(docs/)?design/workers[.](html|md)' = 'href="DESIGN-workers.html',
  'href="(docs/|[.][.]/)?contributing[.](html|md)' = 'href="CONTRIBUTING.html',
  'href="([.][.]/)*bench/README[.](html|md)' = 'href="BENCHMARKS.html',
  '<a href="([.][.]/)*python/fitgenerator/[^"]*">([^"]*?)</a>' = '\\2', # pages of the repository alone
  'href="docs/python/' = 'href="python/'
)
# Pages have no formulas; Debian's pkgdown would load a file of this machine for them.
mathjax <- '<script src="[^"]*mathjax[^>]*></script>'

for (page in list.files(to, "[.]html$", full.names = TRUE, recursive = TRUE)) {
  lines <- readLines(page, encoding = "UTF-8")
  lines <- gsub(mathjax, "", lines, ignore.case = TRUE)
  for (i in seq_along(links)) lines <- gsub(names(links)[[i]], links[[i]], lines)
  writeLines(lines, page, useBytes = TRUE)
}

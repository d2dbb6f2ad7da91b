# The R programs of README.md run as they are printed: a fresh process runs all of them, from top to bottom, on the
# installed package. pytest runs those in Python.

skip_without_keras()

readme <- normalizePath(test_path("..", "..", "README.md"))

# The code of a page's blocks that are marked "r": one element, a vector of lines, for each block.
blocks_of <- function(page) {
  lines <- readLines(page, encoding = "UTF-8")
  begins <- which(lines == "```r")
  ends <- which(lines == "```")
  lapply(begins, function(begin) lines[seq.int(begin + 1L, min(ends[ends > begin]) - 1L)])
}

test_that("the first program of README has at most fifteen lines", {
  expect_lte(length(blocks_of(readme)[[1L]]), 15L)
})

test_that("the R programs of README run as printed", {
  withr::local_dir(withr::local_tempdir())
  writeLines(unlist(blocks_of(readme)), "readme.R")
  done <- run_script("readme.R")
  expect_process(done, c("Epoch 3/3", "Epoch 5/5", "val_loss is", "Where the time went", "64 +1"))
  expect_no_match(done$stderr, "Warning message")
  expect_true(file.exists("Rplots.pdf"))
})

# Draws man/figures/timeline.png: runs the first program of README.md as it is printed there and keeps the last picture
# that the program draws. Run this script from the repository's root, on a machine without other load, with
# 'tools/with-env Rscript tools/lib/readme-timeline.R', and look at the picture: README.md says what it shows.

# Returns the code of the first block that is marked "r" in `lines`, those of a page in Markdown.
first_program <- function(lines) {
  begin <- which(lines == "```r")[[1L]]
  end <- begin + which(lines[-seq_len(begin)] == "```")[[1L]]
  lines[seq.int(begin + 1L, end - 1L)]
}

pictures <- file.path(tempdir(), "picture-%d.png")
png(pictures, width = 1400, height = 440, res = 150)
source(exprs = parse(text = first_program(readLines("README.md", encoding = "UTF-8"))), print.eval = TRUE)
invisible(dev.off())

drawn <- Sys.glob(file.path(tempdir(), "picture-*.png"))
invisible(file.copy(drawn[[length(drawn)]], file.path("man", "figures", "timeline.png"), overwrite = TRUE))
print(history$pipeline)

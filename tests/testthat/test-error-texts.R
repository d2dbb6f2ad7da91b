# The text of every condition equals the text that was reviewed, in error-texts.md. To change a text, run
# FITGENERATOR_UPDATE_TEXTS=1 tools/test r error-texts, and read the difference: does the text state what was expected,
# what was received, where, and what to do?

skip_without_keras()

texts_file <- test_path("error-texts.md")

# What a caller reads: the first class of the condition, and its text.
said_by <- function(call) {
  cnd <- tryCatch(call(), condition = identity)
  if (!inherits(cnd, c("fitgenerator_error", "fitgenerator_warning"))) return(paste("no condition:", class(cnd)[[1L]]))
  text <- sub("ValueError: Exception encountered.*\nWhile", "ValueError: (Keras's text)\nWhile", conditionMessage(cnd))
  paste0(class(cnd)[[1L]], ": ", text)
}

approved_texts <- function() {
  entries <- strsplit(paste(readLines(texts_file, encoding = "UTF-8"), collapse = "\n"), "\n## ", fixed = TRUE)[[1L]]
  entries <- entries[-1L]
  stats::setNames(trimws(sub("^[^\n]*\n", "", entries)), sub("\n.*", "", entries))
}

write_texts <- function(said) {
  head <- "# The text of every condition of the package\n\nWritten by test-error-texts.R; see there."
  writeLines(c(head, sprintf("\n## %s\n\n%s", names(said), said)), texts_file)
}

# The functions of the package that make or signal a condition themselves.
signalling_functions <- function() {
  namespace <- asNamespace("fitgenerator")
  makers <- c("fg_abort", "fg_warn", "fg_condition", "abort_argument", "abort_batch", "abort_setup")
  names <- setdiff(ls(namespace, all.names = TRUE), makers)
  signals <- function(name) {
    value <- get(name, namespace)
    is.function(value) && !is.null(body(value)) && any(makers %in% all.names(body(value)))
  }
  names[vapply(names, signals, NA)]
}

test_that("E2: every text is as it was read and approved, and every function that signals has one", {
  called <- character()
  invisible(fitgenerator:::portable_code()) # worker processes get the functions as they are
  original <- fitgenerator:::fg_condition
  noting <- function(...) {
    calls <- vapply(sys.calls(), function(call) if (is.symbol(call[[1L]])) as.character(call[[1L]]) else "", "")
    called <<- union(called, calls)
    original(...)
  }
  said <- with_replaced(list(fg_condition = noting), "fitgenerator", vapply(all_refusals(), said_by, ""))
  if (nzchar(Sys.getenv("FITGENERATOR_UPDATE_TEXTS"))) write_texts(said)
  expect_identical(said, approved_texts()[names(said)])
  expect_identical(names(said), names(approved_texts()))
  expect_identical(setdiff(signalling_functions(), called), character())
  expect_true(all(nchar(said) < 900))
})

# R functions of images (`preprocessing_function`) in worker processes: a flow of Python's is read by threads, which ask
# workers for each image (`r/worker_images.py`).

# The functions of images among the sources that workers can run: their `jobs`, by the source, and what each `needs`.
# `streams` are all sources with such functions; one message tells of those that run on R's own thread.
image_jobs <- function(sources) {
  cells <- Filter(Negate(is.null), lapply(sources, image_cell))
  found <- lapply(cells, function(cell) {
    tryCatch(needs_of(list(cell$fn), cell$name), fitgenerator_error = function(cnd) {
      text <- "`%s` is not run by `workers`, but on R's own thread. %s"
      sprintf(text, cell$name, if (is.null(cnd$reason)) conditionMessage(cnd) else cnd$reason)
    })
  })
  refused <- vapply(found, is.character, NA)
  for (text in unique(unlist(found[refused]))) message(text)
  jobs <- lapply(cells[!refused], function(cell) list(fn = cell$fn, takes = 3L, name = cell$name))
  list(streams = names(cells), jobs = jobs, needs = unname(found[!refused]))
}

# The cell of the R function that a flow of images calls, `NULL` if there is none.
image_cell <- function(source) {
  if (is_python(source)) cross(core_function("cell_of", "r.reticulate.image_functions"), source)
}

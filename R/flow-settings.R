# Elements of a flow that are set, as in `flow$batch_size <- 12`: Python obeys, or refuses with an error of ours.

set_element <- function(x, name, value) {
  check_settings(stats::setNames(list(value), name))
  ask(reticulate::py_set_attr, x, name, value)
  x
}

#' @export
#' @noRd
`$<-.fitgenerator.images.Iterator` <- set_element # nolint: object_name_linter.

#' @export
#' @noRd
`[[<-.fitgenerator.images.Iterator` <- set_element # nolint: object_name_linter.

#' @export
#' @noRd
`$<-.fitgenerator.sources.seeded_source.Passes` <- set_element # nolint: object_name_linter.

#' @export
#' @noRd
`[[<-.fitgenerator.sources.seeded_source.Passes` <- set_element # nolint: object_name_linter.

# The live view: the core serves the page and ends it; R opens it, where R's users look.

#' Watch a training while it runs
#'
#' Creates an entry for the `callbacks` of [fit_generator()] and [fit()] that shows the training on a page while it
#' runs: the metrics, in one panel each, for training and validation; and the pipeline: what the model waits for,
#' how full the queue is, the steps and batches per second, and what each thread did in the last steps. The metrics can
#' be smoothed and drawn on a logarithmic scale, as in [`plot()`][plot.fitgenerator_history].
#'
#' The page opens in the viewer of RStudio or Positron (the option `viewer`), otherwise in the browser. If neither can
#' be opened, a message names the address. The page shows a new state twice a second. Nothing of the view runs between
#' the steps of the training, and a browser that is closed, slow or opened twice does not hold up the training. If the
#' page cannot be served, a message says so, and the training goes on.
#'
#' `view_metrics = TRUE` in [fit_generator()] does the same without an entry in `callbacks`.
#'
#' @section Security:
#' The page is served to this computer only (`127.0.0.1`), at a random address, until the call ends, normally, with an
#' error, or by an interrupt. An open page then keeps its last state. The saved page holds neither the address, nor your
#' name, nor the names of folders.
#'
#' @param open Whether to open the page.
#' @param save Path of an HTML file for the page of the whole training. The file is written when the call ends, also
#'   after an error. It needs no network, and can be sent or included in a report. `NULL`: no file.
#'
#' @return An object for `callbacks`, which can be used for several calls.
#' @seealso [fit_generator()], [fitgenerator_history], [print.fitgenerator_pipeline()]
#' @examplesIf fitgenerator:::has_keras()
#' keras <- reticulate::import("keras")
#' layers <- keras$layers
#' model <- keras$Sequential(list(layers$Input(list(2L)), layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse")
#' generator <- function() {
#'   x <- matrix(rnorm(64), ncol = 2)
#'   list(x, x %*% c(1, -1))
#' }
#'
#' # Opens in the viewer or the browser.
#' view <- live_view(open = interactive(), save = file.path(tempdir(), "training.html"))
#' fit_generator(model, generator, 20, epochs = 3, verbose = 0, callbacks = list(view))
#'
#' # The page of the whole training.
#' if (interactive()) browseURL(file.path(tempdir(), "training.html"))
#' @export
live_view <- function(open = TRUE, save = NULL) {
  open <- check_flag(open, "open")
  if (!is.null(save)) save <- path.expand(check_file(save, "save"))
  structure(list(open = open, save = save), class = "fitgenerator_live_view")
}

is_view <- function(x) inherits(x, "fitgenerator_live_view")

# The callbacks with a view if one is wanted: `wanted` is the argument `view_metrics`. Views come last, so that the
# random numbers of other callbacks are the same with a view and without.
with_view <- function(callbacks, wanted, epochs, verbose) {
  wanted <- check_view_metrics(wanted)
  given <- is_view(callbacks) || (is.list(callbacks) && any(vapply(callbacks, is_view, NA)))
  if (given || isFALSE(wanted) || (!isTRUE(wanted) && !views_by_itself(epochs, verbose))) return(callbacks)
  c(several_callbacks(callbacks), list(live_view()))
}

check_view_metrics <- function(x) {
  if (identical(x, "auto")) return(x)
  if (!isTRUE(x) && !isFALSE(x)) {
    abort_argument(sprintf("`view_metrics` must be \"auto\", TRUE or FALSE, not %s.", shown(x)), "view_metrics")
  }
  x
}

# Whether somebody is there who looks at a viewer, and the call is one to be looked at.
views_by_itself <- function(epochs, verbose) {
  somebody_is_there() && !is.null(getOption("viewer")) && epochs > 1L && verbose > 0L &&
    !isTRUE(getOption("knitr.in.progress")) && !isTRUE(the$running)
}

somebody_is_there <- function() interactive()

# The callbacks that a view stands for: the core's, and a table whose hook opens the page on R's thread.
parts_of_view <- function(view) {
  shown <- made(cross(core_function("live_view"), view$save))
  list(shown, list(on_train_begin = function() announce_view(shown, view$open)))
}

announce_view <- function(shown, open) {
  place <- cross(core_function("live_view_place"), shown)
  if (is.null(place$address)) return(message(place$trouble))
  if (!open || !opened(place$address)) message("Live view: ", place$address)
}

# Opens an address in the viewer, else in the browser. Returns whether one of them was told to. On RStudio Server and
# in Positron, both translate the addresses of this computer.
opened <- function(address) {
  viewer <- getOption("viewer")
  browser <- getOption("browser")
  told <- function(open) !inherits(try(open, silent = TRUE), "try-error")
  if (is.function(viewer) && told(viewer(address))) return(TRUE)
  if (is.function(browser)) return(told(browser(address)))
  has_windows() && told(utils::browseURL(address))
}

# Whether a browser would have a window to open in; one of text would take over the terminal.
has_windows <- function() {
  .Platform$OS.type == "windows" || Sys.info()[["sysname"]] == "Darwin" ||
    (nzchar(Sys.getenv("DISPLAY")) || nzchar(Sys.getenv("WAYLAND_DISPLAY"))) && nzchar(getOption("browser", ""))
}

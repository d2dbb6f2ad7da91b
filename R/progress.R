# What the user sees during a call. Python decides what is shown and when; R shows it, with cli where that package is
# installed, else by overwriting the line.

# Seconds between two bars. Drawing a bar takes R 3 ms with cli, and next to nothing without.
cli_interval <- 0.25
plain_interval <- 0.125 # a bar may reach the terminal in two pieces, and there are at most 20 a second

# What Python has to know about R's output; `bar`: whether a bar can be shown.
screen_traits <- function(bar) {
  with_cli <- bar && has_cli()
  list(
    interval = if (bar) if (with_cli) cli_interval else plain_interval,
    width = if (with_cli) cli::console_width() else getOption("width"),
    unicode = if (with_cli) cli::is_utf8_output() else isTRUE(l10n_info()[["UTF-8"]])
  )
}

# Whether a line of output can be overwritten: in a terminal or a console, but not in a file, in a knitted page, or in a
# notebook, which waits for whole lines.
overwrites <- function() {
  captured <- isTRUE(getOption("knitr.in.progress")) || isTRUE(getOption("jupyter.in_kernel")) || sink.number() > 0L
  if (captured || Sys.getenv("TERM") == "dumb" || nzchar(Sys.getenv("INSIDE_EMACS"))) return(FALSE)
  isatty(stdout()) || (interactive() && in_console())
}

# Consoles that are not terminals.
in_console <- function() {
  Sys.getenv("RSTUDIO") == "1" || Sys.getenv("POSITRON") == "1" || .Platform$GUI %in% c("RStudio", "Rgui", "AQUA")
}

has_cli <- function() requireNamespace("cli", quietly = TRUE) && utils::packageVersion("cli") >= "3.0.0"

# The screen of one call: `covered` is the width of a plain bar, `bar` the bar of cli.
new_screen <- function(bar = FALSE) {
  screen <- new.env(parent = emptyenv())
  screen$covered <- 0L
  screen$bar <- NULL
  screen$with_cli <- bar && has_cli() && cli::is_dynamic_tty()
  screen
}

# Prints lines in the place of the bar.
show_lines <- function(screen, text) {
  end_cli_bar(screen)
  # One string, because `cat()` writes each of its arguments separately.
  cat(if (screen$covered) paste0("\r", strrep(" ", screen$covered), "\r", text) else text)
  screen$covered <- 0L
  utils::flush.console()
  invisible()
}

# Draws the bar. `total` is `NULL` if it is unknown.
show_bar <- function(screen, text, done, total) {
  if (screen$with_cli) {
    show_cli_bar(screen, text, done, total)
  } else {
    cat(paste0("\r", formatC(text, width = -screen$covered)))
    screen$covered <- nchar(text, "width")
    utils::flush.console()
  }
  invisible()
}

# The numbers are for `cli.progress_handlers`; the text is the same as without cli.
show_cli_bar <- function(screen, text, done, total) {
  if (is.null(screen$bar) || !identical(screen$total, total)) {
    end_cli_bar(screen)
    screen$bar <- begin_cli_bar(total, text)
    screen$total <- total
  }
  cli::cli_progress_update(set = done, extra = list(text = text), id = screen$bar, force = TRUE)
}

begin_cli_bar <- function(total, text) {
  old <- options(cli.progress_show_after = 0)
  on.exit(options(old))
  cli::cli_progress_bar(
    "fit_generator", total = if (is.null(total)) NA else total, format = "{cli::pb_extra$text}", clear = TRUE,
    extra = list(text = text), auto_terminate = FALSE, .auto_close = FALSE, .envir = new.env(parent = emptyenv())
  )
}

end_cli_bar <- function(screen) {
  if (is.null(screen$bar)) return(invisible())
  cli::cli_progress_done(id = screen$bar)
  screen$bar <- NULL
}

# Leaves the line of a bar that was not finished.
close_screen <- function(screen) {
  end_cli_bar(screen)
  if (screen$covered) cat("\n")
  screen$covered <- 0L
}

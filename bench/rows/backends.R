# Row 10: an R closure as slow as the step, on another backend than TensorFlow; with a loss in R, too.
#
#   KERAS_BACKEND=jax RETICULATE_PYTHON=... Rscript bench/rows/backends.R [MILLISECONDS]
#
# As row 3: each figure is the time of a step over the longer of the two alone, measured in the same round.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[[1L]]))
source(file.path(here, "..", "support", "common.R"))
one_thread()
ms <- as.numeric(c(commandArgs(trailingOnly = TRUE), 50)[[1L]])
steps <- max(30L, min(100L, as.integer(4000 / ms)))

loss <- function(y_true, y_pred) keras$ops$mean(keras$ops$square(y_true - y_pred), axis = -1L)

model <- model_of(ms / 1000, function(model) fit(model, quick, 10L), 10L)
in_r <- keras$models$clone_model(model)
in_r$compile(optimizer = "sgd", loss = loss)
fit(in_r, quick, 2L)
step <- seconds(fit(model, quick, steps)) / steps
slow <- slow_of(step)
per_step <- function(code) seconds(code) / steps
rounds <- t(replicate(3L, c(
  closure = per_step(for (i in seq_len(steps)) slow()),
  step = per_step(fit(model, quick, steps)),
  fit = per_step(fit(model, slow, steps)),
  `fit, a loss in R` = per_step(fit(in_r, slow, steps))
)))
title <- sprintf("R closure and step of %g ms each, %d steps, %s", ms, steps, backend)
report_overlap(sprintf("10-%s-%g", backend, ms), title, rounds)

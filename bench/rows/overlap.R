# Row 3: an R closure as slow as the step: what does a step cost when the two run in parallel?
#
#   tools/with-env Rscript bench/rows/overlap.R [MILLISECONDS ...]
#
# The step computes on one thread for the duration asked for, and the closure computes as long as the step. Each
# figure is the time of a step over the longer of the two alone, measured in the same round: 1 is perfect, 2 means that
# the two take turns (cases B1 and B4). The longer is either the closure called in a loop, or the training on batches
# that cost nothing. Run this script on an idle machine with two cores.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[[1L]]))
source(file.path(here, "..", "support", "common.R"))
one_thread()
wanted <- as.numeric(commandArgs(trailingOnly = TRUE))
if (!length(wanted)) wanted <- c(10, 20, 50, 200)

hooks <- list(on_train_batch_begin = function(batch, logs) NULL, on_train_batch_end = function(batch, logs) NULL)

# Seconds a step of each way, in one round.
round_of <- function(model, slow, asleep, steps) {
  per_step <- function(code) seconds(code) / steps
  c(
    closure = per_step(for (i in seq_len(steps)) slow()),
    step = per_step(fit(model, quick, steps)),
    `lock-step` = per_step(fit(model, slow, steps, max_queue_size = 0)),
    fit = per_step(fit(model, slow, steps)),
    `fit, sleeping closure` = per_step(fit(model, asleep, steps)),
    `fit, R hooks on every batch` = per_step(fit(model, slow, steps, callbacks = hooks)),
    `fit, half of it validation` = per_step(
      fit(model, slow, steps %/% 2L, validation_data = slow, validation_steps = steps %/% 2L)
    )
  )
}

for (ms in wanted) {
  steps <- max(30L, min(100L, as.integer(4000 / ms)))
  model <- model_of(ms / 1000, function(model) fit(model, quick, 10L), 10L)
  step <- seconds(fit(model, quick, steps)) / steps
  slow <- slow_of(step)
  asleep <- function() {
    Sys.sleep(step)
    dense_batch
  }
  rounds <- t(replicate(3L, round_of(model, slow, asleep, steps)))
  title <- sprintf("R closure and step of %g ms each, %d steps (B1)", ms, steps)
  report_overlap(sprintf("3-%g", ms), title, rounds)
}

# The other two functions: their step is a forward pass, so the model is larger.
for (kind in c("evaluate", "predict")) {
  call <- if (kind == "evaluate") evaluate_generator else predict_generator
  ms <- 50
  steps <- 80L
  model <- model_of(ms / 1000, function(model) call(model, quick, 10L), 10L)
  slow <- slow_of(seconds(call(model, quick, steps)) / steps)
  rounds <- t(replicate(3L, c(
    closure = seconds(for (i in seq_len(steps)) slow()),
    step = seconds(call(model, quick, steps)),
    `lock-step` = seconds(call(model, slow, steps, max_queue_size = 0)),
    queue = seconds(call(model, slow, steps))
  ) / steps))
  title <- sprintf("%s_generator, R closure and step of %g ms each, %d steps (B4)", kind, ms, steps)
  report_overlap(paste0("3-", kind), title, rounds)
}

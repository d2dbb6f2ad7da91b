# Row 12: an R closure as slow as the step of a model with two replicas: what does a step cost beside it?
#
#   tools/with-env Rscript bench/rows/replicas.R [MILLISECONDS]
#
# The replicas are two devices made of the CPU, on one thread, which leaves the other core to R. Figures are over the
# longer of the two alone, as in `overlap.R`.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[[1L]]))
source(file.path(here, "..", "support", "common.R"))
args <- commandArgs(trailingOnly = TRUE)
wanted <- if (length(args)) as.numeric(args[[1L]]) / 1000 else 0.05
one_thread()
cpu <- tf$config$list_physical_devices("CPU")[[1L]]
device <- tf$config$LogicalDeviceConfiguration()
tf$config$set_logical_device_configuration(cpu, list(device, device))
strategy <- tf$distribute$MirroredStrategy(c("CPU:0", "CPU:1"))

steps <- 60L
single <- dense_model
dense_model <- function(...) with(strategy$scope(), single(...)) # for `model_of()`
model <- model_of(wanted, function(model) fit(model, quick, 10L), 10L)
slow <- slow_of(seconds(fit(model, quick, steps)) / steps)
rounds <- t(replicate(3L, c(
  closure = seconds(for (i in seq_len(steps)) slow()),
  step = seconds(fit(model, quick, steps)),
  `lock-step` = seconds(fit(model, slow, steps, max_queue_size = 0)),
  queue = seconds(fit(model, slow, steps))
) / steps))
report_overlap("12", sprintf("R closure and step of %g ms each, two replicas", 1000 * wanted), rounds)

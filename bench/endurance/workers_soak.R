# Many small batches through two workers, one of which is killed every 1,000: is any lost, doubled or out of order, and
# does anything grow?
#
#   tools/with-env Rscript bench/endurance/workers_soak.R [BATCHES]
#
# The model counts the batches whose number is not the next one. In every other thousand, the worker ends itself while
# it makes a batch; in the others, it is killed from outside, at a random moment. The exit status is 1 if a batch was
# wrong, or anything grew.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[[1L]]))
source(file.path(here, "..", "support", "common.R"))
args <- commandArgs(trailingOnly = TRUE)
batches <- if (length(args)) as.numeric(args[[1L]]) else 1e5
epochs <- max(1L, as.integer(batches / 1000))

process_watch <- reticulate::import_from_path("process_watch", support)
watch <- process_watch$Watch()

reticulate::py_run_string(paste(
  "import keras, os, random, signal, tensorflow as tf, threading",
  "class Ordered(keras.Model):",
  "    def __init__(self):",
  "        super().__init__()",
  "        kind = dict(shape=(), initializer='zeros', dtype='int64', trainable=False)",
  "        weight = lambda name: self.add_weight(name=name, **kind)",
  "        self.next, self.wrong, self.built = weight('next'), weight('wrong'), True",
  "    def call(self, x):",
  "        return x",
  "    def train_step(self, data):",
  "        number = tf.cast(data[0][0, 0], 'int64')",
  "        self.wrong.assign_add(tf.cast(number != self.next, 'int64'))",
  "        self.next.assign_add(1)",
  "        return {'wrong': self.wrong}",
  "ordered = Ordered()",
  "ordered.compile()",
  "def workers_of(parent):",
  "    found = []",
  "    for pid in filter(str.isdigit, os.listdir('/proc')):",
  "        try:",
  "            with open(f'/proc/{pid}/stat') as stat:",
  "                name, rest = stat.read().split('(', 1)[1].rsplit(')', 1)",
  "        except OSError:",
  "            continue",
  "        if name == 'R' and int(rest.split()[1]) == parent:",
  "            found.append(int(pid))",
  "    return found",
  "def kill_one():",
  "    found = workers_of(os.getpid())",
  "    for pid in random.sample(found, min(1, len(found))):",
  "        os.kill(pid, signal.SIGKILL)",
  "        killed.append(pid)",
  "def kill_soon():",
  "    threading.Timer(random.uniform(0.0, 0.3), kill_one).start()",
  "killed = []",
  sep = "\n"
))
py <- reticulate::py

folder <- tempfile("deaths")
dir.create(folder)
dies_itself <- function(i, epoch) {
  if (i == 500 && epoch %% 2 == 0 && dir.create(file.path(folder, epoch), showWarnings = FALSE)) {
    tools::pskill(Sys.getpid(), tools::SIGKILL)
    Sys.sleep(10)
  }
  list(matrix(1000 * epoch + i - 1, 1L, 1L))
}
hooks <- list(
  on_epoch_begin = function(epoch) if (epoch %% 2 == 1) py$kill_soon(),
  on_epoch_end = function(epoch, logs) {
    used <- gc()
    watch$sample((epoch + 1) * 1000, list(ncells = used[[1L, 1L]], vcells = used[[2L, 1L]]))
  }
)
history <- fit_generator(py$ordered, batch_sequence(dies_itself, 1000, seed = 1), epochs = epochs, workers = 2,
                         verbose = 0, callbacks = list(hooks))

counted <- c(
  steps = history$pipeline$steps, batches = history$pipeline$batches, made = as.numeric(py$ordered[["next"]]$numpy()),
  wrong = as.numeric(py$ordered$wrong$numpy()), `died by themselves` = length(list.files(folder)),
  `killed from outside` = length(py$killed), redone = history$pipeline$redone
)
print(counted)
growth <- vapply(process_watch$judged(watch$samples), function(measure) measure$growth, 0)
cat("\nGrowth from the second to the last tenth, in percent:\n")
print(round(100 * growth, 2))
right <- counted[["wrong"]] == 0 && all(counted[c("steps", "batches", "made")] == 1000 * epochs)
if (any(growth > 0.03) || !right) quit(status = 1L) # a worker that starts has no connection yet

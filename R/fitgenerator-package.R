#' fitgenerator: train Keras models on batches from your own functions
#'
#' [fit_generator()] trains a Keras model on batches from your own function, which prepares the next batches while the
#' model trains. [evaluate_generator()] and [predict_generator()] work in the same way. The arguments are those of the R
#' interface to Keras of 2017; the models are those of today's Keras 3 on TensorFlow, JAX or PyTorch, or of Keras 2
#' (`tf_keras`).
#'
#' * What a generator may be, what a batch is, when a generator is called, and how it ends: [generators]. This page also
#'   lists the functions that make generators from arrays, data frames, files and databases.
#' * What a training returns: [fitgenerator_history], and its `pipeline`, which shows where the time went
#'   ([print.fitgenerator_pipeline()]).
#' * Resuming a training after a crash: [checkpoint()].
#' * What is installed and what is missing: [fitgenerator_sitrep()]. What can go wrong: [fitgenerator_conditions].
#' * Models, for users who have neither keras3 nor keras: [keras_model()], [compile()].
#'
#' The package requires Python (3.10 or newer) and Keras 3.7 or newer with TensorFlow (2.16 or newer), JAX or PyTorch.
#' reticulate manages Python, see [reticulate::use_python()]. The engine is the Python package of the same name, which
#' is part of this package.
#'
#' @section TensorFlow's messages:
#' When TensorFlow is loaded, it prints lines on the processor. The package hides those that can be hidden: when it is
#' loaded, it sets TensorFlow's environment variable `TF_CPP_MIN_LOG_LEVEL` to 1, unless the variable is set.
#' `Sys.setenv(TF_CPP_MIN_LOG_LEVEL = 0)` before `library(fitgenerator)` shows all messages, 2 hides warnings too, and 3
#' hides errors too. The variable has no effect after TensorFlow was loaded.
#'
#' On processors where TensorFlow 2.21 uses oneDNN by default, two lines remain, whatever the variable says, each twice:
#' `All log messages before absl::InitializeLog() ...` and `oneDNN custom operations are on ...`. They are no errors.
#' `TF_ENABLE_ONEDNN_OPTS=0` turns oneDNN off, and the lines with it; results then differ in their last digits.
#'
#' @seealso `vignette("fitgenerator")`, and `browseVignettes("fitgenerator")` for all.
#' @keywords internal
#' @useDynLib fitgenerator, .registration = TRUE, .fixes = "C_"
"_PACKAGE"

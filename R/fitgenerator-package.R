#' fitgenerator: train Keras models from generators that run in parallel to the model
#'
#' [fit_generator()] trains a Keras model on batches that a function makes: while the model trains on one, R makes the
#' next. [evaluate_generator()] and [predict_generator()] work in the same way. The arguments are those of the R
#' interface to Keras of 2017; models are those of today's Keras 3 on TensorFlow, or of Keras 2 (`tf_keras`).
#'
#' * What a generator returns, when it is called, random numbers, errors: the sections of [fit_generator()].
#' * What may be given as one, and helpers that make one of arrays, data frames, files and data bases: [generators].
#' * What comes back: [fitgenerator_history], and its `pipeline`, which says where the time went
#'   ([print.fitgenerator_pipeline()]).
#' * A training that goes on after a crash: [checkpoint()].
#' * What is installed and what is missing: [fitgenerator_sitrep()]. What can go wrong: [fitgenerator_conditions].
#' * Models, for users who have neither keras3 nor keras: [keras_model()], [compile()].
#'
#' It needs a Python (3.10 or newer) with TensorFlow 2.16 or newer, which brings Keras 3; reticulate finds it, see
#' [reticulate::use_python()]. The engine is the Python package of the same name, which this package carries with it.
#'
#' @seealso `vignette("fitgenerator")`, and `browseVignettes("fitgenerator")` for all.
#' @keywords internal
#' @useDynLib fitgenerator, .registration = TRUE, .fixes = "C_"
"_PACKAGE"

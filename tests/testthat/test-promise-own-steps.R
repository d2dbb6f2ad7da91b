# Batches without targets, batches of forms that only a model's own step knows, and models that were changed.

own_kinds <- "
import keras, tensorflow as tf

class Penalty(keras.layers.Layer):
    def call(self, x):
        self.add_loss(tf.reduce_mean((x - 1) ** 2))
        return x

seen = []

def form_of(data):
    if isinstance(data, dict):
        return '{' + ', '.join(f'{k}: {form_of(v)}' for k, v in data.items()) + '}'
    if isinstance(data, (tuple, list)):
        return type(data).__name__ + '(' + ', '.join(map(form_of, data)) + ')'
    return 'None' if data is None else str(len(data.shape))

def total(data):
    seen.append(form_of(data))
    leaves = [leaf for leaf in tf.nest.flatten(data) if leaf is not None]
    return tf.add_n([tf.reduce_mean(tf.cast(leaf, 'float32')) for leaf in leaves])

class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(name='scale', shape=(), initializer='ones')
        self.built = True

    def call(self, x):
        return x

    def train_step(self, data):
        return {'total': total(data)}

    def test_step(self, data):
        return {'total': total(data)}

    def predict_step(self, data):
        return total(data) * tf.ones_like(tf.nest.flatten(data)[0])
"

python_kinds <- function() {
  reticulate::py_run_string(own_kinds)
  reticulate::import_main(convert = FALSE)
}

own_model <- function() {
  model <- python_kinds()$Own()
  model$compile("sgd")
  model
}

seen_by_step <- function() unlist(reticulate::py_to_r(python_kinds_seen()))
python_kinds_seen <- function() reticulate::py_get_attr(reticulate::import_main(convert = FALSE), "seen")

penalty_model <- function(loss = NULL) {
  layers <- keras()$layers
  dense <- layers$Dense(1L, kernel_initializer = "ones")
  model <- keras()$Sequential(list(layers$Input(list(2L)), dense, python_kinds()$Penalty()))
  model$compile(keras()$optimizers$SGD(0.1), loss = loss)
  model
}

x <- matrix(1:8 / 8, 4)
y <- matrix(0, 4)

test_that("T20 targets may be missing, NULL or empty where there is no loss", {
  skip_without_keras()
  batches <- list(list(x), list(x, NULL), list(x, list()), list(x, NULL, NULL), x, as.data.frame(x), list(x = x))
  losses <- lapply(batches, function(batch) {
    history <- train(penalty_model(), function() batch, 3, validation_data = function() batch, validation_steps = 1)
    expect_length(history$metrics$val_loss, 1L)
    history$metrics$loss
  })
  for (loss in losses) expect_identical(loss, losses[[1L]])
  expect_identical(evaluate_generator(penalty_model(), function() list(x), 1)$loss,
                   evaluate_generator(penalty_model(), function() x, 1)$loss)
  train(penalty_model(), function() list(x), 1, validation_data = list(x, NULL))
  train(penalty_model(), function() list(x, y), 1, validation_data = list(x, y))
})

test_that("T20 E2 missing targets are an error where there is a loss, and it names the ways", {
  skip_without_keras()
  for (batch in list(x, list(x), list(x, NULL), list(x, list()))) {
    error <- expect_error(train(penalty_model("mse"), function() batch, 1), class = "fitgenerator_batch_error")
    expect_match(conditionMessage(error), "Batch 1: generator() returned", fixed = TRUE)
    expect_match(conditionMessage(error), "compiled without a loss needs no targets", fixed = TRUE)
    expect_match(conditionMessage(error), "step of its own", fixed = TRUE)
  }
  expect_error(train(penalty_model(), function() list(x, y, NULL, NULL), 1), "step of its own",
               class = "fitgenerator_batch_error")
  expect_error(train(penalty_model(), function() list(x, y[1:3, , drop = FALSE]), 1), "same number of rows",
               class = "fitgenerator_batch_error")
})

test_that("T20 a list reaches a step of the model's own as a tuple, a named list as a dict", {
  skip_without_keras()
  forms <- list(
    "tuple(2)" = list(x), "tuple(2, None)" = list(x, NULL), "tuple(2, 2)" = list(x, y),
    "tuple(2, 2, 1, 1)" = list(x, y, 1:4, 1), "tuple(tuple(2, 2), tuple(1))" = list(list(x, y), list(1:4)),
    "{a: 2, b: tuple(1, None)}" = list(a = x, b = list(1:4, NULL)),
    "tuple({a: 2}, tuple())" = list(list(a = x), list()),
    "2" = x, "tuple(2, 2, None)" = list(x, y, NULL), "tuple(2, 2, 1)" = list(x = x, y = y, sample_weight = 1:4)
  )
  for (form in names(forms)) {
    model <- own_model()
    batch <- function() forms[[form]]
    numbers <- unlist(forms[[form]])
    train(model, batch, 2, validation_data = batch, validation_steps = 1)
    predict_generator(model, batch, 1)
    evaluate_generator(model, batch, 1)
    expect_setequal(seen_by_step(), form)
  }
})

test_that("T20 rows need not be equal, and their numbers are those of the batch", {
  skip_without_keras()
  history <- train(own_model(), function() list(x, y[1:2, , drop = FALSE] + 1), 20)
  expect_equal(history$metrics$total, mean(x) + 1, tolerance = 1e-6)
  expect_identical(dim(predict_generator(own_model(), function() list(x, 1:3), 2)), c(8L, 2L))
})

test_that("T20 what a step cannot be given is refused with its place", {
  skip_without_keras()
  expect_error(train(own_model(), function() list(x, list(a = x, b = sum)), 1),
               "element `b` of element 2", class = "fitgenerator_batch_error")
  expect_error(train(own_model(), function() list(a = x, x), 1), "names are partly missing",
               class = "fitgenerator_batch_error")
  expect_error(train(own_model(), function() list(), 1), "array", class = "fitgenerator_batch_error")
  expect_error(train(own_model(), function() list(x), 1, class_weight = list("0" = 1)), "class_weight",
               class = "fitgenerator_batch_error")
})

test_that("T20 fit(), evaluate(), predict() and train_on_batch() hand on arrays as Keras does", {
  skip_without_keras()
  model <- own_model()
  fit(model, x, epochs = 1, batch_size = 4, verbose = 0)
  evaluate(model, x)
  predict(model, x)
  expect_setequal(seen_by_step(), "2")
  model <- own_model()
  fit(model, x, y, epochs = 1, batch_size = 4, verbose = 0, validation_data = list(x, y))
  train_on_batch(model, x, y)
  expect_setequal(seen_by_step(), "tuple(2, 2)")
  model <- own_model()
  train_on_batch(model, x)
  expect_setequal(seen_by_step(), "tuple(2)")
  fit(penalty_model(), x, epochs = 1, verbose = 0, validation_data = list(x, NULL))
  expect_gt(train_on_batch(penalty_model(), x)$loss, 0)
  expect_error(train_on_batch(penalty_model("mse"), x), "`y` must be given", class = "fitgenerator_argument_error")
})

test_that("T3 compiling again is noticed whatever it leaves as it was", {
  skip_without_keras()
  model <- penalty_model()
  losses <- lapply(1:3, function(time) {
    model$compile(model$optimizer)
    train(model, function() list(x), 2)$metrics$loss
  })
  expect_true(all(unlist(losses) > 0))
  expect_true(all(diff(unlist(losses)) < 0))
})

test_that("T3 a step of the model's own is traced anew where Keras traces it anew, in both Kerases", {
  skip_without_keras()
  for (package in c("keras", "tf_keras")) {
    reticulate::py_run_string(sprintf("
import tensorflow as tf
from %s import Sequential
class FitgeneratorTestScaled(Sequential):
    scale = 1.0
    def train_step(self, data):
        return {'scaled': self.scale * tf.reduce_mean(tf.cast(data[0], 'float32'))}
", package))
    layers <- reticulate::import(package)$layers
    made <- reticulate::import_main(convert = FALSE)$FitgeneratorTestScaled
    model <- made(list(layers$Input(list(2L)), layers$Dense(1L)))
    model$compile("sgd")
    scaled <- function() train(model, function() list(matrix(1, 4, 2), y), 1)$metrics$scaled
    set <- function(scale) reticulate::py_set_attr(model, "scale", scale)
    expect_equal(scaled(), 1)
    set(0.5)
    expect_equal(scaled(), 1) # as in Keras, which goes on with what it has traced
    model$compile(model$optimizer)
    expect_equal(scaled(), 0.5)
    set(0.25)
    model$make_train_function(force = TRUE)
    expect_equal(scaled(), 0.25)
  }
})

test_that("T4 a quantized model predicts as such", {
  skip_without_keras()
  layers <- keras()$layers
  model <- keras()$Sequential(list(layers$Input(list(2L)), layers$Dense(3L), layers$Dense(1L)))
  model$trainable <- FALSE
  before <- predict_generator(model, function() x, 1)
  model$quantize("int8")
  after <- predict_generator(model, function() x, 1)
  expect_false(identical(before, after))
  expect_equal(after, model$predict(x, verbose = 0L), ignore_attr = TRUE)
})

test_that("T27 freezing without compile() has no effect, and one warning says so", {
  skip_without_keras()
  model <- linear_model()
  train(model, function() list(matrix(1, 4), rep(0, 4)), 1)
  model$trainable <- FALSE
  before <- model$get_weights()[[1L]]
  expect_warning(train(model, function() list(matrix(1, 4), rep(0, 4)), 1), "compile()", fixed = TRUE,
                 class = "fitgenerator_trainable_warning")
  expect_false(identical(model$get_weights()[[1L]], before))
  expect_no_warning(train(model, function() list(matrix(1, 4), rep(0, 4)), 1))
})

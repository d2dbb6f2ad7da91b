"""Train a small convolutional network on handwritten digits, twice.

The first training uses batches from a Python generator, the second one batches from an R function,
through rpy2. Both generators shift and rotate the images and add noise while the model trains on
earlier batches. Run this program with `tools/with-env python examples/digits.py`. It needs
scikit-learn (for the images) and, for the second training, R and rpy2.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # before TensorFlow is loaded: fewer notices

import fitgenerator
import keras
import numpy as np
from sklearn.datasets import load_digits

BATCH = 64
SIZE = 12  # 8 x 8 pixels with an empty border of 2 pixels that images can be shifted into
INSIDE = slice(2, 10)


def load():
    """Return the images with their border, the digits, the rows to train on, and the other rows."""
    digits = load_digits()
    images = np.zeros((len(digits.target), SIZE, SIZE))
    images[:, INSIDE, INSIDE] = digits.images / 16
    rows = np.random.default_rng(1).permutation(len(images))
    held_back = len(rows) // 5
    return images, digits.target, rows[held_back:], rows[:held_back]


def batches(images, labels, seed=1):
    """Yield (inputs, targets) forever."""
    rng = np.random.default_rng(seed)
    while True:
        chosen = rng.integers(len(images), size=BATCH)
        angle, shift = rng.normal(0, 0.15, BATCH), rng.uniform(-0.8, 0.8, (2, BATCH))
        inputs = warp(images[chosen], angle, shift)
        inputs += rng.normal(0, 0.05, inputs.shape)
        yield inputs[..., None], labels[chosen]


def warp(images, angle, shift):
    """Rotate the images by `angle` (radians) and shift them (pixels down and right).

    Each new pixel is interpolated from the four pixels around the place that it comes from.
    """
    centre = (SIZE - 1) / 2
    y, x = np.mgrid[INSIDE, INSIDE] - centre
    angle, down, right = (v[:, None, None] for v in (angle, *shift))
    row = np.clip(np.cos(angle) * y - np.sin(angle) * x + down + centre, 0, SIZE - 1.001)
    column = np.clip(np.sin(angle) * y + np.cos(angle) * x + right + centre, 0, SIZE - 1.001)
    top, left = row.astype(int), column.astype(int)
    below, beside = row - top, column - left
    i = np.arange(len(images))[:, None, None]
    upper = images[i, top, left] * (1 - beside) + images[i, top, left + 1] * beside
    lower = images[i, top + 1, left] * (1 - beside) + images[i, top + 1, left + 1] * beside
    return upper * (1 - below) + lower * below


# The same in R: a function without arguments that returns list(inputs, targets).
R_CODE = """
function(images, labels) {
  size <- dim(images)[2]
  inside <- 3:10
  y <- rep(inside - (size + 1) / 2, times = 8)
  x <- rep(inside - (size + 1) / 2, each = 8)
  clamp <- function(position) pmin(pmax(position + (size + 1) / 2, 1), size - 1e-6)
  warp <- function(image, angle, down, right) {
    row <- clamp(cos(angle) * y - sin(angle) * x + down)
    column <- clamp(sin(angle) * y + cos(angle) * x + right)
    below <- row - floor(row)
    beside <- column - floor(column)
    at <- floor(row) + size * (floor(column) - 1)
    (image[at] * (1 - below) + image[at + 1] * below) * (1 - beside) +
      (image[at + size] * (1 - below) + image[at + size + 1] * below) * beside
  }
  function() {
    chosen <- sample(length(labels), 64)
    inputs <- vapply(chosen, function(i) {
      shift <- runif(2, -0.8, 0.8)
      warp(images[i, , ], rnorm(1, sd = 0.15), shift[1], shift[2]) + rnorm(64, sd = 0.05)
    }, numeric(64))
    list(array(t(inputs), c(64, 8, 8, 1)), labels[chosen])
  }
}
"""


def r_closure(images, labels):
    """Return the closure of R_CODE, with the images and labels passed to R."""
    import rpy2.robjects as ro

    to_r = ro.r["array"](ro.FloatVector(images.ravel(order="F")), dim=ro.IntVector(images.shape))
    return ro.r(R_CODE)(to_r, ro.IntVector(labels))


def train(generator, steps, validation):
    """Train a new model on a generator and print how the training went."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    callbacks = [
        keras.callbacks.EarlyStopping(patience=8, restore_best_weights=True),
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.002 * 0.94**epoch),
    ]
    history = fitgenerator.fit_generator(
        model, generator, steps, epochs=40, callbacks=callbacks, validation_data=validation
    )
    print(f"\n{history.pipeline}\n")
    scores = model.evaluate(*validation, verbose=0, return_dict=True)
    print(f"val_accuracy: {scores['accuracy']:.4f}")


def main():
    images, labels, training, held_back = load()
    validation = images[held_back, INSIDE, INSIDE, None], labels[held_back]
    steps = len(training) // BATCH

    print("A Python generator")
    train(batches(images[training], labels[training]), steps, validation)

    print("\nAn R function")
    train(r_closure(images[training], labels[training]), steps, validation)


if __name__ == "__main__":
    main()

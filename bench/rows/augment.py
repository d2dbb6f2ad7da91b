"""Row 8: image augmentation, alone and in parallel with a training that takes as long.

    tools/with-env python bench/rows/augment.py [IMAGES] [ROUNDS]

JPEG files of 256 x 256 pixels become batches of 32 images of 224 x 224 pixels, rotated, shifted,
sheared, zoomed and flipped at random. The comparison is between single threads; fitgenerator is
also measured with two. TensorFlow computes on one thread throughout, so that the training has one
core and the augmentation the other.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import common
import cv2
import fitgenerator as fg
import keras
import numpy as np
import tensorflow as tf
from fitgenerator.images import ImageDataGenerator
from keras.src.legacy.preprocessing import image as legacy
from sklearn.datasets import load_sample_images

IMAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 512
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
SIZE, ROWS = (224, 224), 32
RANGES: dict[str, Any] = {
    **{"rotation_range": 20, "width_shift_range": 0.1, "height_shift_range": 0.1},
    **{"shear_range": 10, "zoom_range": 0.2, "horizontal_flip": True, "rescale": 1 / 255},
}


def write_photographs(folder: Path) -> None:
    """Pieces of photographs, in two classes."""
    random = np.random.default_rng(0)
    photographs = load_sample_images().images
    for number in range(IMAGES):
        photograph = photographs[number % 2]
        top, left = (random.integers(0, side - 255) for side in photograph.shape[:2])
        piece = photograph[top : top + 256, left : left + 256, ::-1]
        path = folder / "ab"[number % 2] / f"{number:04d}.jpg"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), piece, [cv2.IMWRITE_JPEG_QUALITY, 90])


def resident() -> float:
    """The resident set of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


# -- pictures a second --------------------------------------------------------------------------


def timed(make_all: Callable[[], object]) -> Callable[[], float]:
    """Microseconds a picture."""

    def run() -> float:
        begun = time.perf_counter()
        make_all()
        return 1e6 * (time.perf_counter() - begun) / IMAGES

    run()
    return run


def kerass(folder: str) -> Callable[[], object]:
    """Keras's class, one batch after the other."""
    flow = legacy.ImageDataGenerator(**RANGES).flow_from_directory(folder, SIZE, batch_size=ROWS)
    return lambda: [next(flow) for _ in range(len(flow))]


def ours(folder: str, threads: int) -> Callable[[], object]:
    """Our class, read by index, as the engine's workers do."""
    flow = ImageDataGenerator(**RANGES).flow_from_directory(folder, SIZE, batch_size=ROWS)
    pool = ThreadPoolExecutor(threads)

    def make_all() -> None:
        for _ in pool.map(lambda index: len(flow[index]), range(len(flow))):
            pass
        flow.on_epoch_end()

    return make_all


def layers(folder: str, threads: int) -> Callable[[], object]:
    """Keras's preprocessing layers on the data set of a directory."""
    size = (256, 256)  # of the files, so that it does not resize; the first layer does
    dataset = keras.utils.image_dataset_from_directory(folder, image_size=size, batch_size=ROWS)
    made = keras.Sequential(
        [
            keras.layers.Resizing(*SIZE),
            keras.layers.RandomRotation(20 / 360, fill_mode="nearest"),
            keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
            keras.layers.RandomShear(0.17, 0.0, fill_mode="nearest"),
            keras.layers.RandomZoom(0.2, 0.2, fill_mode="nearest"),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.Rescaling(1 / 255),
        ]
    )
    dataset = dataset.map(lambda x, y: (made(x, training=True), y), num_parallel_calls=threads)
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.autotune.enabled = False
    dataset = dataset.with_options(options)
    return lambda: [None for _ in dataset]


def decoded(folder: str, threads: int) -> Callable[[], object]:
    """The files read and decoded by OpenCV, and nothing else."""
    paths = sorted(Path(folder).rglob("*.jpg"))
    pool = ThreadPoolExecutor(threads)

    def decode(path: Path) -> int:
        return len(cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR))

    return lambda: list(pool.map(decode, paths, chunksize=ROWS))


def speed(folder: str) -> None:
    """All ways, in turn."""
    figures = common.alternate(
        {
            "Keras ImageDataGenerator": timed(kerass(folder)),
            "Keras layers, 1 thread": timed(layers(folder, 1)),
            "Keras layers, 2 threads": timed(layers(folder, 2)),
            "bare decoding, 1 thread": timed(decoded(folder, 1)),
            "bare decoding, 2 threads": timed(decoded(folder, 2)),
            "flow, 1 thread": timed(ours(folder, 1)),
            "flow, 2 threads": timed(ours(folder, 2)),
        },
        ROUNDS,
    )
    common.table(
        "8",
        "augmented pictures, 256 px JPEG to 224 px",
        "microseconds per picture",
        figures,
        against="Keras ImageDataGenerator",
        others={"pictures a second": {n: 1e6 / sorted(v)[len(v) // 2] for n, v in figures.items()}},
    )


# -- beside a training --------------------------------------------------------------------------


class Busy(keras.layers.Layer):
    """Multiplies matrices so many times, in the forward pass alone."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = tf.Variable(times, trainable=False)

    def call(self, inputs: Any) -> Any:
        """The inputs' mean, and work that TensorFlow cannot leave out."""
        matrix = tf.ones((192, 192)) * tf.reduce_mean(inputs) * 1e-9
        work = tf.while_loop(
            lambda i, m: i < self.times, lambda i, m: (i + 1, m @ m), (tf.constant(0), matrix)
        )[1]
        return tf.reduce_mean(inputs, axis=(1, 2)) + tf.stop_gradient(work[0, 0])


def model_of(seconds: float, batch: Any) -> Any:
    """A model whose step takes about so many seconds."""
    busy = Busy(1000)
    model = keras.Sequential([keras.Input((*SIZE, 3)), busy, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for _ in range(4):  # the cost of a multiplication is not quite constant
        step = min(steps_alone(model, batch, 8) for _ in range(2))
        busy.times.assign(max(1, int(int(busy.times) * seconds / step)))
    return model


def steps_alone(model: Any, batch: Any, steps: int) -> float:
    """Seconds a step on a batch that is there already."""
    begun = time.perf_counter()
    fg.fit_generator(model, common.forever(batch), steps, verbose=0)
    return (time.perf_counter() - begun) / steps


def training(folder: str) -> None:
    """Augmentation alone, steps alone, and both beside each other."""
    generator = ImageDataGenerator(**RANGES)
    flow = generator.flow_from_directory(folder, SIZE, batch_size=ROWS, class_mode="binary")
    steps, epochs = len(flow), 12

    def alone() -> float:
        begun = time.perf_counter()
        for _ in range(epochs):
            for index in range(steps):
                flow[index]
            flow.on_epoch_end()
        return (time.perf_counter() - begun) / (steps * epochs)

    def both(**options: Any) -> float:
        begun = time.perf_counter()
        fg.fit_generator(model, flow, epochs=epochs, verbose=0, **options)
        return (time.perf_counter() - begun) / (steps * epochs)

    model = model_of(alone(), flow[0])
    both()
    ways: dict[str, Callable[[], float]] = {
        "augmentation alone": alone,
        "steps alone": lambda: steps_alone(model, flow[0], steps * epochs),
        "fit_generator, lock-step": lambda: both(workers=0),
        "fit_generator": both,
        "fit_generator, 2 workers": lambda: both(workers=2),
    }
    figures = common.alternate(ways, ROUNDS)
    longer = [max(pair) for pair in zip(*list(figures.values())[:2], strict=True)]
    over = {
        name: float(np.median([v / most for v, most in zip(values, longer, strict=True)]))
        for name, values in figures.items()
    }
    common.table(
        "8-training",
        "augmentation as slow as the step",
        "milliseconds per step",
        {name: [1000 * value for value in values] for name, values in figures.items()},
        others={"over the longer": over},
    )


def memory(folder: str) -> None:
    """The resident set through 100 epochs of training."""
    generator = ImageDataGenerator(**RANGES, brightness_range=(0.5, 1.5))
    flow = generator.flow_from_directory(folder, SIZE, batch_size=ROWS, class_mode="binary")
    seen: list[float] = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(resident()))
    layers = [keras.Input((*SIZE, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile("sgd", "mse")
    fg.fit_generator(model, flow, 4, 100, 0, [watch], workers=2)
    figures = {f"flow, after {n} epochs": [seen[n - 1]] for n in (10, 50, 100)}
    common.table("8-memory", "memory in a training of 100 epochs", "MiB resident", figures)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.config.disable_interactive_logging()
    with tempfile.TemporaryDirectory() as name:
        write_photographs(Path(name))
        speed(name)
        training(name)
        memory(name)

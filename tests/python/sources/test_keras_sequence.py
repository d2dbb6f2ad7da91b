"""Our sources in the methods of the models themselves, of both Kerases: they end after a pass."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from fitgenerator import (
    batch_sequence,
    flow_from_chunks,
    flow_from_data,
    flow_from_frame,
    predict_generator,
    share_of,
    timeseries_generator,
)
from fitgenerator.images import ImageDataGenerator
from support.pictures import write_classes

X = np.arange(12, dtype="float32").reshape(6, 2)
Y = X[:, :1]
FRAME = {"a": X[:, 0], "b": X[:, 1], "y": Y[:, 0]}
PICTURES = np.arange(6 * 12, dtype="float32").reshape(6, 2, 2, 3)


def part(number: int) -> tuple[Any, Any]:
    """A batch of two rows."""
    rows = slice(2 * number, 2 * number + 2)
    return X[rows], Y[rows]


def of_files(folder: Path, *, by_table: bool = False) -> Any:
    """A flow of six files, by the folder or by a table of their names."""
    if not folder.exists():
        write_classes(folder, a=3, b=3)
    options: Any = {"batch_size": 2, "shuffle": False, "class_mode": "sparse"}
    options["target_size"] = (2, 2)
    if not by_table:
        return ImageDataGenerator().flow_from_directory(folder, **options)
    names = [str(path.relative_to(folder)) for path in sorted(folder.glob("*/*"))]
    table = {"filename": names, "class": [name[0] for name in names]}
    return ImageDataGenerator().flow_from_dataframe(table, folder, **options)


# Batches of two rows, in order; of shape (2,) or of pictures.
SOURCES: dict[str, Callable[[Path], Any]] = {
    "arrays": lambda _: flow_from_data(X, Y, batch_size=2, shuffle=False),
    "frame": lambda _: flow_from_frame(FRAME, "y ~ a + b", batch_size=2, shuffle=False),
    "series": lambda _: timeseries_generator(X, Y, 1, end_index=5, start_index=0, batch_size=2),
    "function": lambda _: batch_sequence(part, 3),
    "share": lambda _: share_of(batch_sequence(part, 3), 1, 2),
    "images": lambda _: ImageDataGenerator().flow(PICTURES, Y, batch_size=2, shuffle=False),
    "files": lambda folder: of_files(folder / "files"),
    "table of files": lambda folder: of_files(folder / "files", by_table=True),
}


def model_for(package: Any, source: Any) -> Any:
    """A model of either Keras for the inputs of a source."""
    layers = package.layers
    shape = source[0][0].shape[1:]
    package.utils.set_random_seed(1)  # else the weights depend on the tests before
    model = package.Sequential([layers.InputLayer(shape), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("package", [keras, tf_keras])
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.usefixtures("quietly")
def test_T14_a_models_own_methods_end_after_a_pass(package: Any, name: str, tmp_path: Path) -> None:
    source = SOURCES[name](tmp_path)
    model = model_for(package, source)
    predicted = model.predict(source, verbose=0)
    assert len(predicted) == sum(len(source[index][0]) for index in range(len(source)))
    np.testing.assert_allclose(predicted, predict_generator(model, SOURCES[name](tmp_path)), 1e-5)
    targets = np.concatenate([source[index][1] for index in range(len(source))])
    loss = np.mean((predicted - targets.reshape(len(targets), 1)) ** 2)
    assert model.evaluate(source, verbose=0) == pytest.approx(loss, rel=1e-4)
    steps: list[int] = []
    counts = package.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: steps.append(epoch))
    history = model.fit(source, epochs=2, verbose=0, callbacks=[counts], validation_data=source)
    assert steps == [0, 1]
    assert history.params["steps"] == len(source)


@pytest.mark.parametrize("package", [keras, tf_keras])
def test_T14_a_source_without_a_length_is_refused(package: Any, tmp_path: Path) -> None:
    source = flow_from_chunks(lambda: iter([FRAME]), "y ~ a + b")
    model = model_for(package, SOURCES["arrays"](tmp_path))
    with pytest.raises(ValueError, match=r"data adapter|Unrecognized data type"):
        model.fit(source, verbose=0)


def test_T14_keras_2_reads_shuffled_images_in_a_new_order_in_each_epoch() -> None:
    flow = ImageDataGenerator().flow(PICTURES, np.arange(6), batch_size=6, seed=1)
    orders: list[list[int]] = []
    model = tf_keras.Sequential([tf_keras.layers.Flatten(), tf_keras.layers.Dense(1)])

    def loss(targets: Any, outputs: Any) -> Any:
        orders.append(targets.numpy().ravel().tolist())
        return outputs[:, 0]

    model.compile("sgd", loss, run_eagerly=True)
    model.fit(flow, epochs=3, verbose=0)
    assert [sorted(order) for order in orders] == [[0, 1, 2, 3, 4, 5]] * 3
    assert len({tuple(order) for order in orders}) == 3


def test_T14_a_flow_that_was_made_before_keras_2_was_loaded_ends(
    clean_environment: dict[str, str],
) -> None:
    program = """if True:
        import sys
        import numpy as np
        from fitgenerator.images import ImageDataGenerator
        flow = ImageDataGenerator().flow(np.ones((6, 2, 2, 3)), batch_size=2)
        assert "tf_keras" not in sys.modules
        import tf_keras
        model = tf_keras.Sequential([tf_keras.layers.Flatten(), tf_keras.layers.Dense(1)])
        print(model.predict(flow, verbose=0).shape)
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean_environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "(6, 1)\n", done.stderr

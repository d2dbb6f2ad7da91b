"""Steps with convolutions: loops that XLA compiles, over what runs instead, on a CPU.

    [KERAS_BACKEND=jax] tools/with-env python bench/rows/sliding_windows.py [ROUNDS]

The limits in `steps/*/window_work.py` follow from these ratios; they are lifted here.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fitgenerator as fg
import keras
import numpy as np
from common import forever

L = keras.layers
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
STEPS = 200
ROWS = 32

# Layers, and the shape of their input.
KINDS: dict[str, tuple[list[Any], tuple[int, ...]]] = {
    "2d, 8 x 8 x 1": ([L.Conv2D(8, 3)], (8, 8, 1)),
    "2d, 8 x 8 x 4": ([L.Conv2D(8, 3)], (8, 8, 4)),
    "2d, 12 x 12 x 4": ([L.Conv2D(8, 3)], (12, 12, 4)),
    "2d, 28 x 28 x 8": ([L.Conv2D(16, 3)], (28, 28, 8)),
    "two 2d, 28 x 28 x 1": ([L.Conv2D(32, 3), L.MaxPooling2D(), L.Conv2D(64, 3)], (28, 28, 1)),
    "1d, 64 x 8": ([L.Conv1D(16, 3)], (64, 8)),
    "1d, 256 x 8": ([L.Conv1D(16, 3)], (256, 8)),
    "3d, 8 x 8 x 8 x 2": ([L.Conv3D(4, 3)], (8, 8, 8, 2)),
    "by channel, 20 x 20 x 8": ([L.DepthwiseConv2D(3)], (20, 20, 8)),
    "transposed, 14 x 14 x 8": ([L.Conv2DTranspose(16, 3, strides=2)], (14, 14, 8)),
}


def main() -> None:
    """Print, for each kind, the work, the microseconds of a step, and the ratio."""
    backend = keras.config.backend()
    steps: Any = importlib.import_module(f"fitgenerator.steps.{backend}.compiled_steps")
    count, counted = steps.multiply_adds, [0.0]

    def counting(*args: Any) -> float:
        counted.append(count(*args))
        return counted[-1]

    steps.multiply_adds, steps.MOST = counting, float("inf")
    for name, (layers, shape) in KINDS.items():
        counted.clear()
        random = np.random.default_rng(0)
        batch = random.normal(size=(ROWS, *shape)).astype("float32"), random.normal(size=(ROWS, 1))
        without, looped = (
            statistics.median(times(model_of(layers, shape), batch, jit_compile=way))
            for way in (False, True)
        )
        print(
            f"{name:24s} {max(counted) / 1e6:6.1f} million, "
            f"{without:7.0f} us, {looped:7.0f} us: {looped / without:.2f}"
        )


def model_of(layers: list[Any], shape: tuple[int, ...]) -> Any:
    """A compiled model of such layers."""
    ends = [L.Flatten(), L.Dense(1)]
    model = keras.models.clone_model(keras.Sequential([keras.Input(shape), *layers, *ends]))
    model.compile("adam", "mse")
    return model


def times(model: Any, batch: Any, **options: Any) -> list[float]:
    """Microseconds of a step, in each round after the first."""
    taken = []
    for _ in range(ROUNDS + 1):
        begun = time.perf_counter()
        fg.fit_generator(model, forever(batch), STEPS, verbose=0, **options)
        taken.append(1e6 * (time.perf_counter() - begun) / STEPS)
    return taken[1:]


if __name__ == "__main__":
    main()

"""Row 10: another backend than TensorFlow, over Keras's own `fit` on it.

    KERAS_BACKEND=jax python bench/rows/backends.py [ROUNDS]

Figures are for a warm model. The last table is of a large model, over the bare loop of compiled
steps on batches that are on the device already: of JAX only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fitgenerator as fg
import keras
import numpy as np
from common import alternate, forever, small_batch, small_model, table

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
BACKEND = keras.config.backend()
LOOPS = BACKEND != "torch"  # of several steps in a call
LENGTHS = (3_000, 30_000) if LOOPS else (1_000,)
KERAS_STEPS = LENGTHS[0]  # all of its steps cost the same


def timed(run: Callable[[], object], steps: int) -> Callable[[], float]:
    """Microseconds a step of a warm run."""

    def call() -> float:
        begun = time.perf_counter()
        run()
        return 1e6 * (time.perf_counter() - begun) / steps

    call()
    return call


def small() -> None:
    """The small model on a Python generator."""
    batch, theirs, ours = small_batch(), small_model(), small_model()

    def keras_fit() -> None:
        theirs.fit(forever(batch), steps_per_epoch=KERAS_STEPS, verbose=0, shuffle=False)

    def fit(steps: int, **options: Any) -> Callable[[], object]:
        return lambda: fg.fit_generator(ours, forever(batch), steps, verbose=0, **options)

    contenders = {
        "Keras fit(generator)": timed(keras_fit, KERAS_STEPS),
        **{f"fit_generator, {n} steps": timed(fit(n), n) for n in LENGTHS},
    }
    if LOOPS:
        alone = fit(KERAS_STEPS, jit_compile=False)
        contenders["fit_generator, single steps"] = timed(alone, KERAS_STEPS)
    table(
        f"10-{BACKEND}",
        f"small model, Python generator, {BACKEND}",
        "microseconds per step",
        alternate(contenders, ROUNDS),
        against="Keras fit(generator)",
    )


def large(steps: int = 300) -> None:
    """A model whose steps are expensive, to which the engine must add nothing.

    So many that the start of a call, some 0.1 s, does not count.
    """
    import jax

    random = np.random.default_rng(0)
    batches = [
        (random.normal(size=(64, 784)).astype("float32"), random.integers(0, 10, 64))
        for _ in range(8)
    ]

    def model_of() -> Any:
        keras.utils.set_random_seed(1)
        wide = [keras.layers.Dense(1024, "relu") for _ in range(3)]
        model = keras.Sequential([keras.Input((784,)), *wide, keras.layers.Dense(10, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    ours, looped, bare = model_of(), model_of(), model_of()
    bare._symbolic_build(data_batch=batches[0])
    groups = (bare.trainable_variables, bare.non_trainable_variables)
    groups += (bare.optimizer.variables, bare.metrics_variables)
    state: Any = tuple([variable.value for variable in group] for group in groups)
    step, there = jax.jit(bare.train_step, donate_argnums=0), jax.device_put(batches)

    def loop() -> None:
        nonlocal state
        for number in range(steps):
            _, state = step(state, there[number % len(there)])
        jax.block_until_ready(state)

    def drawn() -> Any:
        while True:
            yield from batches

    def fit(model: Any, **options: Any) -> Callable[[], float]:
        return timed(lambda: fg.fit_generator(model, drawn(), steps, verbose=0, **options), steps)

    contenders = {
        "bare loop of compiled steps": timed(loop, steps),
        "fit_generator": fit(ours),
        "fit_generator, several steps a call": fit(looped, jit_compile=True),
    }
    table(
        f"10-{BACKEND}-large",
        f"large model, {BACKEND}",
        "microseconds per step",
        alternate(contenders, ROUNDS),
        against="bare loop of compiled steps",
    )


small()
if BACKEND == "jax":
    large()

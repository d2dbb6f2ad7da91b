"""Run by test_devices.py on JAX with two devices: each line says what was seen."""

from __future__ import annotations

from typing import Any

import jax
import keras
import numpy as np
from fitgenerator import evaluate_generator, fit_generator, predict_generator
from fitgenerator.backends.jax.tensors import Jax

from support.any_backend import equal, fit, rich, values
from support.tiny_trainings import Indexed, forever, make_batches

BATCHES = make_batches(4)


def says(call: Any) -> str:
    try:
        return f"no error: {call()}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def close(one: Any, other: Any) -> bool:
    return all(
        np.allclose(a, b, 1e-5, 1e-6) for a, b in zip(values(one), values(other), strict=True)
    )


def other_device() -> None:
    model = rich()
    before = values(model)
    there = [(jax.device_put(x, jax.devices()[1]), y) for x, y in BATCHES]
    print("elsewhere:", says(lambda: fit_generator(model, iter(there), 4, verbose=0)))
    print("unchanged:", all(map(np.array_equal, before, values(model))))
    here = [(jax.device_put(x, jax.devices()[0]), y) for x, y in BATCHES]
    print("here:", says(lambda: fit_generator(model, iter(here), 4, verbose=0).epoch))


def divided() -> None:
    alone, early = rich(0.0), rich(0.0)
    fit_generator(alone, forever(BATCHES), 20, verbose=0, jit_compile=False)
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    print("early:", says(lambda: fit_generator(early, iter(BATCHES), 1, verbose=0)))
    theirs, ours, loops = rich(0.0), rich(0.0), rich(0.0)
    expected = fit(theirs, forever(BATCHES), 20)
    seen, make = [], Jax.tensor

    def noting(self: Any, *args: Any, **options: Any) -> Any:
        tensor = make(self, *args, **options)
        seen.append(len(tensor.sharding.device_set))
        return tensor

    Jax.tensor = noting  # type: ignore[method-assign]
    history = fit_generator(ours, forever(BATCHES), 20, verbose=0, jit_compile=False)
    many = fit_generator(loops, forever(BATCHES), 60, verbose=0, jit_compile=True)
    Jax.tensor = make  # type: ignore[method-assign]
    print("divided:", set(seen))
    print("as keras:", history.history == expected, equal(ours, theirs))
    print("as on one device:", close(ours, alone))
    print("loops:", many.pipeline.calls < 60, many.pipeline.xla_steps > 0)
    scores = evaluate_generator(ours, Indexed(BATCHES))
    print("evaluated:", np.allclose(scores, ours.evaluate(Indexed(BATCHES), verbose=0)))
    predicted = predict_generator(ours, Indexed(BATCHES))
    print("predicted:", np.allclose(predicted, ours.predict(Indexed(BATCHES), verbose=0)))
    before = values(ours)
    uneven = make_batches(1, rows=31)
    print("uneven:", says(lambda: fit_generator(ours, iter(uneven), 1, verbose=0)))
    print("unchanged:", all(map(np.array_equal, before, values(ours))))


def parallel_model() -> None:
    mesh = keras.distribution.DeviceMesh((2,), ["batch"], jax.devices())
    layout = keras.distribution.LayoutMap(mesh)
    distribution = keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")
    keras.distribution.set_distribution(distribution)
    print("model:", says(lambda: fit_generator(rich(), iter(BATCHES), 1, verbose=0)))


if __name__ == "__main__":
    other_device()
    divided()
    parallel_model()

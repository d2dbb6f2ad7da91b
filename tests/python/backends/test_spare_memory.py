"""Steps of a large model on JAX write into the memory of values that nothing refers to any more."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import fit_generator
from support.any_backend import equal, fit
from support.tiny_trainings import forever

pytestmark = pytest.mark.skipif(keras.config.backend() != "jax", reason="it is JAX's memory")

BATCHES = [
    (random.normal(size=(8, 300)).astype("float32"), random.normal(size=(8, 5)).astype("float32"))
    for random in map(np.random.default_rng, range(3))
]


def large() -> Any:
    """A model with one array that is large."""
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(400, "relu"), keras.layers.Dense(5)]
    model = keras.Sequential([keras.Input((300,)), *layers])
    model.compile("adam", "mse", metrics=["mae"])
    return model


class Keeps(keras.callbacks.Callback):
    """Notes where the large array is, and keeps what it is after some of the steps."""

    def __init__(self, at: dict[int, Any]) -> None:
        super().__init__()
        self.at, self.places, self.kept = at, [], []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        value = self.model.weights[0].value
        self.places.append(value.unsafe_buffer_pointer())
        if batch in self.at:
            self.kept.append((self.at[batch](value), np.array(value)))


def test_two_places_in_turn_hold_the_values() -> None:
    theirs, ours, keeps = large(), large(), Keeps({})
    history = fit(theirs, forever(BATCHES), 9)
    mine = fit_generator(ours, forever(BATCHES), 9, verbose=0, callbacks=[keeps]).history
    assert mine == history
    assert equal(ours, theirs)
    assert len(set(keeps.places)) == 2
    assert keeps.places[::2] == keeps.places[:1] * 5


@pytest.mark.parametrize("way", [lambda v: v, np.asarray, np.from_dlpack, memoryview])
def test_what_is_kept_of_a_value_stays_whole(way: Any) -> None:
    theirs, ours, keeps = large(), large(), Keeps({2: way, 3: way})
    fit(theirs, forever(BATCHES), 9)
    fit_generator(ours, forever(BATCHES), 9, verbose=0, callbacks=[keeps])
    assert all(np.array_equal(np.asarray(kept), then) for kept, then in keeps.kept)
    assert equal(ours, theirs)


def test_loops_and_single_steps_share_the_memory() -> None:
    theirs, ours = large(), large()
    fit(theirs, forever(BATCHES), 95)
    history = fit_generator(ours, forever(BATCHES), 95, verbose=0, jit_compile=True)
    assert history.pipeline.calls < 95
    pairs = zip(ours.get_weights(), theirs.get_weights(), strict=True)
    assert all(np.allclose(a, b, 1e-4, 1e-5) for a, b in pairs)


def test_a_step_that_fails_leaves_the_model_whole() -> None:
    ours = large()
    fit_generator(ours, forever(BATCHES), 3, verbose=0)
    before = ours.get_weights()

    def fail(batch: int, logs: Any = None) -> None:
        raise RuntimeError("in a hook")

    within = keras.callbacks.LambdaCallback(on_train_batch_begin=fail)
    with pytest.raises(RuntimeError, match="in a hook"):
        fit_generator(ours, forever(BATCHES), 3, verbose=0, callbacks=[within])
    assert all(np.array_equal(a, b) for a, b in zip(before, ours.get_weights(), strict=True))
    fit_generator(ours, forever(BATCHES), 3, verbose=0)
    assert not [name for name in vars(ours) if "spare" in name]

"""Row 7: time from the call to the first step, cold and warm, against Keras's `fit`.

    tools/with-env python bench/rows/startup.py [ROUNDS]

Cold means a model that was just compiled; warm means the second call on that model. The first step
has ended when its `on_train_batch_end` hook is called, in both.
"""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fitgenerator as fg
import keras
from common import alternate, forever, small_batch, small_model, table

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
BATCH = small_batch()


class First(keras.callbacks.Callback):
    """Notes when the first batch has ended."""

    seconds = 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 0:
            self.seconds = time.perf_counter()


def first_step(fit: Any, model: Any) -> float:
    """Milliseconds until the first step has ended."""
    gc.collect()  # what another way has left behind is not this one's
    first, begun = First(), time.perf_counter()
    fit(model, first)
    return 1e3 * (first.seconds - begun)


def by_keras(model: Any, first: Any) -> None:
    model.fit(forever(BATCH), steps_per_epoch=5, verbose=0, callbacks=[first], shuffle=False)


def by_us(model: Any, first: Any) -> None:
    fg.fit_generator(model, forever(BATCH), 5, verbose=0, callbacks=[first])


WARM = {by_keras: small_model(), by_us: small_model()}
for fit, model in WARM.items():
    first_step(fit, model)


def whole_call() -> float:
    """Milliseconds of a warm call of one step."""
    gc.collect()
    begun = time.perf_counter()
    fg.fit_generator(WARM[by_us], forever(BATCH), 1, verbose=0)
    return 1e3 * (time.perf_counter() - begun)


figures = alternate(
    {
        "Keras fit, cold": lambda: first_step(by_keras, small_model()),
        "fit_generator, cold": lambda: first_step(by_us, small_model()),
        "Keras fit, warm": lambda: first_step(by_keras, WARM[by_keras]),
        "fit_generator, warm": lambda: first_step(by_us, WARM[by_us]),
        "fit_generator, warm, whole call of one step": whole_call,
    },
    ROUNDS,
)
table("7", "start-up: from the call to the end of the first step", "milliseconds", figures)

"""Ctrl-C at random moments, from Python: does each arrive, and how soon is control back?

    tools/with-env python bench/endurance/interrupts.py [TRIALS] [SETTING ...]

Each setting trains in this process; a timer sends SIGINT. A trial counts as arrived when
`fit_generator` raises `KeyboardInterrupt`, no thread of the call is left, and the model can still
be trained.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import fitgenerator as fg
import keras
import numpy as np


def tiny_model() -> Any:
    """A model whose step takes no time to speak of."""
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def python_generator(seconds: float) -> Any:
    """Batches that take `seconds` each."""
    while True:
        time.sleep(seconds)
        yield np.ones((8, 4), "float32"), np.ones((8, 1), "float32")


def r_closure(body: str) -> Any:
    """An R function that runs `body` before each batch."""
    import rpy2.robjects as ro

    return ro.r(f"function() {{ {body}; list(matrix(1, 8, 4), rep(1, 8)) }}")


def calling_r(body: str, mode: str = "fit") -> Any:
    """A Python generator that has R run `body` before each batch, for a call of a kind."""
    import rpy2.robjects as ro

    run = ro.r(f"function() {{ {body}; 1 }}")
    x = np.ones((8, 4), "float32")

    def batches() -> Any:
        while True:
            yield x, np.full((8, 1), run()[0], "float32")

    return batches(), {"mode": mode}


def predicting(model: Any) -> Any:
    """Batches for which the model that trains is asked."""
    x = np.ones((8, 4), "float32")
    while True:
        yield x, model.predict_on_batch(x)


def hooks() -> dict[str, Any]:
    """A callback with a hook on every batch."""
    hook = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: time.sleep(0.001))
    return {"callbacks": [hook]}


def validation() -> dict[str, Any]:
    """Validation, most of the time."""
    return {
        "epochs": 10**6,
        "validation_data": python_generator(0.0),
        "validation_steps": 50,
    }


COMPUTES = "s <- 0; for (i in 1:2e6) s <- s + i"
SETTINGS: dict[str, Callable[..., Any]] = {
    "Python generator that sleeps": lambda: python_generator(0.2),
    "Python generator, short steps": lambda: python_generator(0.0),
    "Python generator, hooks": lambda: (python_generator(0.0), hooks()),
    "Python generator, validation": lambda: (python_generator(0.0), validation()),
    "Python generator that predicts": predicting,
    "R closure that sleeps": lambda: r_closure("Sys.sleep(0.2)"),
    "R closure that computes": lambda: r_closure(COMPUTES),
    "R closure, short steps": lambda: r_closure("NULL"),
    "R in a generator that sleeps": lambda: calling_r("Sys.sleep(0.2)"),
    "R in a generator that computes": lambda: calling_r(COMPUTES),
    "R in a generator, short steps": lambda: calling_r("NULL"),
    "R in a generator, evaluate": lambda: calling_r(COMPUTES, "evaluate"),
    "R in a generator, predict": lambda: calling_r("Sys.sleep(0.2)", "predict"),
}
CALLS: dict[str, Callable[..., Any]] = {
    "fit": fg.fit_generator,
    "evaluate": fg.evaluate_generator,
    "predict": fg.predict_generator,
}


def trial(model: Any, generator: Any, options: dict[str, Any]) -> tuple[str, float]:
    """One interrupted training: what came, and how long after the signal, in seconds."""
    sent = [0.0]

    def interrupt() -> None:
        sent[0] = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(random.uniform(0.05, 1.0), interrupt)
    timer.start()
    try:
        steps = 5 if "epochs" in options else 10**6
        call = CALLS[options.pop("mode", "fit")]
        call(model, generator, steps, verbose=0, **options)
        came = "nothing"
    except KeyboardInterrupt:
        came = "arrived"
    except BaseException as error:
        came = type(error).__name__
    spent = time.perf_counter() - sent[0]
    timer.join()
    if any(t.name.startswith("fitgenerator") for t in threading.enumerate()):
        came = "thread left"
    fg.fit_generator(model, python_generator(0.0), 2, verbose=0)
    return came, spent


def source_of(make: Callable[..., Any], model: Any) -> tuple[Any, dict[str, Any]]:
    """A generator of a setting, and what else it needs."""
    made = make(model) if make is predicting else make()
    return made if isinstance(made, tuple) else (made, {})


def main() -> None:
    """Run every setting and print a line for each."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    wanted = sys.argv[2:] or list(SETTINGS)
    for name in wanted:
        make = SETTINGS[name]
        model = tiny_model()
        fg.fit_generator(model, python_generator(0.0), 2, verbose=0)
        results = [trial(model, *source_of(make, model)) for _ in range(trials)]
        arrived = sum(came == "arrived" for came, _ in results)
        others = sorted({came for came, _ in results} - {"arrived"})
        soon = sum(came == "arrived" and spent <= 1 for came, spent in results)
        slowest = max(spent for _, spent in results)
        print(
            f"{name:<32}{arrived:>4} of {trials}, {soon} within 1 s, slowest {slowest:.2f} s  "
            f"{' '.join(others)}",
            flush=True,
        )


if __name__ == "__main__":
    main()

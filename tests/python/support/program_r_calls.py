"""Run by test_rpy2_calls.py: a generator calls R until it is interrupted, in several ways."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from fitgenerator import evaluate_generator, predict_generator
from rpy2 import rinterface
from rpy2.robjects.environments import local_context

from support.r_code import r
from support.tiny_trainings import echo_model, numbered, run


def locked() -> None:
    with local_context():
        r("Sys.sleep")(60)


CALLS: dict[str, Callable[[], Any]] = {
    "a function that sleeps": lambda: r("Sys.sleep")(60),
    "code that sleeps": lambda: r("Sys.sleep(60)"),
    "a function that computes": r("function() repeat 1"),
    "a call by names": lambda: r["Sys.sleep"].rcall((("time", rinterface.FloatSexpVector([60])),)),
    "with rpy2's lock": locked,
}


def calling(call: Callable[[], Any]) -> Iterator[Any]:
    for number, batch in enumerate(numbered(), 1):
        if number == 7:
            call()
        yield batch


MODES: dict[str, Callable[..., Any]] = {
    "fit": lambda source, queue: run(echo_model(), source, 2, 9, max_queue_size=queue),
    "evaluate": lambda source, queue: evaluate_generator(echo_model(), source, 18, queue),
    "predict": lambda source, queue: predict_generator(
        echo_model(), (batch[:1] for batch in source), 18, queue
    ),
}


def trial(mode: str, call: Callable[[], Any], queue: int) -> str:
    """What came of an interrupt, in words."""

    def say_and_call() -> None:
        print("calling", flush=True)
        call()

    found, begun = "", time.perf_counter()
    try:
        MODES[mode](calling(say_and_call), queue)
    except KeyboardInterrupt:
        found = "interrupted"
    found += ", late" if time.perf_counter() - begun > 20 else ""
    left = [thread.name for thread in threading.enumerate() if "fitgenerator" in thread.name]
    again = run(echo_model(), calling(lambda: r("sqrt")(4)), 9).history["loss"]
    return f"{found}, {left}, {again}, {type(rinterface.SexpClosure.__call__).__name__}"


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for queue in (0, 1, 10):
        for call in CALLS.values():
            print(trial("fit", call, queue), flush=True)
    for mode in ("evaluate", "predict"):
        for name in ("a function that sleeps", "a function that computes"):
            print(trial(mode, CALLS[name], 10), flush=True)


if __name__ == "__main__":
    main()

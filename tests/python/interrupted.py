"""Run by test_interrupts.py: trains until it is interrupted, as often as it is told."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import fitgenerator
from fitgenerator.training import run_context
from toys import at_epoch_end, echo_model, numbered, run

READY_AT = 3  # epochs, the last of which may still be unrecorded


# TensorFlow crashes where an interrupt lands between two Python calls in its conversion of a number
# (it does not check for the error), as the reset of metrics at the begin of an epoch needs: with
# epochs of 2 ms once in a thousand interrupts, so these are longer.
STEPS = {"running steps": 2000}


def sleeping(seconds: float) -> Iterator[Any]:
    """Batches that take long once the first epochs are over."""
    for number, batch in enumerate(numbered()):
        if number >= 3 * READY_AT:
            time.sleep(seconds)
        yield batch


SOURCES = {
    "sleeping generator": lambda: sleeping(0.2),
    "running steps": numbered,
    "lockstep": lambda: sleeping(0.2),
    "stuck": lambda: sleeping(1000),
}


def say(text: str) -> None:
    print(text, flush=True)


def trial(mode: str) -> str:
    """Train until interrupted; what was found then, in words."""
    options = {"max_queue_size": 0 if mode == "lockstep" else 10}
    steps = STEPS.get(mode, 3)
    ready = at_epoch_end(lambda epoch: say("ready") if epoch + 1 == READY_AT else None)
    begun = time.perf_counter()
    try:
        run(echo_model(), SOURCES[mode](), steps, 10**6, [ready], **options)
    except KeyboardInterrupt:
        found = ["interrupted"]
    if time.perf_counter() - begun > 10:
        found.append("late")
    means = [(steps + 1) / 2, (3 * steps + 1) / 2]
    history = fitgenerator.last_history()
    kept = history is not None and history.history["loss"][:2] == means
    found.append("history kept" if kept else "history lost")
    alive = any(t.name.startswith("fitgenerator") for t in threading.enumerate())
    found.append("thread left" if alive and mode != "stuck" else "no thread left")
    if run(echo_model(), numbered(), 2).history["loss"] == [1.5]:
        found.append("trains on")
    return ", ".join(found)


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert fitgenerator.last_history() is None
    for mode in sys.argv[2:]:
        run_context.GRACE = 0.3 if mode == "stuck" else 5.0
        warnings.simplefilter("ignore" if mode == "stuck" else "error")
        for _ in range(int(sys.argv[1])):
            faulthandler.dump_traceback_later(60, exit=True)  # of this trial, on a busy machine too
            say(trial(mode))
            sys.stdin.readline()


if __name__ == "__main__":
    main()

"""Generated malformed batches: does each train as in Keras, or raise a clear error?

    tools/with-env python bench/endurance/malformed.py [N] [SEED]

Runs the property of the Python test of malformed batches on N batches (10,000), and prints how many
were trained on, evaluated, predicted, and refused with which class of error. The exit status is 1
if any batch was accepted wrongly, refused wrongly, or refused with the wrong message.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "python"))

import fitgenerator
from hypothesis import HealthCheck, Phase, given, seed, settings
from support.generated_batches import Case, cases
from support.malformed_batches import try_case

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 2**32
SHOWN = 25  # failures, each with its batch

outcomes: Counter[tuple[str, str]] = Counter()
failures: dict[str, list[str]] = {}
longest = 0


def our_threads() -> list[str]:
    """Names of living threads of ours."""
    return [t.name for t in threading.enumerate() if t.name.startswith("fitgenerator")]


@seed(SEED)
@settings(
    max_examples=COUNT,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(cases())
def run(case: Case) -> None:
    """One batch; failures are kept, to see all of them."""
    global longest  # noqa: PLW0603
    try:
        outcome = try_case(case)
        assert not our_threads(), f"left alive: {our_threads()}"
    except AssertionError as error:
        failures.setdefault(str(error)[:200], []).append(repr(case))
        outcomes["FAILED", case.place] += 1
        return
    outcomes[outcome.word, case.place] += 1
    if not outcome.word.startswith("Keras"):
        longest = max(longest, outcome.length)


warnings.simplefilter("ignore")
begun = time.perf_counter()
run()
seconds = time.perf_counter() - begun
total = sum(outcomes.values())
print(f"{total} batches, seed {SEED}, {seconds:.0f} s ({1e3 * seconds / total:.1f} ms each)")
words = sorted({word for word, _ in outcomes}, key=lambda w: (w.startswith("Keras"), w))
for word in words:
    places = {place: n for (w, place), n in sorted(outcomes.items()) if w == word}
    spread = ", ".join(f"{place} {n}" for place, n in places.items())
    print(f"  {word:32} {sum(places.values()):6}   {spread}")
print(f"  longest text of an error of fitgenerator {fitgenerator.__version__}: {longest}")
for message, which in list(failures.items())[:SHOWN]:
    print(f"\n{len(which)} x {message}")
    for case in which[:3]:
        print(f"    {case}")
sys.exit(1 if failures else 0)

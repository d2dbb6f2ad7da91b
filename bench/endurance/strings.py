"""A model of strings with XLA forced, in fresh processes: does one abort, or differ?

    tools/with-env python bench/endurance/strings.py [TRIALS]

Each of TRIALS processes (20) trains, evaluates and predicts the sweep's model of strings with
`jit_compile=True`. Prints how many ended in which way, with the numbers that they gave; the exit
status is 1 if one did not end well, or if they gave different numbers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[2] / "tests" / "python"
ONCE = "once"


def once() -> None:
    """What one process does."""
    sys.path.insert(0, str(TESTS))
    from fitgenerator import evaluate_generator, predict_generator
    from fitgenerator.training import call_policy
    from support.model_kinds_tensorflow import made
    from support.tiny_trainings import Indexed, run

    call_policy.SAVED = 1e6  # loops are formed at once
    model, batches = made("strings")
    options = {"jit_compile": True}
    history = run(model, Indexed(batches), None, 2, None, Indexed(batches), **options).history
    score = evaluate_generator(model, Indexed(batches), **options)
    rows = predict_generator(model, Indexed([batch[:1] for batch in batches]), **options)
    numbers = *history["loss"], *history["val_loss"], score, rows.sum()
    print(*(f"{number:.6g}" for number in numbers))


def main(trials: int) -> int:
    """Run the processes, one after the other."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    ended: Counter[str] = Counter()
    for trial in range(trials):
        command = [sys.executable, "-X", "faulthandler", __file__, ONCE]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        way = done.stdout.strip() if done.returncode == 0 else f"exit status {done.returncode}"
        ended[way] += 1
        if done.returncode:
            print(f"process {trial + 1}: {way}\n{done.stderr}", flush=True)
    for way, count in ended.items():
        print(f"{count} of {trials}: {way}", flush=True)
    return int(len(ended) != 1 or any(way.startswith("exit") for way in ended))


if __name__ == "__main__":
    if sys.argv[1:] == [ONCE]:
        once()
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))

"""Row 12: two replicas on two devices made of the CPU: several steps in a call, over single calls.

    tools/with-env python bench/rows/replicas.py [STEPS] [PAIRS]

The model is row 1's small one. Single calls are had by a queue of one batch.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fitgenerator as fg
import tensorflow as tf
from common import alternate, forever, small_batch, small_model

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
PAIRS = int(sys.argv[2]) if len(sys.argv) > 2 else 5


def main() -> None:
    """Print the medians, and that of the ratios."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, devices)
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = small_model()
    batch, per_call = small_batch(), []

    def run(queue: int) -> float:
        begun = time.perf_counter()
        history = fg.fit_generator(model, forever(batch), STEPS, max_queue_size=queue, verbose=0)
        if queue > 1:
            per_call.append(history.pipeline.steps / history.pipeline.calls)
        return (time.perf_counter() - begun) / STEPS

    for queue in (1, 10):
        run(queue)  # traces, and decides on loops
    figures = alternate({"single": lambda: run(1), "several": lambda: run(10)}, PAIRS)
    ratios = [b / a for a, b in zip(figures["single"], figures["several"], strict=True)]
    for name, values in figures.items():
        print(f"{name:<8} {1e6 * statistics.median(values):8.0f} us a step")
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"steps a call {statistics.median(per_call):.1f}")


if __name__ == "__main__":
    main()

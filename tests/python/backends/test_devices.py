"""Two devices, of JAX: batches divided by `keras.distribution`, and batches that are elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import pytest

pytestmark = pytest.mark.skipif(keras.config.backend() != "jax", reason="about JAX")

PROGRAM = Path(__file__).parents[1] / "support" / "program_devices.py"
SAID = """\
elsewhere: BatchError: The batch is on the device cpu:1, and the model on cpu:0: move \
the batch to the model's device, or give NumPy arrays.
unchanged: True
here: no error: [0]
early: ArgumentError: The model cannot be run: it was made before keras.distribution was set, on \
other devices; make it anew.
divided: {2}
as keras: True True
as on one device: True
loops: True True
evaluated: True
predicted: True
uneven: BatchError: The batch cannot be used: keras.distribution cannot divide its 31 rows among 2 \
devices.
unchanged: True
model: ArgumentError: The model cannot be run: keras.distribution.ModelParallel is set, which is \
not supported; DataParallel is.
"""


def test_batches_are_divided_among_devices_or_refused(clean_environment: dict[str, str]) -> None:
    env = {**clean_environment, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAM)], env=env, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    assert done.stdout == SAID, done.stderr

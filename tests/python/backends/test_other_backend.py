"""Checkpoints do not depend on the backend: `tools/test backends` names a Python that has another.

Both ways in one process of its: it writes a file, and resumes one that was written here.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from support.program_checkpoint import train

OTHER = os.environ.get("FITGENERATOR_OTHER_PYTHON", "")
PROGRAM = Path(__file__).parents[1] / "support" / "program_checkpoint.py"


def equal(one: Path, other: Path) -> bool:
    left, right = np.load(one), np.load(other)
    return len(left) == len(right) and all(np.array_equal(left[n], right[n]) for n in left)


@pytest.mark.skipif(
    not OTHER or keras.config.backend() == "tensorflow", reason="there is no other backend"
)
def test_what_one_backend_wrote_another_one_resumes(
    tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    here, there = tmp_path / "here.npz", tmp_path / "there.npz"
    train(str(here), 2)
    kept = Path(f"{here}-2.npz").rename(tmp_path / "kept.npz")
    done = subprocess.run(
        [OTHER, "-W", "ignore", str(PROGRAM), str(there), str(here)],
        env={**clean_environment, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert equal(Path(f"{here}-2.npz"), kept)
    written = Path(f"{there}-2.npz").rename(tmp_path / "written.npz")
    train(str(there), 2)
    assert equal(Path(f"{there}-2.npz"), written)
    train(str(there), 3)

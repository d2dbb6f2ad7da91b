"""Programs that run R through rpy2 in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

BEGIN = """
import os, pickle, sys, time
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import threading
import keras, numpy as np
import fitgenerator as fg
from rpy2 import rinterface
from support.r_code import closure, r
from support.tiny_trainings import *
"""


def said_by(environment: dict[str, str], *parts: str) -> list[str]:
    """The lines that a program prints; it is made of parts, each indented as it likes."""
    script = "".join([BEGIN, *map(textwrap.dedent, parts)])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout.strip().splitlines()

"""Fixtures of all tests: no thread of ours may outlive a test, every test starts from one seed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import random
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import pytest
from fitgenerator import api
from fitgenerator.training import call_policy, run_context
from support.tiny_trainings import QUEUES

pytest_plugins = ["support.stress"]

# Torch is no dependency, not even of the tests: test_loaders.py has a stand-in.
collect_ignore = [] if importlib.util.find_spec("torch") else ["sources/test_torch.py"]
if not importlib.util.find_spec("rpy2"):
    collect_ignore.append("r")

PREFIX = "fitgenerator"
# R, once it runs in this process, changes the environment so that another Python may not start.
ENVIRONMENT = dict(os.environ)
PATHS = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for what Keras and TensorFlow do among themselves."""
    for message in (
        "__array__ implementation doesn't accept a copy keyword",
        # TensorFlow's AutoGraph on Python 3.13, which then leaves a function as it is:
        "[A-Za-z]+.__init__ got an unexpected keyword argument '___pyct_anno'",
        # Keras's image flows, which ours are compared with:
        "Please import `affine_transform` from the `scipy.ndimage`",
        "'mode' parameter is deprecated",
    ):
        config.addinivalue_line("filterwarnings", f"ignore:{message}:DeprecationWarning")

    with suppress(importlib.metadata.PackageNotFoundError):  # as beside JAX and PyTorch
        version = importlib.metadata.version("tf_keras")
        if sys.version_info >= (3, 12) and version.startswith("2.16"):
            _let_keras_2_draw_seeds()


def _let_keras_2_draw_seeds() -> None:
    """tf_keras 2.16 asks for seeds up to `1e9`, a float, which Python 3.12 no longer takes."""
    draw = random.Random.randint

    def randint(self: random.Random, a: int, b: float) -> int:
        return draw(self, a, int(b))

    random.Random.randint = randint  # type: ignore[method-assign, assignment]
    random.randint = partial(randint, random._inst)  # type: ignore[attr-defined]


def _our_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith(PREFIX)]


def _stack_of(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return "".join(traceback.format_stack(frame)) if frame else "(it has just ended)\n"


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Fail where a thread of ours lives after the test, and show where it stands."""
    yield
    left = _our_threads()
    if left:
        pytest.fail("\n".join(f"{t.name} is alive:\n{_stack_of(t)}" for t in left))


@pytest.fixture(autouse=True)
def r_runs_for_tests_of_r(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once R runs, every call could serve it: those of tests without R are as before."""
    if "support.r_code" not in request.path.read_text("utf-8"):
        monkeypatch.setattr(api, "r_runs", lambda: False)


@pytest.fixture(autouse=True)
def one_seed() -> None:
    """The same random numbers in every test, in whatever order tests run."""
    keras.utils.set_random_seed(11)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C is `KeyboardInterrupt`, also where a shell has started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def quietly() -> Iterator[None]:
    """Neither Keras nor we print how many images were found."""
    keras.config.disable_interactive_logging()
    yield
    keras.config.enable_interactive_logging()


@pytest.fixture(scope="session")
def clean_environment() -> dict[str, str]:
    """The environment for other processes, as it was when the tests began; they find `support`."""
    return {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(PATHS)}


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> float:
    """The engine gives up on stuck generators soon; the time in seconds."""
    monkeypatch.setattr(run_context, "GRACE", 0.3)
    return 0.3


@pytest.fixture(params=QUEUES, ids=["lockstep", "queue1", "queue10"])
def queue(request: pytest.FixtureRequest) -> int:
    """A `max_queue_size`."""
    size: int = request.param
    return size


@pytest.fixture
def loops_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops are formed as soon as steps were measured, however few are left."""
    monkeypatch.setattr(call_policy, "SAVED", 1e6)

"""What is wrong with a training of several processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import keras
from fitgenerator import Checkpoint, share_of
from fitgenerator.agreement import introductions
from fitgenerator.agreement.agreement import Agreement
from fitgenerator.batches.call_size import CallSize
from fitgenerator.models import supported
from fitgenerator.training import evaluate_loop
from fitgenerator.training.together import CommonRounds, check_call, own_callbacks

from support.local_clusters import clusters, in_each


class Others(Agreement):
    """What two processes have given."""

    count = 2

    def __init__(self, *given: Any) -> None:
        self._given = list(given)

    def agree(self, place: str, value: Any) -> list[Any]:
        return self._given


def of_first(*works: Callable[[Agreement], Any]) -> None:
    """What process 0 raises."""
    raise in_each(list(works), clusters(len(works)))[0]


def rounds(*batches: Any) -> None:
    """A step for which two processes have such batches."""
    told = {"stops": False, "sizes": [1, 1], "keep": None}
    given = [{"batch": batch, **told} for batch in batches]
    call: Any = SimpleNamespace(form=SimpleNamespace(kind=(), shapes=()), count=1)
    common = CommonRounds(Others(*given), "generator", CallSize())
    common.take(call, "step 3", lack_is_error=True)


def nothing() -> None:
    """A round without a step, because another process has no batch."""
    common = SimpleNamespace(lacking=["process 1 (127.0.0.1:23451)"])
    prefetcher = SimpleNamespace(setup=SimpleNamespace(argument="generator"))
    runner: Any = SimpleNamespace(
        calls=SimpleNamespace(common=common), prefetcher=prefetcher, count=3, left_out=0
    )
    evaluate_loop.check_end(runner, 0, False, "evaluate")


def eager_model() -> None:
    """A model that was made for several processes, and runs eagerly."""
    version: Any = SimpleNamespace(model=SimpleNamespace(run_eagerly=True))
    supported._check_for_processes(version)


def shared(config: str = "", source: Any = ((1,), (2,)), **given: Any) -> Callable[[], object]:
    """A share of a source, with such a TF_CONFIG."""

    def make() -> object:
        with mock.patch.dict(os.environ, {"TF_CONFIG": config}):
            return share_of(source, **given)

    return make


class Shuffled:
    """An indexed source that shuffles, in an order that nothing decides on."""

    shuffle, seed = True, None

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return (index,)


def unmet(**settings: Any) -> None:
    """A process that the others do not come to."""
    cluster = clusters(2)[1]
    cluster.alive = False
    with mock.patch.multiple(introductions, **settings):
        introductions.reach_first(cluster, lambda: None)


def other_names() -> None:
    """Two processes whose TF_CONFIG differ."""
    introductions._check_names(clusters(2)[0], ["a:1", "b:2"], 1)


def callbacks(*given: Any) -> None:
    """Callbacks of a call of two processes."""
    own_callbacks(given, Others())


PROCESSES: dict[str, Callable[[], object]] = {
    "processes at different places": lambda: of_first(
        lambda a: a.agree("step 1 of epoch 1", 0), lambda a: a.agree("the end of epoch 1", 0)
    ),
    "another process that has failed": lambda: of_first(
        lambda a: a.agree("step 1", 0), lambda a: 1 // 0
    ),
    "another process that does not come": lambda: unmet(PATIENCE=0.0),
    "another process that has ended": lambda: unmet(_ASKS=0.0),
    "another TF_CONFIG": other_names,
    "different calls": lambda: check_call(Others({"`epochs`": 2}, {"`epochs`": 3}), {}),
    "no batch in another process": lambda: rounds(["a", []], None),
    "another form in another process": lambda: rounds(["a", []], ["b", []]),
    "nothing in another process": nothing,
    "BackupAndRestore under several processes": lambda: callbacks(
        keras.callbacks.BackupAndRestore("folder")
    ),
    "files for SIGTERM under several processes": lambda: callbacks(
        Checkpoint("x.npz", on_signal=True)
    ),
    "eager steps of several processes": eager_model,
    "a share of a generator": shared(source=iter(()), index=0, count=2),
    "a share of a source without a seed": shared(source=Shuffled(), index=0, count=2),
    "a share of too few batches": shared(index=0, count=3),
    "a share for a process that is not there": shared(index=2, count=2),
    "a share without a count": shared(index=0),
    "a share in another TF_CONFIG": shared('{"cluster": {"worker": ["a:1"]}, "task": 3}'),
}

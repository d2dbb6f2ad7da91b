"""What is wrong with a training of several processes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import keras
from fitgenerator import Checkpoint
from fitgenerator.agreement import introductions
from fitgenerator.agreement.agreement import Agreement
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
    given = [{"batch": batch, "stops": False} for batch in batches]
    form = SimpleNamespace(kind=(), shapes=())
    common = CommonRounds(Others(*given), "generator")
    common.take(SimpleNamespace(form=form), "step 3", lack_is_error=True)  # type: ignore[arg-type]


def nothing() -> None:
    """A round without a step, because another process has no batch."""
    common = SimpleNamespace(lacking=["process 1 (127.0.0.1:23451)"])
    prefetcher = SimpleNamespace(setup=SimpleNamespace(argument="generator"))
    runner: Any = SimpleNamespace(
        calls=SimpleNamespace(common=common), prefetcher=prefetcher, count=3, left_out=0
    )
    evaluate_loop.check_end(runner, 0, False, "evaluate")


def model(mode: str, *, eager: bool = False) -> None:
    """A model that was made for several processes."""
    version: Any = SimpleNamespace(model=SimpleNamespace(run_eagerly=eager))
    supported._check_for_processes(version, mode)


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
    "files within epochs under several processes": lambda: callbacks(Checkpoint("x.npz", every=3)),
    "predictions of several processes": lambda: model("predict"),
    "eager steps of several processes": lambda: model("train", eager=True),
}

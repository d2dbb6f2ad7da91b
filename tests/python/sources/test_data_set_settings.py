"""What a `PyDataset` says of how it is to be read (T23)."""

from __future__ import annotations

import threading
from typing import Any

import keras
import pytest
from fitgenerator import (
    FormerArgumentWarning,
    evaluate_generator,
    flow_from_data,
    predict_generator,
)
from support.tiny_trainings import Indexed, echo_model, numbered_batch, run


class Files(keras.utils.PyDataset):
    """Six batches; `together` is the most that were made at the same time."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.threads: set[int] = set()
        self.meeting = threading.Barrier(self.workers)

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        self.threads.add(threading.get_ident())
        self.meeting.wait(30)  # for as many threads as there are to be
        return numbered_batch(index)


CALLS: dict[str, Any] = {
    "train": run,
    "evaluate": evaluate_generator,
    "predict": predict_generator,
    "validate": lambda model, source, **options: run(
        model, Indexed([numbered_batch(1)]), None, 1, None, source, **options
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_T23_a_data_set_is_read_by_as_many_threads_as_it_says(call: Any) -> None:
    source = Files(workers=3)
    call(echo_model(), source)
    assert len(source.threads) == 3


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_T23_the_calls_argument_comes_first(call: Any) -> None:
    source = Files(workers=3)
    source.meeting = threading.Barrier(1)
    call(echo_model(), source, workers=1)
    assert len(source.threads) == 1
    source = Files()
    source.meeting = threading.Barrier(2)
    call(echo_model(), source, workers=2)
    assert len(source.threads) == 2
    source = Files(workers=3)
    source.meeting = threading.Barrier(1)
    call(echo_model(), source, workers=0)
    assert source.threads == {threading.get_ident()}


def test_T23_so_is_the_size_of_the_queue() -> None:
    def size(source: Any, **options: Any) -> int:
        return run(echo_model(), source, **options).pipeline.max_queue_size

    assert size(Files(max_queue_size=3)) == 3
    assert size(Files(max_queue_size=3), max_queue_size=7) == 7
    assert size(Files(max_queue_size=3), workers=0) == 0
    assert size(Files()) == size([numbered_batch(1)]) == 10
    flow = flow_from_data(numbered_batch(1)[0], numbered_batch(1)[1])
    flow.max_queue_size = 4
    assert size(flow) == 4


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_T23_processes_are_warned_of_once_a_call(call: Any) -> None:
    source = Files(use_multiprocessing=True)
    with pytest.warns(FormerArgumentWarning, match="`use_multiprocessing` of a data set") as caught:
        call(echo_model(), source)
    assert len(caught) == 1


def test_T23_a_data_set_that_has_no_settings_is_read_as_ever() -> None:
    class Careless(Indexed):
        def __init__(self) -> None:
            self.batches = [numbered_batch(1)]
            self.asked, self.threads = [], set()

    assert run(echo_model(), Careless()).history["loss"] == [1]

"""T6: each pass over an indexed source has the length that the source has then."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tf_keras
from fitgenerator import (
    EndedEarlyWarning,
    evaluate_generator,
    predict_generator,
)
from support.both_kerases import INDEXED_KINDS as KINDS
from support.both_kerases import echo_of
from support.tiny_trainings import (
    Indexed,
    Loader,
    Seen,
    at_batch_begin,
    echo_model,
    linear_model,
    numbered_batch,
    run,
)


def varies(parent: Any, first: int, step: int) -> Any:
    """A source of `first` batches, which has `step` more after each pass; `read` has them all."""

    class Varies(parent):  # type: ignore[misc]
        def __init__(self) -> None:
            if parent is not object:
                super().__init__()
            self.n = first
            self.read: list[list[int]] = [[]]

        def __len__(self) -> int:
            return self.n

        def __getitem__(self, index: int) -> Any:
            if index >= self.n:
                raise IndexError(f"batch {index} of {self.n}")
            self.read[-1].append(index)
            return numbered_batch(index)

        def on_epoch_end(self) -> None:
            self.n += step
            self.read.append([])

    return Varies()


@pytest.mark.parametrize("kind", KINDS, ids=["PyDataset", "Sequence", "plain"])
@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras3", "keras2"])
@pytest.mark.parametrize(("first", "step"), [(2, 2), (4, -1)], ids=["grows", "shrinks"])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T6_each_pass_has_the_length_that_the_source_has_then(
    kind: Any, package: Any, first: int, step: int, workers: int
) -> None:
    source = varies(kind, first, step)
    history = run(echo_of(package), source, epochs=3, workers=workers)
    wanted = [first, first + step, first + 2 * step]
    assert [sorted(one) for one in source.read[:3]] == [[*range(n)] for n in wanted]
    assert history.history["loss"] == pytest.approx([(n - 1) / 2 for n in wanted])
    assert not history.incomplete


def test_T6_validation_and_evaluation_too(queue: int) -> None:
    source, seen = varies(keras.utils.PyDataset, 2, 2), Seen()
    one = Indexed([numbered_batch(1)])
    history = run(echo_model(), one, None, 3, [seen], source, max_queue_size=queue)
    assert seen.test == [*range(2), *range(4), *range(6)]
    assert history.history["val_loss"] == [0.5, 1.5, 2.5]
    assert len(predict_generator(echo_model(), source, max_queue_size=queue)) == 2 * 8
    assert evaluate_generator(echo_model(), source) == 4.5


def test_T6_with_steps_per_epoch_a_pass_that_wraps_has_its_length_of_then(queue: int) -> None:
    seen = Seen()
    run(echo_model(), varies(object, 1, 1), 5, 2, [seen], max_queue_size=queue)
    assert seen.train == [0, 0, 1, 0, 1, 2, 0, 1, 2, 3]


def test_T6_batch_hooks_and_several_steps_per_call_follow_the_length(loops_pay: None) -> None:
    model = linear_model(1)
    begun: list[int] = []
    run(model, varies(object, 3, 2), None, 3, [at_batch_begin(begun.append)])
    assert begun == [*range(3), *range(5), *range(7)]
    source = varies(object, 30, -10)
    history = run(linear_model(1), source, None, 3)
    assert [len(one) for one in source.read[:3]] == [30, 20, 10]
    assert history.pipeline.steps == 60
    several = linear_model(1, steps_per_execution=4)
    source = varies(object, 6, -1)
    run(several, source, None, 3)
    assert [len(one) for one in source.read[:3]] == [6, 5, 4]


def test_T6_a_source_that_has_no_batches_left_ends_the_training_early() -> None:
    with pytest.warns(EndedEarlyWarning, match="epoch 3"):
        history = run(echo_model(), varies(object, 2, -1), epochs=4)
    assert history.incomplete
    assert len(history.epoch) == 2


def test_T6_an_iterable_is_asked_again(queue: int) -> None:
    class Grows(Loader):
        def __len__(self) -> int:
            return self.passes + 1

    seen = Seen()
    source = Grows([numbered_batch(n) for n in range(5)])
    run(echo_model(), source, None, 3, [seen], max_queue_size=queue)
    assert seen.train == [0, 0, 1, 0, 1, 2]

"""Data that ends early: a warning and what there is, never plain success."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from fitgenerator import EndedEarlyWarning, EndedError, evaluate_generator, predict_generator
from support.tiny_trainings import (
    HookLog,
    Reiterable,
    catch,
    echo_model,
    notes_of,
    numbered_batch,
    run,
)


def short(count: int) -> Iterator[Any]:
    return iter([numbered_batch(k) for k in range(1, count + 1)])


def test_C2_training_that_ends_early_warns_and_marks_the_history(queue: int) -> None:
    log = HookLog()
    with pytest.warns(EndedEarlyWarning) as caught:
        history = run(
            echo_model(),
            short(5),
            2,
            5,
            [log],
            [numbered_batch(1)],
            max_queue_size=queue,
        )
    assert [str(w.message) for w in caught] == [
        "`generator` ended early: 10 batches were wanted, 5 came (epoch 3: 1 of 2)."
    ]
    assert caught[0].filename == run.__code__.co_filename  # where fit_generator was called
    assert history.incomplete
    assert history.history == {"loss": [1.5, 3.5], "val_loss": [1, 1]}
    hooks = [entry[0] for entry in log.log]
    assert [hooks.count(f"on_epoch_{when}") for when in ("begin", "end")] == [3, 2]
    assert hooks.count("on_test_begin") == 2
    assert hooks[-1] == "on_train_end"


def test_C2_training_that_ends_at_the_border_of_an_epoch_warns_too(queue: int) -> None:
    with pytest.warns(
        EndedEarlyWarning, match=r"6 batches were wanted, 4 came \(epoch 3: 0 of 2\)"
    ):
        history = run(echo_model(), short(4), 2, 3, max_queue_size=queue)
    assert history.epoch == [0, 1]
    assert history.incomplete


def test_C2_exactly_enough_is_no_early_end(queue: int) -> None:
    assert not run(echo_model(), short(6), 2, 3, max_queue_size=queue).incomplete


def test_C2_a_pass_that_gives_nothing_ends_training_early(queue: int) -> None:
    class Once(Reiterable):
        def __iter__(self) -> Iterator[Any]:
            yield from self._batches
            self._batches = []

    with pytest.warns(EndedEarlyWarning, match="`generator` gave nothing for epoch 2 of 3"):
        history = run(echo_model(), Once([*short(2)]), None, 3, max_queue_size=queue)
    assert history.epoch == [0]


def test_the_end_of_a_pass_is_counted_as_no_batch(queue: int) -> None:
    class Failing(Reiterable):
        passes = 0

        def __iter__(self) -> Iterator[Any]:
            self.passes += 1
            for number, batch in enumerate(super().__iter__()):
                if (self.passes, number) == (3, 1):
                    raise ValueError("mine")
                yield batch

    with pytest.raises(ValueError, match="mine") as caught:
        run(echo_model(), Failing([*short(3)]), None, 4, max_queue_size=queue)
    assert "While batch 8 of `generator` was made." in notes_of(caught.value)
    history = run(echo_model(), Reiterable([*short(3)]), None, 2, max_queue_size=queue)
    for what in ("generator", "step"):
        events = [event for event in history.pipeline.timeline if event.what == what]
        assert [event.batch for event in events] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("steps", [None, 2])
def test_C2_no_batch_at_all_is_an_error(queue: int, steps: int | None) -> None:
    for source in (Reiterable([]), *([iter(())] if steps else [])):
        with pytest.raises(EndedError, match="`generator` ended before its first batch"):
            run(echo_model(), source, steps, 2, max_queue_size=queue)
        for function in (evaluate_generator, predict_generator):
            with pytest.raises(EndedError, match="`generator` ended before its first batch"):
                function(echo_model(), source, steps, queue)


def test_C2_validation_that_ends_early_gives_the_mean_of_what_came(queue: int) -> None:
    options = {"validation_steps": 3, "max_queue_size": queue}
    with pytest.warns(
        EndedEarlyWarning, match="`validation_data` ended early: 3 batches were wanted, 2 came"
    ):
        history = run(echo_model(), short(1), 1, validation_data=short(2), **options)
    assert history.history["val_loss"] == [1.5]
    assert not history.incomplete


@pytest.mark.filterwarnings("always")
def test_T28_a_validation_that_is_too_short_is_told_of_once(queue: int) -> None:
    unseen = [numbered_batch(1), numbered_batch(3)]
    with warnings.catch_warnings(record=True) as caught:
        options = {"validation_steps": 3, "max_queue_size": queue}
        history = run(echo_model(), short(4), 1, 4, validation_data=unseen, **options)
    texts = [str(w.message) for w in caught if w.category is EndedEarlyWarning]
    assert texts == ["`validation_data` ended early: 3 batches were wanted, 2 came."]
    assert history.history["val_loss"] == [2.0] * 4


def test_C2_validation_that_has_nothing_is_an_error(queue: int) -> None:
    options = {"validation_steps": 3, "max_queue_size": queue}
    with pytest.raises(EndedError, match="`validation_data` ended before its first batch"):
        run(echo_model(), short(1), 1, validation_data=iter(()), **options)


def test_C2_evaluate_that_ends_early_gives_the_mean_of_what_came(queue: int) -> None:
    result: list[float] = []
    caught = catch(lambda: result.append(evaluate_generator(echo_model(), short(3), 4, queue)))
    assert [w.category for w in caught] == [EndedEarlyWarning]
    assert result == [2]


def test_C2_predict_that_ends_early_gives_the_rows_so_far(queue: int) -> None:
    rows: list[Any] = []
    caught = catch(lambda: rows.extend(predict_generator(echo_model(), short(2), 4, queue)[:, 0]))
    assert "4 batches were wanted, 2 came" in str(caught[0].message)
    assert rows == [1, 1, 2, 2]


def test_a_list_is_not_begun_again_within_a_validation() -> None:
    with pytest.warns(EndedEarlyWarning, match="3 batches were wanted, 2 came"):
        evaluate_generator(echo_model(), [*short(2)], 3)

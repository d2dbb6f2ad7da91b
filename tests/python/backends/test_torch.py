"""What is PyTorch's own: steps that run as Python code, on a training thread where there is one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import (
    ArgumentError,
    BatchError,
    api,
    evaluate_generator,
    fit_generator,
    predict_generator,
)
from fitgenerator.backends.chosen import running
from fitgenerator.host.interface import run_job
from fitgenerator.host.outcome import Failed, attempt
from fitgenerator.host.requests import End, Job
from fitgenerator.host.switchboard import Switchboard
from fitgenerator.training.background import BackgroundLoop
from support.any_backend import fit
from support.tiny_trainings import everything, forever, make_batches, rich_model, same_weights

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(keras.config.backend() != "torch", reason="about PyTorch")

Seen = list[tuple[Any, ...]]


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls train on a thread of their own, as where R takes part."""

    def run(plan: Callable[..., Any], host: Any, given: Any) -> Any:
        board = Switchboard()
        background = BackgroundLoop(board, plan(board, *given))
        background.loop.context.callbacks.attach()
        background.start()
        while not isinstance(request := board.next_request(0.1), End):
            if isinstance(request, Job):
                request.answer(attempt(lambda job=request: run_job(job.work)))  # type: ignore[misc]
        background.stop()
        if isinstance(background.outcome, Failed):
            raise background.outcome.error
        return background.outcome.value

    monkeypatch.setattr(api, "_run_here", run)


def noting(note: Callable[[], tuple[Any, ...]], **settings: Any) -> tuple[Any, Seen]:
    """A model with a loss of Python's, and what `note` gave when the loss was called."""
    seen: Seen = []

    def loss(true: Any, predicted: Any) -> Any:
        if not running().is_tracing():
            seen.append(note())
        return keras.ops.mean((true - predicted) ** 2, axis=-1)

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", loss, **settings)
    return model, seen


def seeded(**settings: Any) -> Any:
    """A model whose random numbers are its own: Keras draws of PyTorch's, too."""
    model = rich_model(**settings)
    model.layers[2].seed_generator._initial_seed = 4
    return model


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_training_thread_gives_the_bits_of_fit(hosted: None, eagerly: bool) -> None:
    batches, valid = make_batches(6), make_batches(2, seed=3)
    theirs, ours = seeded(), seeded(run_eagerly=eagerly)
    options = {"epochs": 2, "validation_steps": 2}
    expected = fit(theirs, forever(batches), 6, validation_data=forever(valid), **options)
    options |= {"validation_data": forever(valid), "verbose": 0}
    assert fit_generator(ours, forever(batches), 6, **options).history == expected
    assert same_weights(everything(ours), everything(theirs))


@pytest.mark.parametrize("eagerly", [False, True])
def test_where_steps_run(hosted: None, eagerly: bool) -> None:
    model, seen = noting(lambda: (threading.current_thread().name,), run_eagerly=eagerly)
    fit_generator(model, forever(make_batches(2)), 3, verbose=0)
    assert seen == [("MainThread",) if eagerly else ("fitgenerator-training",)] * 3


def test_the_caller_s_settings_hold_on_the_training_thread(hosted: None) -> None:
    def note() -> tuple[Any, ...]:
        modes = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
        return *modes, torch.get_autocast_dtype("cpu"), torch.get_num_threads()

    model, seen = noting(note)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        with torch.autocast("cpu", torch.bfloat16):
            fit_generator(model, forever(make_batches(2)), 1, verbose=0)
            evaluate_generator(model, forever(make_batches(2)), 1)
    finally:
        torch.set_num_threads(threads)
    assert seen == [(follows, True, torch.bfloat16, threads + 1) for follows in (True, False)]
    fit_generator(model, forever(make_batches(2)), 1, verbose=0)
    assert seen[2:] == [(True, False, torch.bfloat16, threads)]


def test_pytorch_s_modules_learn_of_training_as_in_keras() -> None:
    seen = []
    for ours in (False, True):
        model, modes = noting(lambda: (model.training,))  # noqa: B023
        after = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_: modes.append(("end", model.training))  # noqa: B023
        )
        data, valid = forever(make_batches(2)), forever(make_batches(1))
        options = {"validation_data": valid, "validation_steps": 1, "callbacks": [after]}
        if ours:
            fit_generator(model, data, 2, 2, verbose=0, **options)
        else:
            fit(model, data, 2, epochs=2, **options)
        seen.append([*modes, model.training])
    assert seen[0] == seen[1]
    assert seen[0][-5:] == [(True,), (True,), (False,), ("end", False), False]


def test_arrays_of_every_order_and_type_become_what_keras_makes_of_them() -> None:
    x, y = make_batches(1, rows=40)[0]
    turned = np.asfortranarray(x)
    frozen = x[::-1]
    frozen.flags.writeable = False
    model, wanted = rich_model(), {}
    for name, given in {"turned": turned, "frozen": frozen}.items():
        wanted[name] = model.predict(given, verbose=0, batch_size=40)
        assert np.array_equal(predict_generator(model, iter([(given,)]), 1), wanted[name])
    types: Seen = []
    ids, seen = noting(lambda: ())
    ids.train_step = lambda data: types.append((data[0].dtype,)) or {"loss": data[0].sum()}
    for kind in ("uint16", "uint32", "int8", "bool", "float16"):
        fit_generator(ids, iter([(x.astype(kind), y)]), 1, verbose=0)
    kinds = [torch.int32, torch.int64, torch.int8, torch.bool, torch.float16]
    assert types == [(kind,) for kind in kinds]
    assert seen == []


def test_tensors_may_be_filled_again_and_may_come_of_a_model() -> None:
    batches = [tuple(map(torch.from_numpy, batch)) for batch in make_batches(8)]
    theirs, ours = seeded(), seeded()
    fit(theirs, forever(batches), 8)
    weight = torch.ones(1, requires_grad=True)

    def filled_again() -> Iterator[Any]:
        x, y = torch.zeros(4, 3), torch.zeros(4, 1)
        for inputs, targets in batches:
            x.copy_(inputs)
            y.copy_(targets)
            yield x * weight, y

    fit_generator(ours, filled_again(), 8, verbose=0)
    assert same_weights(everything(ours), everything(theirs))
    assert weight.grad is None


def test_what_pytorch_does_not_take_is_refused_in_words() -> None:
    x, y = make_batches(1)[0]
    model = rich_model()
    before = everything(model)
    wrong: dict[str, Any] = {
        "arrays must be dense": torch.eye(4, 3).to_sparse(),
        "Unsupported dtype for PyTorch: uint64": x.astype("uint64"),
        "has no values": torch.zeros(4, 3, device="meta"),
    }
    for text, given in wrong.items():
        with pytest.raises(BatchError, match=f"inputs, of shape .4, 3.*tensor: .*{text}"):
            fit_generator(model, iter([(given, y)]), 1, verbose=0)
    assert same_weights(before, everything(model))
    grouped = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    grouped.compile("sgd", "mse", steps_per_execution=10)
    with pytest.raises(ArgumentError, match=r"`steps_per_execution` .* must be 1, not 10"):
        fit_generator(grouped, iter([(x, y)]), 1, verbose=0)


def test_a_step_that_keras_compiles_runs_on_the_training_thread(
    hosted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda function: function)  # which takes a minute
    model, seen = noting(lambda: (threading.current_thread().name,), jit_compile=True)
    fit_generator(model, forever(make_batches(2)), 2, verbose=0)
    assert seen == [("fitgenerator-training",)] * 2

"""Python functions on executors of every kind: order, ends, errors, interrupts (issue 16)."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from fitgenerator import (
    ArgumentError,
    ArgumentTypeError,
    GeneratorTimeoutError,
    WorkerError,
    batch_sequence,
    evaluate_generator,
    last_history,
    predict_generator,
)
from fitgenerator.workers.executors import Executions
from fitgenerator.workers.telling import Telling
from support import executor_functions as made
from support.platforms import press_ctrl_c
from support.tiny_trainings import PATIENCE, Seen, echo_model, notes_of, run

Opened = Any  # a context of an executor


@pytest.fixture(autouse=True)
def processes_find_their_python(
    clean_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R, once it runs in this process, has other libraries found."""
    monkeypatch.setenv("LD_LIBRARY_PATH", clean_environment.get("LD_LIBRARY_PATH", ""))


def pool(processes: int = 2) -> ProcessPoolExecutor:
    """A process pool; forks would copy TensorFlow's threads."""
    return ProcessPoolExecutor(processes, get_context("spawn"))


def of_loky() -> Opened:
    from loky import ProcessPoolExecutor as Loky

    return Loky(2)


@contextmanager
def of_dask() -> Iterator[Executor]:
    from dask.distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**options, processes=True) as cluster, Client(cluster) as client:
        yield client.get_executor(pure=False)


KINDS: dict[str, Callable[[], Opened]] = {
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": pool,
    "loky": of_loky,
    "dask": of_dask,
}


def trained(given: Any, *steps: Any, **options: Any) -> list[float]:
    seen = Seen()
    run(echo_model(), given, *steps, callbacks=[seen], **options)
    return seen.train


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # those of Dask and its parts
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_executor_makes_the_batches_of_a_local_function(kind: str) -> None:
    local = batch_sequence(made.of_epoch, 5, shuffle=True, seed=1)
    with KINDS[kind]() as executor:
        flow = batch_sequence(made.of_epoch, 5, shuffle=True, seed=1, executor=executor)
        assert trained(flow, None, 3) == trained(local, None, 3)
        assert evaluate_generator(echo_model(), flow) == evaluate_generator(echo_model(), local)
        rows = batch_sequence(made.batch, 3, executor=executor)
        assert predict_generator(echo_model(), rows).ravel().tolist() == [0, 0, 1, 1, 2, 2]
        with pytest.raises(LookupError, match=r"3\.png") as caught:
            trained(batch_sequence(made.failing, 6, executor=executor))
        assert "batch 4 of `generator`" in notes_of(caught.value)
        assert executor.submit(abs, -1).result() == 1  # nothing was shut down


@pytest.mark.parametrize("queue", [0, 1, 10])
def test_validation_and_hooks_are_those_of_a_local_function(queue: int) -> None:
    ended: list[int] = []
    with ThreadPoolExecutor(3) as executor:
        seen = Seen()
        flow = batch_sequence(made.of_epoch, 4, executor=executor, on_epoch_end=ended.append)
        unseen = batch_sequence(made.batch, 3, executor=executor)
        run(echo_model(), flow, None, 2, [seen], unseen, max_queue_size=queue)
    assert seen.train == [0, 1, 2, 3, 10, 11, 12, 13]
    assert seen.test == [0, 1, 2] * 2
    assert ended == [0, 1]


def test_the_function_runs_in_the_workers_and_not_here(tmp_path: Path) -> None:
    with pool() as executor:
        flow = batch_sequence(partial(made.where, str(tmp_path)), 8, executor=executor)
        assert trained(flow) == list(range(8))
        workers = set(executor._processes)
    assert {int(path.name.split("-")[1]) for path in tmp_path.iterdir()} <= workers


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_each_worker_has_a_lane_of_its_own(kind: str) -> None:
    with KINDS[kind]() as executor:
        run(echo_model(), batch_sequence(made.slow, 12, executor=executor))
    history = last_history()
    assert history is not None
    pipeline = history.pipeline
    events = [event for event in pipeline.timeline if event.what == "generator"]
    assert {event.lane for event in events} == {"worker 1", "worker 2"} == set(pipeline.workers)
    assert all(0.06 <= event.end - event.begin < 0.12 for event in events)
    assert sum(pipeline.workers.values()) == pytest.approx(pipeline.generator)
    assert "Workers: 2, busy for " in str(pipeline)


def test_a_function_is_sent_as_what_it_is_to_where_this_package_is_not() -> None:
    sent = pickle.dumps(Telling(partial(made.batch, epoch=1)))
    assert b"fitgenerator" not in sent
    value, seconds, who = pickle.loads(sent)(3)
    assert value[0].tolist() == [[3], [3]]
    assert seconds < PATIENCE
    assert who[1:] == (os.getpid(), threading.get_ident())
    assert Telling(made.slow).__name__ == "slow"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("workers", "most"), [(None, 3), (1, 1), (2, 2), (5, 4)])
def test_workers_is_the_number_of_batches_at_a_time(workers: int | None, most: int) -> None:
    running, seen, lock = [0], [0], threading.Lock()

    def counted(number: int) -> Any:
        with lock:
            running[0] += 1
            seen[0] = max(seen[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1
        return made.batch(number)

    with ThreadPoolExecutor(3 if workers is None else 9) as executor:
        trained(batch_sequence(counted, 20, executor=executor), max_queue_size=4, workers=workers)
    assert seen[0] == most


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_dask_is_asked_for_a_batch_more_for_each_that_it_runs() -> None:
    with KINDS["dask"]() as executor:
        assert Executions(executor).size == 4
    with pool() as executor:
        assert Executions(executor).size == 2


def test_two_processes_share_the_work() -> None:
    flow = partial(batch_sequence, made.slow, 20)
    with pool() as executor:
        trained(flow(executor=executor))  # they start, the step is traced
        begun = time.perf_counter()
        trained(flow(executor=executor))
        shared = time.perf_counter() - begun
    begun = time.perf_counter()
    trained(flow())
    assert shared < 0.85 * (time.perf_counter() - begun)


# -- what breaks ----------------------------------------------------------------------------------


def test_a_broken_executor_is_one_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pool() as executor:
        flow = batch_sequence(partial(made.dying, str(tmp_path), 1), 6, executor=executor)
        with pytest.raises(WorkerError, match="broken or shut down") as caught:
            trained(flow)
        assert "executor=lambda:" in str(caught.value)
        assert "of `generator` was made" in notes_of(caught.value)
    with pytest.raises(WorkerError, match="broken or shut down"):
        trained(batch_sequence(made.batch, 3, executor=executor))


def test_an_executor_that_a_function_makes_is_made_again(tmp_path: Path) -> None:
    executors: list[None] = []

    def make() -> ProcessPoolExecutor:
        executors.append(None)
        return pool()

    flow = batch_sequence(partial(made.dying, str(tmp_path), 3), 6, executor=make)
    assert trained(flow, workers=2) == list(range(6))
    assert len(executors) == 4
    history = last_history()
    assert history is not None
    assert history.pipeline.redone >= 3
    assert "made again" in str(history.pipeline)


def test_one_that_breaks_a_fourth_time_is_an_error(tmp_path: Path) -> None:
    flow = batch_sequence(partial(made.dying, str(tmp_path), 9), 6, executor=partial(pool, 1))
    with pytest.raises(WorkerError, match="has broken 4 times"):
        trained(flow)


def test_an_executor_of_ours_ends_when_the_call_does() -> None:
    managers: list[Any] = []  # the executor's thread, which joins its processes
    processes: list[Any] = []

    def make() -> ProcessPoolExecutor:
        executor = pool()
        executor.submit(abs, 1).result()
        managers.append(executor._executor_manager_thread)
        processes.extend(executor._processes.values())
        return executor

    assert trained(batch_sequence(made.batch, 4, executor=make)) == [0, 1, 2, 3]
    gc.collect()
    for manager in managers:
        manager.join(PATIENCE)  # two threads that join one process can both miss its exit code
        assert not manager.is_alive()
    assert processes
    assert all(process.exitcode == 0 for process in processes)


# -- ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("queue", [0, 4])
def test_ctrl_c_returns_at_once_and_cancels_what_waits(queue: int, tmp_path: Path) -> None:
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    pressed: list[float] = []

    def press() -> None:
        while not (tmp_path / "made 3").exists():
            time.sleep(0.01)
        time.sleep(0.3)  # batch 5 is being made
        pressed.append(time.perf_counter())
        press_ctrl_c()

    finger = threading.Thread(target=press)
    finger.start()
    try:
        with pool(1) as executor:
            flow = batch_sequence(partial(made.stuck, str(tmp_path)), 99, executor=executor)
            with pytest.raises(KeyboardInterrupt):
                trained(flow, max_queue_size=queue, workers=queue or None)
            assert time.perf_counter() - pressed[0] < 0.5
            (tmp_path / "over").touch()
            assert executor.submit(abs, -1).result() == 1
    finally:
        signal.signal(signal.SIGINT, handler)
        finger.join()
    # At most what ran or was already on its way to the process is made: not all that was asked for.
    assert not (tmp_path / "made 8").exists()


def test_an_early_stop_withdraws_what_was_asked_for(tmp_path: Path) -> None:
    import keras

    def stop(batch: int, logs: Any = None) -> None:
        if batch == 2:
            model.stop_training = True

    model = echo_model()
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    with pool(1) as executor:
        flow = batch_sequence(partial(made.stuck, str(tmp_path)), 99, executor=executor)
        begun = time.perf_counter()
        run(model, flow, callbacks=[callback])
        assert time.perf_counter() - begun < PATIENCE / 2
        (tmp_path / "over").touch()


def test_a_timeout_blames_the_generator_and_shows_no_thread_of_ours(tmp_path: Path) -> None:
    with pool(1) as executor:
        flow = batch_sequence(partial(made.stuck, str(tmp_path)), 99, executor=executor)
        with pytest.raises(GeneratorTimeoutError, match="gave no batch 5 within") as caught:
            trained(flow, timeout=2)
        (tmp_path / "over").touch()
    assert "concurrent" not in str(caught.value)


def test_closed_it_runs_nothing() -> None:
    from fitgenerator.errors import ClosedError

    with ThreadPoolExecutor(1) as executor:
        executions = Executions(executor)
        assert executions.run(abs, -3) == 3
        executions.close()
        executions.close()
        with pytest.raises(ClosedError):
            executions.run(abs, -3)


# -- arguments ------------------------------------------------------------------------------------


def test_anything_else_is_refused() -> None:
    class Client:
        def get_executor(self) -> None: ...

        def __call__(self) -> None: ...

    with pytest.raises(ArgumentTypeError, match=r"`executor` must be a concurrent\.futures"):
        batch_sequence(made.batch, 3, executor=4)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"pass client\.get_executor\(\)"):
        batch_sequence(made.batch, 3, executor=Client())  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="as a function must return"):
        trained(batch_sequence(made.batch, 3, executor=lambda: 3))  # type: ignore[arg-type, return-value]

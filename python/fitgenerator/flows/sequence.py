"""Batches that a function makes from their number: they can be read again, and shuffled."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from ..arguments import whole
from ..errors import ArgumentError, ArgumentTypeError
from ..messages import describe
from ..r_functions import bridge_of, is_bridged_function, is_r_function
from ..sources.seeded_source import Passes, PassReader
from ..sources.source import Source
from ..workers.executors import Executions, Given, check_executor
from ..workers.makers import last_made


class BatchSequence(Passes):
    """Calls a function for each batch; made by `batch_sequence`."""

    def __init__(
        self,
        function: Callable[..., Any],
        length: int | None,
        shuffle: bool,
        seed: int | None,
        on_epoch_end: Callable[..., object] | None,
        executor: Given | None = None,
    ) -> None:
        super().__init__(shuffle, seed, _of_epoch(on_epoch_end))
        self._function = function
        self._length = None if length is None else whole(length, "length", 1)
        if length is None and (shuffle or on_epoch_end is not None):
            given = "shuffle" if shuffle else "on_epoch_end"
            raise ArgumentError.of(given, "needs a `length`: passes without an end have no order.")
        self._seeded = seed is not None
        self._executor = executor
        self._tells_epoch = not is_bridged_function(function) and _takes(function) == 2

    def __len__(self) -> int:
        """Batches of one pass."""
        if self._length is None:
            raise TypeError("the sequence has no length")
        return self._length

    @property
    def pass_length(self) -> int | None:
        """Batches of one pass; `None`: as many as a call asks for."""
        return self._length

    @property
    def num_batches(self) -> int | None:
        """The same, for Keras's own methods."""
        return self._length

    def batch(self, epoch: int, index: int) -> Any:
        """Call the function."""
        return self._function(*self._asked(epoch, index))

    def _asked(self, epoch: int, index: int) -> tuple[int, ...]:
        """What the function is called with for batch `index` of pass `epoch`."""
        number, _ = self.place(epoch, index)
        return (number, epoch) if self._tells_epoch else (number,)

    def as_source(self, argument: str) -> Source:
        """The source that the engine reads; the calling thread serves an R function."""
        bridge = bridge_of(self._function)
        if bridge is not None and bridge.is_function(self._function):
            given = (self._function, self.hook, argument)
            return bridge.sequence(self, *given, seeded=self._seeded)  # type: ignore[no-any-return]
        if self._executor is None:
            return super().as_source(argument)
        executions = Executions(self._executor)
        batch = lambda *place: executions.run(self._function, *self._asked(*place))  # noqa: E731
        reader = partial(ExecutionReader, executions, batch, self.hook)
        return self.source_of(reader, workers=executions.size)


class ExecutionReader(PassReader):
    """Reads batches that an executor makes; each thread waits for one of them."""

    maker = staticmethod(last_made)

    def __init__(self, executions: Executions, *args: Any) -> None:
        super().__init__(*args)
        self._executions = executions

    def close(self) -> None:
        self._executions.close()

    @property
    def redone(self) -> int:
        return self._executions.redone

    def where(self) -> str:
        return ""  # the executor knows


def batch_sequence(
    function: Callable[..., Any],
    length: int | None,
    shuffle: bool = False,
    seed: int | None = None,
    on_epoch_end: Callable[..., object] | None = None,
    *,
    executor: Given | None = None,
) -> BatchSequence:
    """Make a sequence of batches from a function of a batch's number.

    Unlike a generator, the sequence has a length, so `steps_per_epoch` can be omitted. It can be
    read again: as validation data, it starts from its first batch. Several threads may read it
    (`workers`). A training that a `Checkpoint` or `initial_epoch` resumes continues with the
    batches that it would have got. Any other training goes on after the passes that earlier
    trainings have read of this object; evaluation, prediction and validation do not count.

    Args:
        function: Called with the number of a batch, from 0; if it needs two arguments, also with
            the number of the epoch, from 0. Returns the batch. An R function of rpy2 is called with
            numbers of batches from 1, on the calling thread; with `seed`, its random numbers follow
            from seed, epoch and number. With `workers` above 1 in the call, so many R processes
            call it; then it may assign nothing outside of itself, and use no connections.
        length: Number of batches in a pass. `None`: passes have no end, and the numbers of steps
            must be given; each epoch begins with batch 0, and `shuffle` and `on_epoch_end` are
            errors.
        shuffle: Whether each pass has an order of its own.
        seed: A whole number from 0; the orders follow from it and the number of the pass. `None`
            draws one from NumPy's global random numbers.
        on_epoch_end: Called when all batches of a pass have been read, with the number of the pass
            if it takes an argument; never while a batch is made. A pass that is broken off is not
            told of; the last one of a call is, before the call returns.
        executor: A `concurrent.futures.Executor` that runs `function`: a process pool, loky's, or
            `client.get_executor()` of Dask; or a function without arguments that makes one. It must
            be able to send `function`, and what that returns, to its workers. `workers` of the
            call is then how many batches it makes at a time; by default, as many as it runs at a
            time, and at most `max_queue_size`. What has not begun when the call ends is
            cancelled, and nothing is shut down. An executor that breaks is made again if a
            function makes it, three times at most, and the batches that it was making are made
            again. `on_epoch_end` runs in this process.

    Returns:
        An indexed source, which is also a `keras.utils.PyDataset`.

    Raises:
        ArgumentTypeError: `function` or `on_epoch_end` cannot be called, or `executor` is none.
        ArgumentError: `function` needs no argument or more than two, `length` is no whole number
            of at least 1, or `seed` no whole number of at least 0.
        WorkerError: Of a call that reads the sequence: the executor is broken or shut down.

    Example:
        Noise that differs from epoch to epoch, and is the same when the training is resumed::

            import numpy as np
            from fitgenerator import batch_sequence

            x = np.random.rand(320, 4)

            def noisy(number, epoch):
                random = np.random.default_rng([epoch, number])
                rows = x[number * 32 : (number + 1) * 32]
                return rows + random.normal(size=rows.shape), rows

            flow = batch_sequence(noisy, length=10, shuffle=True, seed=1)

        The same batches, made by four processes (`noisy` and `x` in a module `batches`)::

            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_context
            from batches import noisy

            if __name__ == "__main__":
                with ProcessPoolExecutor(4, get_context("spawn")) as pool:
                    flow = batch_sequence(noisy, 10, shuffle=True, seed=1, executor=pool)
                    fit_generator(model, flow, epochs=5)
    """
    functions: dict[str, Any] = {"function": function, "on_epoch_end": on_epoch_end}
    for name, given in functions.items():
        if is_r_function(given):
            raise ArgumentTypeError.of(
                name,
                "is an R function that reticulate has wrapped; call the R function "
                "batch_sequence() of the R package fitgenerator instead.",
            )
        if not callable(given) and (given is not None or name == "function"):
            raise ArgumentTypeError.of(name, f"must be a function, not {describe(given)}.")
    if not is_bridged_function(function) and _takes(function) not in (1, 2):
        rule = "must take the number of a batch, or that and the number of the epoch"
        raise ArgumentError.of("function", f"{rule}, not {_takes(function)} arguments.")
    if executor is not None:
        check_executor(executor)
        if is_bridged_function(function):
            rule = (
                "runs functions of Python; `function` is one of R, which R processes run if the "
                "call has `workers` above 1."
            )
            raise ArgumentError.of("executor", rule)
    return BatchSequence(function, length, shuffle, seed, on_epoch_end, executor)


def _of_epoch(hook: Callable[..., object] | None) -> Callable[[int], object] | None:
    """`hook` as a function of the number of a pass, which it need not take."""
    if hook is None or is_bridged_function(hook) or _takes(hook) != 0:
        return hook
    return lambda epoch: hook()


def _takes(function: Callable[..., Any]) -> int:
    """Number of arguments that a function needs; 1 if that cannot be found out."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(p.default is p.empty for p in plain)
    several = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return 1 if needed == 0 and (plain or several) else needed

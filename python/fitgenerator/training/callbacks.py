"""The user's callbacks, called one by one, in order.

Thread rule 4 (all callbacks run on the calling thread): each dispatch is a job for the host: a
generator, because a callback may live in the host's language (`ForeignCallback`), and only the host
can call that. Keras's own `CallbackList` may hand batch hooks to a thread pool of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import keras

from ..checkpoint.checkpoint import Checkpoint
from ..errors import ArgumentTypeError, ErrorContext, locate
from ..host.interface import ForeignHook
from ..messages import describe
from ..models.keras_versions import classes
from ..models.protocol import Callback, KerasModel
from ..models.supported import is_of_keras
from ..reporting.history import History
from ..reporting.timeline import Span

_ALIASES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class ForeignCallback:
    """A table of hooks that the host's language calls; `table` is its number there."""

    def __init__(self, table: int, hooks: list[str]) -> None:
        self.table = table
        self.hooks = frozenset(hooks)
        # It has the hook `set_context`, and was not told the parameters and the model.
        self.untold = "set_context" in self.hooks

    def context(self, *context: Any) -> Iterator[ForeignHook]:
        """Tell it the parameters and the model, once, before its first hook."""
        if self.untold:
            self.untold = False
            yield ForeignHook(self.table, "set_context", context)

    def hook(self, name: str) -> str | None:
        """The hook of the table that answers to `name`."""
        return next((n for n in (name, _ALIASES.get(name)) if n in self.hooks), None)


Hooked = Callback | ForeignCallback
# A callback, a list of them (nested as you like), a `CallbackList`, or `None`.
SomeCallbacks: TypeAlias = "Hooked | Sequence[SomeCallbacks] | None"


def flattened(given: SomeCallbacks) -> list[Hooked]:
    """The callbacks in the order given; an `ArgumentTypeError` where one of them is no callback."""
    if isinstance(given, classes("callbacks.CallbackList")):
        given = given.callbacks
    callbacks = keras.tree.flatten(given) if given else []
    for callback in callbacks:
        known = isinstance(callback, ForeignCallback)
        if not known and not all(hasattr(callback, n) for n in ("set_model", "set_params")):
            rule = f"must hold keras.callbacks.Callback objects, not {describe(callback)}."
            raise ArgumentTypeError.of("callbacks", rule)
    return list(callbacks)


class Callbacks:
    """Callbacks in the order given; `around` makes the context in which they are called."""

    def __init__(
        self,
        callbacks: Iterable[Hooked],
        model: KerasModel,
        params: Mapping[str, int | None],  # `verbose`, `epochs`, `steps`
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
        spent: Callable[[Span], None] = lambda _: None,  # is told when they ran, and where
    ) -> None:
        self.all = list(callbacks)
        self.params = dict(params)
        self._model = model
        self._around = around
        self._spent = spent

    def attach(self) -> None:
        """Tell every callback its model and parameters."""
        begun = time.perf_counter()
        for callback in self.all:
            if not isinstance(callback, ForeignCallback):
                with self._around():
                    callback.set_model(self._model)
                    callback.set_params(self.params)
        self._spent((begun, time.perf_counter(), threading.get_ident()))

    def run(self, hook: str, *args: Any) -> Iterator[Any]:
        """Call one hook of every callback that defines it; a job for the host."""
        begun, theirs = time.perf_counter(), False
        try:
            for callback in self.all:
                if _defines(callback, hook) or _is_untold(callback):
                    theirs = theirs or not isinstance(callback, History)
                    yield from self._call(callback, hook, args)
        finally:
            if theirs:
                self._spent((begun, time.perf_counter(), threading.get_ident()))

    def _call(self, callback: Hooked, hook: str, args: tuple[Any, ...]) -> Iterator[ForeignHook]:
        if isinstance(callback, ForeignCallback):
            yield from callback.context(self.params, self._model)
            name = callback.hook(hook)
            if name is not None:
                yield ForeignHook(callback.table, name, args)
        else:
            # Thread rule 2: an interrupt may be raised in the user's code; where it comes in a
            # checkpoint, which is ours, it waits until the file, or the model, is whole.
            ours = isinstance(callback, Checkpoint)
            with nullcontext() if ours else self._around():
                _call(callback, hook, args)

    def has_batch_hooks(self, mode: str) -> bool:
        """Whether a callback wants to know of each batch of `mode`: train, test or predict."""
        hooks = (f"on_{mode}_batch_begin", f"on_{mode}_batch_end")
        return any(
            _defines(callback, hook) and not _is_idle(callback, hook)
            for callback in self.all
            for hook in hooks
        )


def _defines(callback: Hooked, hook: str) -> bool:
    """Asked of the instance, since `LambdaCallback` sets its hooks there."""
    if isinstance(callback, ForeignCallback):
        return callback.hook(hook) is not None
    methods = [getattr(callback, name, None) for name in (hook, _ALIASES.get(hook, hook))]
    return any(m is not None and not getattr(m, "_is_default", False) for m in methods)


def _is_untold(callback: Hooked) -> bool:
    return isinstance(callback, ForeignCallback) and callback.untold


def _is_idle(callback: Hooked, hook: str) -> bool:
    """Whether its hook for batches is one of Keras's own that do nothing where epochs are enough.

    What a subclass, or the user, has in its place is not known.
    """
    for name in (hook, _ALIASES.get(hook, hook)):
        function = getattr(type(callback), name, None)
        if name in vars(callback) or not is_of_keras(function):
            return False
    if isinstance(callback, classes("callbacks.TensorBoard")):
        profiles = getattr(callback, "_stop_batch", 0) > 0
        return callback.update_freq == "epoch" and not (profiles or callback.write_steps_per_second)
    saving = classes("callbacks.ModelCheckpoint") + classes("callbacks.BackupAndRestore")
    frequency = getattr(callback, "save_freq", getattr(callback, "_save_freq", None))
    return isinstance(callback, saving) and frequency == "epoch"


def _call(callback: Callback, hook: str, args: tuple[Any, ...]) -> None:
    try:
        getattr(callback, hook)(*args)
    except BaseException as error:
        locate(error, ErrorContext(callback=type(callback).__name__, hook=hook))
        raise

"""The user's callbacks, called one by one, in order, on the calling thread.

Keras's own `CallbackList` is not used: it may hand batch hooks to a thread pool of its own. Each
dispatch is a job: a generator, because a callback may live in the host's language
(`ForeignCallback`), and only the host can call that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from ..checkpoint.checkpoint import Checkpoint
from ..errors import ArgumentTypeError, ErrorContext, locate
from ..host.interface import ForeignHook
from ..messages import describe
from ..models.keras_versions import classes

_ALIASES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class ForeignCallback:
    """A table of hooks that the host's language calls; `table` is its number there."""

    def __init__(self, table: int, hooks: list[str]) -> None:
        self.table = table
        self.hooks = frozenset(hooks)

    def hook(self, name: str) -> str | None:
        """The hook of the table that answers to `name`."""
        for known in (name, _ALIASES.get(name)):
            if known in self.hooks:
                return known
        return None


class Callbacks:
    """Callbacks in the order given.

    Args:
        given: A callback, a list of them (nested as you like), a `CallbackList`, or `None`.
        model: The model that they belong to.
        params: What `set_params` gets: `verbose`, `epochs`, `steps`.
        around: Makes the context in which code of the user's is called.
    """

    def __init__(
        self,
        given: Any,
        model: Any,
        params: Mapping[str, Any],
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        if isinstance(given, classes("callbacks.CallbackList")):
            given = given.callbacks
        self._callbacks = keras.tree.flatten(given) if given else []
        self.params = dict(params)
        for callback in self._callbacks:
            if isinstance(callback, ForeignCallback):
                continue
            if not all(hasattr(callback, name) for name in ("set_model", "set_params")):
                rule = f"must hold keras.callbacks.Callback objects, not {describe(callback)}."
                raise ArgumentTypeError.of("callbacks", rule)
        self._model = model
        self._around = around

    def __len__(self) -> int:
        return len(self._callbacks)

    def attach(self) -> None:
        """Tell every callback its model and parameters."""
        for callback in self._callbacks:
            if not isinstance(callback, ForeignCallback):
                with self._around():
                    callback.set_model(self._model)
                    callback.set_params(self.params)

    def find(self, kind: type) -> Any:
        """The first callback of a class, or `None`."""
        return next((c for c in self._callbacks if isinstance(c, kind)), None)

    def append(self, callback: Any) -> None:
        """Add a callback behind the others."""
        self._callbacks.append(callback)

    def move_last(self, kind: type) -> tuple[list[Any], list[Any]]:
        """Put the callbacks of a class behind the others; those, and the others."""
        moved = [c for c in self._callbacks if isinstance(c, kind)]
        others = [c for c in self._callbacks if not isinstance(c, kind)]
        self._callbacks = others + moved
        return moved, others

    def run(self, hook: str, *args: Any) -> Iterator[Any]:
        """Call one hook of every callback that defines it; a job for the host."""
        for callback in self._callbacks:
            if isinstance(callback, ForeignCallback):
                name = callback.hook(hook)
                if name is not None:
                    yield ForeignHook(callback.table, name, args)
            elif _defines(callback, hook):
                # A checkpoint is ours: an interrupt waits until the file, or the model, is whole.
                ours = isinstance(callback, Checkpoint)
                with nullcontext() if ours else self._around():
                    _call(callback, hook, args)

    def has_batch_hooks(self, mode: str) -> bool:
        """Whether a callback wants to know of each batch of `mode`: train, test or predict."""
        hooks = (f"on_{mode}_batch_begin", f"on_{mode}_batch_end")
        return any(self._wants(c, hook) for c in self._callbacks for hook in hooks)

    @staticmethod
    def _wants(callback: Any, hook: str) -> bool:
        if isinstance(callback, ForeignCallback):
            return callback.hook(hook) is not None
        return _defines(callback, hook) and not _is_idle(callback)


def _defines(callback: Any, hook: str) -> bool:
    """Asked of the instance, since `LambdaCallback` sets its hooks there."""
    names = [hook] + ([_ALIASES[hook]] if hook in _ALIASES else [])
    methods = [getattr(callback, name, None) for name in names]
    return any(m is not None and not getattr(m, "_is_default", False) for m in methods)


def _is_idle(callback: Any) -> bool:
    """Whether it is one of Keras's that define hooks for batches, which do nothing at epochs."""
    if isinstance(callback, classes("callbacks.TensorBoard")):
        profiles = getattr(callback, "_stop_batch", 0) > 0
        return callback.update_freq == "epoch" and not (profiles or callback.write_steps_per_second)
    saving = classes("callbacks.ModelCheckpoint") + classes("callbacks.BackupAndRestore")
    frequency = getattr(callback, "save_freq", getattr(callback, "_save_freq", None))
    return isinstance(callback, saving) and frequency == "epoch"


def _call(callback: Any, hook: str, args: tuple[Any, ...]) -> None:
    try:
        getattr(callback, hook)(*args)
    except BaseException as error:
        locate(error, ErrorContext(callback=type(callback).__name__, hook=hook))
        raise

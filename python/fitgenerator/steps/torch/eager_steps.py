"""A model's steps on PyTorch: Keras's own functions, called batch by batch.

Nothing is traced: a step is Python code that computes as it runs. Any thread may run it, but for
the R code in it, which R's thread has to run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ...batches.prepared import Batch, Layout, pack
from ...models.keras_versions import Keras3
from ...models.protocol import Nested, Shaped
from ...models.r_code import holds_r_code
from ..protocol import STEP, ExecutionMode, Kept, Steps, Traced


@dataclass
class Called(Traced):
    """Keras's function of one step, for batches of one layout."""

    keras_version: Keras3
    mode: str
    layout: Layout

    def __call__(self, *leaves: Shaped) -> Any:
        """Run it."""
        return _run(self.keras_version, self.mode, pack(self.layout, leaves))

    @property
    def unsafe(self) -> None:
        """XLA compiles nothing."""


class TorchSteps(Steps[Called]):
    """The steps of one model on PyTorch."""

    worth_compiling = 0  # there are no loops
    calls_function = True

    @property
    def eager(self) -> bool:
        """Where the model holds R code, for which each step would be many requests, too."""
        return bool(self._model.run_eagerly) or holds_r_code(self._model)

    @property
    def compiled(self) -> bool:
        """The model's own `jit_compile`: Keras's function compiles itself (`torch.compile`)."""
        return bool(self._model.jit_compile)

    @property
    def loops(self) -> bool:
        return False

    def begin(self, mode: str) -> None:
        """As in Keras, PyTorch's layers learn of the mode once per round."""
        model: Any = self._model
        model.train(mode == "train")

    def end(self, mode: str) -> None:
        model: Any = self._model
        model.eval()

    def _find(self, kept: Kept[Called], batch: Batch, execution: ExecutionMode) -> Called | None:
        return kept.traced.get((batch.form.kind,))

    def trace(self, mode: str, batch: Batch, execution: ExecutionMode = STEP) -> Called:
        """Make the variables that such batches need, on the calling thread."""
        self.renew(mode)
        begun = time.perf_counter()
        if mode != "predict":
            self._keras_version.build(batch.pack())
        called = Called(
            seconds=time.perf_counter() - begun,
            keras_version=self._keras_version,
            mode=mode,
            layout=batch.form.layout,
        )
        self._kept[mode].traced[(batch.form.kind,)] = called
        return called

    def run_eagerly(self, mode: str, batch: Batch) -> Any:
        data = batch.pack()
        if mode != "predict":
            self._keras_version.build(data)
        return _run(self._keras_version, mode, data)


def _run(keras_version: Keras3, mode: str, data: Nested) -> Any:
    """One step, by the function that Keras's own `fit` calls; it follows no gradients in vain."""
    outputs = keras_version.made_function(mode)([data])
    keras_version.check_logs(mode, outputs)
    return outputs

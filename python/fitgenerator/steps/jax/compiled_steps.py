"""A model's compiled steps on JAX: compiled once per form of batch, on the calling thread.

A step is a function of the values of the model's variables and of a batch; a loop scans over
stacked batches. The variables get their new values when a call has ended, all of them or none. So
whoever reads the model, on whatever thread, finds the values of the last finished call: they are
not donated, which costs the memory of the values twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from ...backends.jax.placement import devices_of, is_fixed, sharding
from ...backends.jax.spare_memory import Place, places, spare_memory_of
from ...backends.jax.variables import Values, Variables, read, write
from ...batches.model_inputs import check_devices
from ...batches.prepared import Batch, Layout, pack
from ...models.protocol import Nested, Shaped
from ..protocol import STEP, ExecutionMode, Kept, Steps, Traced
from ..sliding_windows import too_slow
from .window_work import MOST, multiply_adds

# A step of Keras's: of the variables' values and a batch; what it returns, and their new values.
Step = Callable[[Values, Nested], tuple[Any, Values]]


@dataclass
class Compiled(Traced):
    """A compiled function."""

    function: Any
    model: Any
    variables: Variables  # whose values it takes
    first: int  # the group of variables from which on it returns new values
    large: list[Place]  # of these values, those for which it takes spare memory
    kinds: list[jax.ShapeDtypeStruct]  # which is such arrays
    window_work: float  # multiply-adds of its convolutions on a CPU

    def __call__(self, *leaves: Shaped) -> Any:
        """Run it."""
        memory = spare_memory_of(self.model)
        values = read(self.variables)
        outputs, new = self.function(memory.take(self.kinds), values, *leaves)
        # What fails, fails here, before the model gets values of a step that failed.
        jax.block_until_ready((outputs, new))
        _write(self.variables, new, values, self.first)
        memory.give(values, self.large)
        return outputs

    @property
    def unsafe(self) -> None:
        """XLA compiles single steps, too."""

    def slow_in_loops(self, batch: Batch) -> str | None:
        """Why a loop of such steps is slower than these one by one, if it is."""
        return too_slow(self.window_work, MOST)


class JaxSteps(Steps[Compiled]):
    """The compiled steps of one model on JAX."""

    worth_compiling = 3_000  # some 0.1 ms saved on each pay for 0.3 s

    @property
    def eager(self) -> bool:
        """As Keras, which does not compile the steps then."""
        return bool(self._model.run_eagerly or not self._model.jit_compile)

    @property
    def compiled(self) -> bool:
        return True

    @property
    def loops(self) -> bool:
        return True

    def renew(self, mode: str) -> None:
        """Drop what was traced, also where the model has other variables now."""
        super().renew(mode)
        for known, kept in self._kept.items():
            now = _ids(self._variables(known))
            kept.traced = {k: t for k, t in kept.traced.items() if _ids(t.variables) == now}

    def _find(
        self, kept: Kept[Compiled], batch: Batch, execution: ExecutionMode
    ) -> Compiled | None:
        return kept.traced.get(_key(batch, execution))

    def trace(self, mode: str, batch: Batch, execution: ExecutionMode = STEP) -> Compiled:
        """Compile the function for such batches: all lengths are fixed.

        Thread rule 3 (traced on the calling thread, executed elsewhere): what is traced may be R
        code. A compiled function cannot trace again.
        """
        self.renew(mode)
        begun = time.perf_counter()
        self._keras_version.build(batch.split()[0].pack(), mode)
        variables = self._variables(mode)
        values = read(variables)
        # JAX would take the model to the device of a batch, or fail.
        fixed = devices_of(filter(is_fixed, batch.leaves))
        check_devices(fixed, devices_of(jax.tree.leaves(values)))
        changed = slice(_FIRST_CHANGED[mode], None)
        # Compiled functions take values as they were divided when they were compiled.
        divided = (
            None if sharding() is None else jax.tree.map(lambda v: v.sharding, values[changed])
        )
        large = places(variables) if mode == "train" else []  # other modes change little
        kinds = [jax.ShapeDtypeStruct(values[g][i].shape, values[g][i].dtype) for g, i in large]
        jitted = jax.jit(
            self._function(mode, batch.form.layout, execution),
            donate_argnums=0,
            keep_unused=True,  # spare memory is taken, not read
            out_shardings=None if divided is None else (None, divided),
        )
        made = jitted.trace(kinds, values, *batch.leaves)
        compiled = made.lower().compile()
        traced = Compiled(
            seconds=time.perf_counter() - begun,
            function=compiled,
            model=self._model,
            variables=variables,
            first=_FIRST_CHANGED[mode],
            large=large,
            kinds=kinds,
            window_work=multiply_adds(made.jaxpr) if _on_cpu(values) else 0.0,
        )
        self._kept[mode].traced[_key(batch, execution)] = traced
        return traced

    def _function(self, mode: str, layout: Layout, execution: ExecutionMode) -> Callable[..., Any]:
        """What is compiled: of spare memory, the variables' values, and a batch's leaves."""
        step = self._step(mode)

        def one_step(values: Values, *leaves: jax.Array) -> tuple[Any, Values]:
            outputs, new = step(values, pack(layout, leaves))
            return outputs, new[_FIRST_CHANGED[mode] :]

        def single(spare: list[jax.Array], values: Values, *leaves: jax.Array) -> Any:
            return one_step(values, *leaves)

        def loop(spare: list[jax.Array], values: Values, *leaves: jax.Array) -> Any:
            fixed = values[: _FIRST_CHANGED[mode]]

            def body(carried: Values, leaves: Any) -> tuple[Values, Any]:
                return one_step((*fixed, *carried), *leaves)[::-1]

            changed, outputs = jax.lax.scan(body, values[len(fixed) :], leaves)
            put_together = _all_rows if mode == "predict" else _last
            return jax.tree.map(put_together, outputs), changed

        return single if execution is ExecutionMode.STEP else loop

    def run_eagerly(self, mode: str, batch: Batch) -> Any:
        data = batch.pack()
        self._keras_version.build(data, mode)
        variables = self._variables(mode)
        before = read(variables)
        outputs, values = self._step(mode)(before, data)
        first = _FIRST_CHANGED[mode]
        _write(variables, values[first:], before, first)
        return outputs

    def _step(self, mode: str) -> Step:
        """The step, which takes and returns the same groups of values."""
        step = getattr(self._model, f"{mode}_step")

        def checked(values: Values, data: Nested) -> tuple[Any, Values]:
            outputs, new = step(values, data)
            self._keras_version.check_logs(mode, outputs)
            return outputs, (values[0], new) if mode == "predict" else tuple(new)

        return checked

    def _variables(self, mode: str) -> Variables:
        """The variables whose values a step of the mode takes, in Keras's groups."""
        model: Any = self._model
        groups = [model.trainable_variables, model.non_trainable_variables]
        if mode == "train":
            groups.append(model.optimizer.variables)
        if mode != "predict":
            groups.append(model.metrics_variables)
        return tuple(groups)


# The groups of values before this one are the same after a step.
_FIRST_CHANGED = {"train": 0, "test": 1, "predict": 1}


def _write(variables: Variables, new: Values, before: Values, first: int) -> None:
    """Give variables the values that a step returned; only a training's overwrite other ones."""
    write(variables[first:], new, before[first:] if first else None)


def _key(batch: Batch, execution: ExecutionMode) -> tuple[Any, ...]:
    form = batch.form
    return execution, form.kind, form.shapes, batch.count, batch.rows, form.uneven


def _on_cpu(values: Values) -> bool:
    devices = devices_of(jax.tree.leaves(values)) or jax.local_devices()
    return all(device.platform == "cpu" for device in devices)


def _ids(groups: Variables) -> list[list[int]]:
    return [[*map(id, group)] for group in groups]


def _last(outputs: jax.Array) -> jax.Array:
    return outputs[-1]


def _all_rows(outputs: jax.Array) -> jax.Array:
    return outputs.reshape(-1, *outputs.shape[2:])

"""JAX's arrays and threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import jax
import keras
import numpy as np
from jax import numpy as jnp

from ..protocol import Array, Backend, Spec, Tensor
from .placement import devices_of, is_fixed, parts, put, refusal, sharding
from .spare_memory import spare_memory
from .variables import shared


class Jax(Backend):
    """JAX."""

    name, title = "jax", "JAX"

    def tensor(self, leaf: Any, *, exclusive: bool = False, stacked: bool = False) -> Tensor:
        if isinstance(leaf, np.ndarray):
            # JAX may share NumPy's memory, which the generator may use again.
            leaf = leaf if exclusive else np.array(leaf, order="C")
            return put(leaf, stacked=stacked)
        given = leaf.value if isinstance(leaf, keras.Variable) else leaf
        divided = sharding(stacked=stacked)
        return given if divided is None else jax.device_put(given, divided)

    def leaf(self, leaf: Any) -> Tensor:
        if isinstance(leaf, jax.core.Tracer):
            raise ValueError("it is a symbol of a graph and has no values")
        if isinstance(leaf, (np.ndarray, keras.Variable, jax.Array)):
            return self.tensor(leaf)
        raise ValueError(f"on JAX, arrays must be dense, not {type(leaf).__name__}")

    def sparse(self, where: Array, values: Array, shape: tuple[int, ...]) -> Tensor:
        raise ValueError("on JAX, no input may be sparse: make the model's Input without `sparse`")

    def spec(self, leaf: Any) -> Spec:
        dtype = jax.dtypes.canonicalize_dtype(leaf.dtype)
        place = devices_of([leaf]) if is_fixed(leaf) else None
        return Spec((str(dtype), len(leaf.shape), place), tuple(leaf.shape), dtype.itemsize)

    def stacked(self, tensors: list[Tensor]) -> Tensor:
        return self.tensor(jnp.stack(tensors), stacked=True)

    def _concatenated(self, *tensors: Tensor) -> Tensor:
        return np.concatenate([np.asarray(tensor) for tensor in tensors])

    def _ran(self) -> bool:
        from jax._src import xla_bridge

        return bool(xla_bridge.backends_are_initialized())

    def _try_out(self) -> None:
        jax.jit(lambda a: jnp.sin(a) + 1)(np.ones(9, "float32")).block_until_ready()

    def scope(self) -> Callable[[], AbstractContextManager[None]]:
        """The default device."""
        device = jax.config.jax_default_device

        @contextmanager
        def scope() -> Iterator[None]:
            with jax.default_device(device):
                yield

        return scope

    def unsupported(self, model: Any) -> str | None:
        why = refusal() or self._other_values(model, jax.Array)
        values = [v._value for v in model.variables if getattr(v, "_value", None) is not None]
        divided = sharding() if why is None else None
        if divided is not None and any(v.sharding.device_set != divided.device_set for v in values):
            why = "it was made before keras.distribution was set, on other devices; make it anew"
        return why

    def unfit(self, rows: int) -> str | None:
        count = parts()
        if rows % count == 0:
            return None
        return f"keras.distribution cannot divide its {rows} rows among {count} devices"

    @contextmanager
    def shared(self, model: Any) -> Iterator[None]:
        with shared(model), spare_memory(model):
            yield

    def is_tracing(self) -> bool:
        return not jax.core.trace_state_clean()

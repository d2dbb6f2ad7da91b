"""Where arrays are put: on the device of this thread, or in parts on those of a distribution."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import jax
import keras
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec, SingleDeviceSharding

from ..protocol import Array, Tensor

try:
    from jax._src.lib import xla_client

    batched_device_put = xla_client.batched_device_put
except (ImportError, AttributeError):  # another JAX has it elsewhere
    batched_device_put = None

Devices = frozenset[Any]


def put(array: Array, *, stacked: bool = False) -> Tensor:
    """An array where a step needs it; its memory may become the tensor's.

    `jax.device_put` takes 70 us for an array of any size, which is as long as some steps; what it
    calls in the end takes 4. So the common case goes there at once.
    """
    divided = sharding(stacked=stacked)
    device = jax.config.jax_default_device or _first_device()
    if divided is not None or batched_device_put is None or not isinstance(device, jax.Device):
        return jax.device_put(array, divided)
    known = _known(array.shape, array.dtype, device)
    if known is None:
        return jax.device_put(array)
    return batched_device_put(*known, [array], [device], False)


@lru_cache(1)
def _first_device() -> Any:
    return jax.local_devices()[0]


@lru_cache(256)
def _known(shape: tuple[int, ...], dtype: np.dtype[Any], device: Any) -> tuple[Any, Any] | None:
    """How JAX describes an array on a device; `None` where it becomes one of another type."""
    if jax.dtypes.canonicalize_dtype(dtype) != dtype:
        return None
    return jax.core.ShapedArray(shape, dtype), SingleDeviceSharding(device)


def refusal() -> str | None:
    """Why batches cannot be put where `keras.distribution` wants them, as the end of a sentence."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return None
    if not isinstance(distribution, keras.distribution.DataParallel):
        kind = type(distribution).__name__
        return f"keras.distribution.{kind} is set, which is not supported; DataParallel is"
    if jax.process_count() > 1:
        return f"keras.distribution is set up for {jax.process_count()} processes; only one is"
    return None


def sharding(*, stacked: bool = False) -> Any:
    """How the rows of a batch, or of `stacked` batches, are divided; `None` without a distribution.

    `keras.distribution` is known on our threads, too: it is of the caller's state (rule 10).
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return None
    rows: NamedSharding = distribution.get_data_layout((1,)).backend_layout
    return NamedSharding(rows.mesh, PartitionSpec(None, *rows.spec)) if stacked else rows


def parts() -> int:
    """Into how many parts the rows of a batch are divided."""
    rows = sharding()
    return 1 if rows is None else int(rows.mesh.shape[rows.spec[0]])


def devices_of(arrays: Iterable[Any]) -> Devices:
    """The devices that arrays are on."""
    return frozenset(device for array in arrays for device in array.devices())


def is_fixed(array: Any) -> bool:
    """Whether an array was put on its device by name: JAX computes with it there only."""
    return isinstance(array, jax.Array) and bool(getattr(array, "committed", False))

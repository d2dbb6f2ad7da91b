"""Where arrays are put: on the device of this thread, or in parts on those of a distribution."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import keras
from jax.sharding import NamedSharding, PartitionSpec

Devices = frozenset[Any]


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

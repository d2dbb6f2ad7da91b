"""PyTorch's tensors and threads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import torch
from keras.src.backend.torch.core import convert_to_tensor, get_device, to_torch_dtype

from ..protocol import Array, Backend, Spec, Tensor
from .thread_settings import thread_settings


class Torch(Backend):
    """PyTorch."""

    name, title = "torch", "PyTorch"
    lacks = frozenset([np.dtype("uint64")])

    def tensor(self, leaf: Any, *, exclusive: bool = False, stacked: bool = False) -> Tensor:
        if not isinstance(leaf, np.ndarray):
            return convert_to_tensor(leaf)
        tensor = torch.from_numpy(leaf if exclusive and _is_plain(leaf) else _copied(leaf))
        return _placed(tensor.to(to_torch_dtype(leaf.dtype)))

    def leaf(self, leaf: Any) -> Tensor:
        if isinstance(leaf, keras.Variable):
            leaf = leaf.value
        if not isinstance(leaf, torch.Tensor):
            return convert_to_tensor(leaf)
        if leaf.is_meta:
            raise ValueError("it is a symbol of a graph and has no values")
        if leaf.layout is not torch.strided or leaf.is_nested:
            raise ValueError("on PyTorch, arrays must be dense")
        # The generator may fill it again, and may have computed it with a model of its own.
        return convert_to_tensor(leaf.detach().clone())

    def sparse(self, where: Array, values: Array, shape: tuple[int, ...]) -> Tensor:
        raise ValueError(
            "on PyTorch, no input may be sparse: make the model's Input without `sparse`"
        )

    def spec(self, leaf: Any) -> Spec:
        given = leaf.dtype
        dtype = given if isinstance(given, torch.dtype) else to_torch_dtype(given)
        return Spec((dtype, len(leaf.shape)), tuple(leaf.shape), dtype.itemsize)

    def stacked(self, tensors: list[Tensor]) -> Tensor:
        return torch.stack(tensors)

    def _concatenated(self, *tensors: Tensor) -> Tensor:
        return np.concatenate([keras.ops.convert_to_numpy(tensor) for tensor in tensors])

    def arrays(self, outputs: Any) -> Any:
        return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)

    def _ran(self) -> bool:
        return True  # whatever was computed before, by Keras or others, may have started threads

    def _try_out(self) -> None:
        torch.ones(2**20).sin().sum()

    def scope(self) -> Callable[[], AbstractContextManager[None]]:
        return thread_settings()

    def is_tracing(self) -> bool:
        return str(get_device()) == "meta"

    def unsupported(self, model: Any) -> str | None:
        steps = getattr(model, "steps_per_execution", 1) or 1
        if steps == 1:
            return self._other_values(model, torch.Tensor)
        return f"on PyTorch, `steps_per_execution` of its compile() must be 1, not {steps}"


def _is_plain(array: Array) -> bool:
    """Whether a tensor may have the array's own memory."""
    return array.flags.c_contiguous and array.flags.writeable


def _copied(array: Array) -> Array:
    """A row-major copy.

    Thread rule 9 (R's memory stays on its thread): R's arrays are copied there as they lie, and
    transposed here, on a feeder. PyTorch does so on several threads.
    """
    if array.ndim > 1 and array.T.flags.c_contiguous and not array.flags.c_contiguous:
        transposed: Array = torch.from_numpy(array).contiguous().numpy()
        return transposed
    return np.array(array, order="C")


def _placed(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor in the machine's memory, on the device that Keras computes on."""
    device = torch.device(get_device())
    if device.type != "cuda":
        return tensor.to(device)
    # A stream of its own: the copy neither waits for the running step, nor does a later step.
    stream = torch.cuda.Stream(device)
    with torch.cuda.stream(stream):
        moved = tensor.pin_memory().to(device, non_blocking=True)
    stream.synchronize()
    moved.record_stream(torch.cuda.default_stream(device))
    return moved

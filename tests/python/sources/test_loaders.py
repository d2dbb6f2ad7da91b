"""Loaders of other frameworks, and their tensors, by what they have in common with PyTorch's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fitgenerator import evaluate_generator, flow_from_data, predict_generator
from support.tiny_trainings import Seen, echo_model, numbered, run


class Tensor:
    """As much of a torch.Tensor as is needed: NumPy has to ask it in this order."""

    def __init__(self, array: Any, *, grad: bool = False, device: str = "cuda") -> None:
        self._array, self._grad, self._device = np.asarray(array, "float32"), grad, device

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: f"torch.{self._array.dtype}")

    def detach(self) -> Tensor:
        return Tensor(self._array, device=self._device)

    def cpu(self) -> Tensor:
        return Tensor(self._array, grad=self._grad, device="cpu")

    def numpy(self) -> Any:
        if self._grad or self._device != "cpu":
            raise RuntimeError("Can't call numpy() on Tensor that requires grad or is not on cpu.")
        return self._array

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.numpy()

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, rows: Any) -> Tensor:
        return Tensor(self._array[rows], grad=self._grad, device=self._device)


Tensor.__module__ = "torch"


class DataLoader:
    """Batches as PyTorch's DataLoader collates them: lists of tensors, read again and again."""

    def __init__(self, count: int = 3) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[Tensor]]:
        for number in range(1, self._count + 1):
            yield [Tensor(np.full((2, 1), number), grad=True), Tensor(np.zeros((2, 1)))]


class IterableLoader(DataLoader):
    """One of an IterableDataset: it has a length by its class, and none by its value."""

    def __len__(self) -> int:
        raise TypeError("object of type 'Stream' has no len()")


@pytest.mark.parametrize("kind", [DataLoader, IterableLoader])
def test_L5_a_loader_trains_validates_evaluates_and_predicts(kind: Any, queue: int) -> None:
    seen = Seen()
    options = {"max_queue_size": queue}
    run(echo_model(), kind(), None, 2, [seen], kind(), **options)
    assert seen.train == seen.test == [1, 2, 3] * 2
    seen.train.clear()
    run(echo_model(), kind(), 2, 3, [seen], **options)
    assert seen.train == [1, 2, 3, 1, 2, 3]
    assert evaluate_generator(echo_model(), kind(), **options) == 2
    assert predict_generator(echo_model(), kind()).ravel().tolist() == [1, 1, 2, 2, 3, 3]


def test_L5_the_length_is_told_where_there_is_one() -> None:
    assert run(echo_model(), DataLoader()).params["steps"] == 3
    assert run(echo_model(), IterableLoader()).params["steps"] is None


def test_tensors_are_arrays_for_flows_too() -> None:
    x = Tensor(np.arange(4)[:, None], grad=True)
    seen = Seen()
    flow = flow_from_data(x, Tensor(np.zeros((4, 1))), batch_size=2, shuffle=False)
    run(echo_model(), numbered(), 1, 1, [seen], flow)
    assert seen.test == [0.5, 2.5]

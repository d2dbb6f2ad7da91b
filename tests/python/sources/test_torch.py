"""PyTorch's own loaders and tensors; collected only where torch is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from fitgenerator import evaluate_generator, flow_from_data, predict_generator
from support.tiny_trainings import Seen, echo_model, run
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

X = torch.arange(1.0, 7.0)[:, None]
ROWS = TensorDataset(X, torch.zeros(6, 1))


class Stream(IterableDataset[Any]):
    """Rows without a length."""

    def __iter__(self) -> Iterator[Any]:
        return iter(ROWS)


def as_arrays(rows: list[Any]) -> tuple[Any, ...]:
    """Collates to NumPy arrays."""
    return tuple(np.stack([part.numpy() for part in parts]) for parts in zip(*rows, strict=True))


@pytest.mark.parametrize("options", [{}, {"num_workers": 2}, {"collate_fn": as_arrays}])
def test_L5_a_DataLoader_trains_validates_evaluates_and_predicts(options: Any) -> None:
    loader = DataLoader(ROWS, batch_size=2, **options)
    seen = Seen()
    history = run(echo_model(), loader, None, 2, [seen], loader)
    assert seen.train == seen.test == [1.5, 3.5, 5.5] * 2
    assert history.params["steps"] == 3
    assert evaluate_generator(echo_model(), loader) == 3.5
    assert predict_generator(echo_model(), loader).ravel().tolist() == [1, 2, 3, 4, 5, 6]


def test_L5_a_DataLoader_of_a_stream_has_no_length() -> None:
    seen = Seen()
    run(echo_model(), DataLoader(Stream(), batch_size=2), None, 2, [seen])
    assert seen.train == [1.5, 3.5, 5.5] * 2


def test_tensors_that_need_gradients_are_arrays() -> None:
    flow = flow_from_data(X.clone().requires_grad_(), torch.zeros(6), batch_size=2, shuffle=False)
    assert flow[0][0].tolist() == [[1], [2]]

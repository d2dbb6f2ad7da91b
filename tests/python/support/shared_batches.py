"""Batches that several replicas, or processes, share: vectors and sentences."""

from __future__ import annotations

from typing import Any

import numpy as np


def vectors(*rows: int, weighted: bool = False) -> list[Any]:
    """Batches of vectors of so many rows each."""
    random, batches = np.random.default_rng(0), []
    for count in rows:
        x = random.normal(size=(count, 8)).astype("float32")
        weights = random.uniform(0.1, 2, count).astype("float32")
        batches.append((x, x[:, :1] ** 2, weights) if weighted else (x, x[:, :1] ** 2))
    return batches


def sentences(*rows: int) -> list[Any]:
    """Batches of padded sentences, whose lengths differ between the parts of a batch."""
    random, batches = np.random.default_rng(0), []
    for count in rows:
        x = random.integers(1, 20, size=(count, 7))
        for i, row in enumerate(x):
            row[1 + i % 6 :] = 0
        batches.append((x, random.normal(size=(count, 7, 1)).astype("float32")))
    return batches

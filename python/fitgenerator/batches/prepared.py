"""What a compiled step is called with: flat leaves, of one batch or of several."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import numpy as np

from ..backends.protocol import Backend, Replicas
from ..models.protocol import Shaped

# The structure of a batch, with the number of a leaf, or `None`, in each place.
Layout: TypeAlias = "int | Sequence[Layout] | Mapping[str, Layout] | None"
Shapes = tuple[tuple[int | None, ...], ...]  # of the leaves, without their rows


@dataclass(frozen=True)
class Form:
    """What batches have in common that one call, or one traced function, can take."""

    layout: Layout  # of inputs, targets and weights, or what a model's own step takes
    kind: Hashable  # what decides on which function takes them, lengths apart
    shapes: Shapes  # the leaves' shapes without the rows
    stackable: bool  # several such batches can be stacked: no leaf is sparse or ragged
    row_bytes: int  # the size of one row of its dense leaves
    backend: Backend  # whose tensors its leaves become
    replicas: Replicas | None = None  # that take parts of it, where there are several
    uneven: tuple[int, ...] = ()  # the rows of each leaf, where these are not all as many

    @property
    def parts(self) -> tuple[Layout, ...]:
        """The layouts of inputs, targets and weights, as far as there are such parts."""
        return self.layout if isinstance(self.layout, tuple) else (self.layout,)


@dataclass(slots=True)
class Batch:
    """What one call needs: flat leaves, and how they are put together again."""

    leaves: tuple[Any, ...]  # the arrays or tensors, without the places that are `None`
    form: Form  # what it shares with other batches
    rows: int  # number of samples, those of the first leaf, in each of the batches
    count: int = 1  # number of batches; where it is not 1, every leaf has them on its first axis
    full: bool = False  # there are as many as the call was to wait for
    exclusive: bool = False  # nobody else has its arrays: their memory may become the tensors'
    left: int | None = None  # batches of its round that come after it, where that is known
    is_ready: bool = False  # it has tensors for arrays already

    def pack(self) -> Any:
        """The nested structure, as a step takes it."""
        return pack(self.form.layout, self.leaves)

    def ready(self) -> Batch:
        """The same batch with tensors for arrays."""
        if self.is_ready:
            return self
        tensor, replicas, stacked = self.form.backend.tensor, self.form.replicas, self.count > 1
        if replicas is not None:
            parts = tuple(replicas.parts(leaf, stacked=stacked) for leaf in self.leaves)
            return Batch(parts, self.form, self.rows, self.count, is_ready=True)
        leaves = tuple(
            tensor(leaf, exclusive=self.exclusive, stacked=stacked)
            if isinstance(leaf, np.ndarray)
            else leaf
            for leaf in self.leaves
        )
        return Batch(leaves, self.form, self.rows, self.count, is_ready=True)

    def split(self) -> list[Batch]:
        """The batches one by one."""
        if self.count == 1:
            return [self]
        return [
            Batch(tuple(leaf[i] for leaf in self.leaves), self.form, self.rows)
            for i in range(self.count)
        ]

    def cut(self, count: int) -> tuple[Batch, Batch]:
        """The first so many of several batches, and those that remain."""
        remain = self.count - count
        first = [leaf[0] if count == 1 else leaf[:count] for leaf in self.leaves]
        rest = [leaf[-1] if remain == 1 else leaf[count:] for leaf in self.leaves]
        left = None if self.left is None else self.left + remain
        return (
            Batch(tuple(first), self.form, self.rows, count, left=left),
            Batch(tuple(rest), self.form, self.rows, remain, left=self.left),
        )

    def fits(self, other: Batch) -> bool:
        """Whether one call could take both."""
        form = self.form
        same = form is other.form or form == other.form
        return form.stackable and same and self.rows == other.rows


def common_shapes(known: Shapes, new: Shapes) -> Shapes:
    """`new`, with the lengths left open in which it differs from `known`."""
    return tuple(
        tuple(a if a == b else b if 1 in (a, b) else None for a, b in zip(k, n, strict=True))
        for k, n in zip(known, new, strict=True)
    )


def pack(layout: Layout, leaves: Sequence[Shaped]) -> Any:
    """`leaves` in the nested structure `layout`."""
    if type(layout) is tuple and layout == tuple(range(len(leaves))):
        return tuple(leaves)  # at once: where steps are not traced, each packs its batch
    return keras.tree.map_structure(lambda i: None if i is None else leaves[i], layout)

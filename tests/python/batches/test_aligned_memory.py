"""Arrays that become tensors without a copy: which may, and that all others are safe."""

from __future__ import annotations

from typing import Any

import fitgenerator as fg
import keras
import numpy as np
import pytest
import tensorflow as tf
from fitgenerator.backends import aligned_memory
from fitgenerator.batches.preparation import Preparer
from fitgenerator.batches.prepared import Batch
from fitgenerator.sources.recognition import as_source
from fitgenerator.sources.source import Source


def fresh(array: Any, *, promised: bool = True) -> Batch:
    """The batch of one array, of a source that makes its arrays anew, or does not say so."""
    model = keras.Sequential([keras.Input((array.shape[1],)), keras.layers.Dense(1)])
    return Preparer(model, "predict", exclusive=promised)((array,))


def shares(batch: Batch, array: Any) -> bool:
    """Whether what is written to the array shows in the batch's tensor."""
    tensor = batch.ready().leaves[0]
    before = np.array(tensor)
    array += 1
    return bool((np.array(tensor) != before).all())


@pytest.mark.parametrize("shape", [(4, 2), (1, 2), (0, 2), (3, 5, 2), (7,)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int64", "float16"])
def test_an_aligned_array_is_as_empty_makes_it(shape: tuple[int, ...], dtype: str) -> None:
    array = aligned_memory.empty(shape, dtype)
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.flags.writeable
    assert array.flags.c_contiguous
    assert array.ctypes.data % 64 == 0 or array.size == 0
    assert aligned_memory.is_aligned(array) == (array.size > 0)


def test_the_memory_of_a_fresh_array_becomes_the_tensors() -> None:
    array = aligned_memory.empty((8, 2), "float32")
    array[:] = 1
    assert shares(fresh(array), array)


def test_without_that_promise_it_is_copied() -> None:
    array = aligned_memory.empty((8, 2), "float32")
    array[:] = 1
    assert not shares(fresh(array, promised=False), array)


@pytest.mark.parametrize("kind", ["shifted", "strided", "column-major"])
def test_a_fresh_array_that_tensorflow_cannot_read_in_place_is_copied(kind: str) -> None:
    whole = aligned_memory.empty((9, 4), "float32")
    whole[:] = 1
    array = {
        "shifted": whole.reshape(-1)[1:17].reshape(8, 2),
        "strided": whole[:8, ::2],
        "column-major": np.asfortranarray(whole[:8, :2]),
    }[kind]
    assert not shares(fresh(array), array)


def test_a_tensor_keeps_the_memory_alive() -> None:
    array = aligned_memory.empty((1000, 1000), "float32")
    array[:] = 3
    tensor = fresh(array).ready().leaves[0]
    del array
    others = [np.full((1000, 1000), 7, "float32") for _ in range(8)]
    assert len(others) == 8
    assert float(tf.reduce_min(tensor)) == float(tf.reduce_max(tensor)) == 3


class OneBuffer(keras.utils.PyDataset):
    """Fills one and the same aligned buffer for each batch, as no fresh source does."""

    def __init__(self) -> None:
        super().__init__()
        self.x = aligned_memory.empty((1 << 11, 1 << 10), "float32")  # 8 MiB, never grouped

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        self.x[:] = index
        return (self.x,)


def test_a_source_that_uses_its_memory_again_is_read_right() -> None:
    model = keras.Sequential([keras.Input((1 << 10,)), keras.layers.Lambda(lambda x: x[:, :1])])
    outputs = fg.predict_generator(model, OneBuffer())
    assert outputs[:: 1 << 11, 0].tolist() == [0, 1, 2, 3, 4, 5]


def test_only_our_own_sources_promise_fresh_arrays() -> None:
    class Anything(keras.utils.PyDataset):  # has whatever it is asked for
        def __getattr__(self, name: str) -> Any:
            return lambda *_: True

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Any:
            return np.zeros((2, 2)), np.zeros((2, 1))

    source = as_source(Anything(), "generator")
    assert isinstance(source, Source)
    assert not source.exclusive
    assert not source.asks

"""Processes share an indexed source: each has as many batches, and no two the same."""

from __future__ import annotations

import json
from typing import Any

import fitgenerator as fg
import keras
import numpy as np
import pytest
from fitgenerator.errors import ArgumentError, ArgumentTypeError

X = np.arange(14, dtype="float32").reshape(14, 1)


class Given(keras.utils.PyDataset):
    """Seven batches of two rows."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = 0

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> Any:
        return (X[2 * index : 2 * index + 2],)

    def on_epoch_end(self) -> None:
        self.ended += 1


SOURCES = {
    "data set": Given,
    "list": lambda: [Given()[i] for i in range(7)],
    "flow": lambda: fg.flow_from_data(X, batch_size=2, shuffle=False),
    "sequence": lambda: fg.batch_sequence(Given().__getitem__, 7),
}


def unchanged() -> Any:
    """A model that gives its inputs back."""
    return keras.Sequential([keras.Input((1,)), keras.layers.Activation("linear")])


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_share_has_every_so_manieth_batch(kind: str, index: int) -> None:
    share = fg.share_of(SOURCES[kind](), index, 3)
    expected = np.concatenate([X[2 * i : 2 * i + 2] for i in (index, index + 3)])
    assert len(share) == 2
    assert np.array_equal(np.concatenate([share[i][0] for i in range(2)]), expected)
    assert np.array_equal(share[-1][0], share[1][0])
    found = fg.predict_generator(unchanged(), share, workers=2)
    assert np.array_equal(found, expected)
    assert np.array_equal(unchanged().predict(share, verbose=0), expected)  # Keras's own


def trained_on(index: int, epochs: int, **options: Any) -> list[int]:
    """The numbers of the batches that the share of a shuffled sequence was asked for."""
    numbers: list[int] = []

    def batch(number: int) -> Any:
        numbers.append(number)
        return X[:2], X[:2]

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    share = fg.share_of(fg.batch_sequence(batch, 7, shuffle=True, seed=1), index, 2)
    fg.fit_generator(model, share, epochs=epochs, verbose=0, workers=1, **options)
    return numbers


def test_shuffled_shares_have_no_batch_in_common() -> None:
    first, second = trained_on(0, 3), trained_on(1, 3)
    assert len(first) == len(second) == 9
    for epoch in range(3):
        part = slice(3 * epoch, 3 * epoch + 3)
        assert len({*first[part], *second[part]}) == 6
    assert first[:3] != first[3:6]
    assert trained_on(1, 3, initial_epoch=2) == second[6:]


def test_the_source_is_told_of_its_passes() -> None:
    source = Given()
    share = fg.share_of(source, 1, 2)
    fg.predict_generator(unchanged(), share)
    assert source.ended == 1


def test_tf_config_says_which_process_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert len(fg.share_of(Given())) == 7
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    task = {"type": "worker", "index": 1}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert repr(fg.share_of([(X,)] * 7)) == "<share 2 of 3: 2 batches>"
    for wrong in ("{", json.dumps({"cluster": cluster, "task": {"type": "ps", "index": 0}})):
        monkeypatch.setenv("TF_CONFIG", wrong)
        with pytest.raises(ArgumentError, match="must name this process"):
            fg.share_of(Given())


def test_what_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ArgumentTypeError, match="must be an indexed source"):
        fg.share_of(iter([(X,)]), 0, 2)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="has 7 batches, fewer than the 8 processes"):
        fg.share_of(Given(), 0, 8)
    with pytest.raises(ArgumentError, match="`index` must be below `count`, 2, not 2"):
        fg.share_of(Given(), 2, 2)
    with pytest.raises(ArgumentError, match="`index` needs `count`, too"):
        fg.share_of(Given(), 0)

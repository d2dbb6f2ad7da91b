"""Batches of data frames: columns by name and by formula, categories, parts; what is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from fitgenerator import ArgumentError, ArgumentTypeError, flow_from_chunks, flow_from_frame
from support.tiny_trainings import Seen, echo_model, run

FRAME = pd.DataFrame(
    {
        "size": [1.0, 2.0, 3.0, 4.0],
        "rooms": [1, 2, 1, 3],
        "kind": pd.Categorical(["b", "a", "c", "a"], categories=["a", "b", "c"]),
        "word": ["x", "y", "x", "z"],
        "sunny": [True, False, True, True],
        "weight": [0.5, 1.0, 1.0, 2.0],
        "price": [10.0, 20.0, 30.0, 40.0],
    }
)
COLUMNS = {name: FRAME[name].to_numpy() for name in ("size", "rooms", "price", "weight")}
ONE_HOT = [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]]


def batch(data: Any = FRAME, *columns: Any, **options: Any) -> Any:
    """All rows, in their order."""
    return flow_from_frame(data, *columns, shuffle=False, **options)[0]


def same(part: Any, wanted: Any) -> bool:
    return part.shape == np.shape(wanted) and np.array_equal(part, wanted)


# -- which columns ------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [FRAME, COLUMNS], ids=["pandas", "dict"])
@pytest.mark.parametrize(
    "columns",
    [
        ("price ~ size + rooms",),
        ("price~size+`rooms`",),
        ("price ~ . - kind - word - sunny - weight",),
        (["size", "rooms"], "price"),
    ],
    ids=["formula", "quoted", "dot", "names"],
)
def test_columns_by_formula_and_by_name_are_one_array(data: Any, columns: Any) -> None:
    if data is COLUMNS and "kind" in str(columns):
        columns = ("price ~ . - weight",)
    inputs, targets = batch(data, *columns)
    assert same(inputs, FRAME[["size", "rooms"]])
    assert same(targets, FRAME[["price"]])
    assert inputs.dtype == "float32"


def test_all_other_columns_are_inputs_where_none_are_named() -> None:
    inputs, targets, weights = batch(COLUMNS, targets="price", sample_weight="weight")
    assert same(inputs, FRAME[["size", "rooms"]])
    assert same(weights, FRAME["weight"])
    assert same(batch(COLUMNS, "price ~ .", sample_weight="weight")[0], inputs)
    assert same(targets, FRAME[["price"]])
    assert len(batch(COLUMNS, "~ .")) == 1
    assert same(batch(COLUMNS, "price + size ~ rooms")[1], FRAME[["price", "size"]])


def test_G7_several_inputs_and_targets_by_name_and_by_position() -> None:
    inputs, targets = batch(FRAME, {"n": ["size", "rooms"], "k": "kind"}, [["price"], "size"])
    assert same(inputs["n"], FRAME[["size", "rooms"]])
    assert same(inputs["k"], [[1], [0], [2], [0]])
    assert [same(t, FRAME[[n]]) for t, n in zip(targets, ("price", "size"), strict=True)]


# -- values -------------------------------------------------------------------------------------


def test_G4_categories_are_codes_from_0_or_one_column_a_level() -> None:
    codes = batch(FRAME, "price ~ kind")[0]
    assert same(codes, [[1], [0], [2], [0]])
    assert codes.dtype == "int32"
    assert same(batch(FRAME, "price ~ kind", one_hot=True)[0], ONE_HOT)
    assert same(batch(FRAME, "price ~ kind", one_hot=[["kind"]])[0], ONE_HOT)
    mixed = batch(FRAME, "price ~ size + kind", one_hot=["kind"])[0]
    assert same(mixed, np.column_stack([FRAME["size"], ONE_HOT]))
    assert mixed.dtype == "float32"
    assert same(batch(FRAME, "price ~ size + kind")[0][:, 1], [1, 0, 2, 0])


def test_words_are_words_or_codes_of_their_levels() -> None:
    assert batch(FRAME, "price ~ word")[0].ravel().tolist() == ["x", "y", "x", "z"]
    assert same(batch(FRAME, "price ~ word", one_hot=["word"])[0], np.eye(3)[[0, 1, 0, 2]])
    levels = {"word": ["z", "y", "x"]}
    assert same(batch(FRAME, "price ~ word", levels=levels)[0], [[2], [1], [2], [0]])


def test_G5_types_that_differ_become_numbers_that_hold_them_all() -> None:
    kinds = {"sunny": "bool", "rooms": "int64", "rooms + sunny": "int64", "size + sunny": "float32"}
    for names, dtype in kinds.items():
        assert batch(FRAME, f"price ~ {names}")[0].dtype == dtype


def test_nullable_columns_without_a_missing_value_are_numbers() -> None:
    data = FRAME.assign(rooms=FRAME["rooms"].astype("Int64"), word=FRAME["word"].astype("string"))
    assert same(batch(data, "price ~ rooms")[0], FRAME[["rooms"]])
    assert batch(data, "price ~ word")[0].shape == (4, 1)


def test_it_is_shuffled_and_balanced_as_arrays_are() -> None:
    flow = flow_from_frame(FRAME, "kind ~ size", seed=1, batch_size=3, balance=True)
    assert len(flow) == 2
    assert sorted(flow[0][1].ravel().tolist()) == [0, 1, 2]


# -- parts --------------------------------------------------------------------------------------


def parts(*cuts: int) -> Any:
    """Reads `FRAME` in parts that end at these rows."""

    def read() -> Iterator[Any]:
        begin = 0
        for cut in (*cuts, len(FRAME)):
            yield FRAME[begin:cut]
            begin = cut

    return read


@pytest.mark.parametrize("cuts", [(), (1,), (1, 2, 3), (3, 3), (0,)])
def test_batches_do_not_depend_on_the_parts(cuts: tuple[int, ...]) -> None:
    batches = [*flow_from_chunks(parts(*cuts), "price ~ size + kind", batch_size=3)]
    assert [len(inputs) for inputs, _ in batches] == [3, 1]
    wanted = np.column_stack([FRAME["size"], [1, 0, 2, 0]])
    assert same(np.concatenate([inputs for inputs, _ in batches]), wanted)


def test_without_steps_an_epoch_is_a_pass_and_with_steps_it_goes_on(queue: int) -> None:
    seen = Seen()
    flow = flow_from_chunks(parts(1), "rooms ~ price", batch_size=2)
    options = {"max_queue_size": queue, "callbacks": [seen]}
    run(echo_model(), flow, None, 2, validation_data=flow, **options)
    assert seen.train == seen.test == [15, 35] * 2
    seen.train.clear()
    run(echo_model(), flow, 3, 2, **options)
    assert seen.train == [15, 35, 15, 35, 15, 35]


def test_a_data_base_is_read_on_the_thread_that_reads(tmp_path: Any) -> None:
    path = tmp_path / "houses.db"
    base = sqlite3.connect(path)
    FRAME.drop(columns=["kind"]).to_sql("houses", base, index=False)
    base.close()

    def read() -> Iterator[Any]:
        base = sqlite3.connect(path)
        try:
            yield from pd.read_sql("SELECT * FROM houses", base, chunksize=3)
        finally:
            base.close()

    levels = {"word": ["x", "y", "z"]}
    flow = flow_from_chunks(read, "price ~ word + size", levels=levels, one_hot=True, batch_size=4)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(run(model, flow, None, 2, validation_data=flow).history["val_loss"]) == 2
    assert same(next(iter(flow))[0], np.column_stack([np.eye(3)[[0, 1, 0, 2]], FRAME["size"]]))


def test_parts_whose_categories_differ_get_the_codes_of_the_first() -> None:
    def read() -> Iterator[Any]:
        yield pd.DataFrame({"k": pd.Categorical(["a", "b"]), "y": [1, 2]})
        yield pd.DataFrame({"k": pd.Categorical(["b"]), "y": [3]})

    inputs, _ = next(iter(flow_from_chunks(read, "y ~ k", batch_size=3)))
    assert inputs.ravel().tolist() == [0, 1, 1]


# -- refused ------------------------------------------------------------------------------------

HOLES = FRAME.assign(size=[1.0, np.nan, np.nan, 4.0], word=["x", None, "x", "z"])
REFUSED: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "unknown": (FRAME, ("price ~ seize",), {}, "`inputs` must name columns .* not seize; it has"),
    "unknown target": (FRAME, ("size", "cost"), {}, "`targets` must name columns .* not cost"),
    "unknown weight": (FRAME, ("size",), {"sample_weight": "w"}, "`sample_weight` must name"),
    "unknown one_hot": (FRAME, ("size",), {"one_hot": ["k"]}, "`one_hot` must name columns"),
    "unknown levels": (FRAME, ("size",), {"levels": {"k": [1]}}, "`levels` must name columns"),
    "product": (FRAME, ("price ~ size * rooms",), {}, r'not "price ~ size \* rooms"'),
    "empty formula": (FRAME, ("price ~ ",), {}, "`inputs` as a formula must have names"),
    "both": (FRAME, ("price ~ size", "price"), {}, "`targets` must be None where `inputs` is a"),
    "missing": (HOLES, ("price ~ size + word",), {}, "has 2 in `size`, 1 in `word`; leave"),
    "missing kind": (
        FRAME.assign(kind=FRAME["kind"].cat.remove_categories("a")),
        ("price ~ kind",),
        {},
        "has 2 in `kind`",
    ),
    "words": (FRAME, ("price ~ size + word",), {}, "columns `word` hold words and cannot stand"),
    "other values": (FRAME, ("price ~ word",), {"levels": {"word": ["x"]}}, "lacks y, z"),
    "dates": (
        FRAME.assign(size=pd.Timestamp("2020-01-01")),
        ("price ~ size",),
        {},
        "column `size` must hold numbers, words or categories, not datetime64",
    ),
    "numbers for names": (FRAME, ([1, 2],), {}, "`inputs` must name columns: one, several"),
    "a number for targets": (FRAME, (None, 3), {}, "`targets` must name columns: one, several"),
    "no frame": (np.ones((3, 2)), ("a ~ b",), {}, "`data` must be a data frame, or a dict"),
    "two of a name": (pd.concat([FRAME, FRAME], axis=1), ("size",), {}, "several columns of one"),
    "batch_size": (FRAME, ("size",), {"batch_size": 0}, "`batch_size` must be"),
    "unequal": ({"a": [1.0], "b": [1.0, 2.0]}, ("a ~ b",), {}, "same number of rows"),
}


@pytest.mark.parametrize(("data", "columns", "options", "words"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_in_words(data: Any, columns: Any, options: Any, words: str) -> None:
    with pytest.raises((ArgumentError, ArgumentTypeError), match=words):
        flow_from_frame(data, *columns, **options)


def test_bad_parts_are_refused_in_words() -> None:
    with pytest.raises(ArgumentTypeError, match="`read` must be a function without arguments"):
        flow_from_chunks(FRAME)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="`levels` must have the values of the column `word`"):
        [*flow_from_chunks(parts(), "price ~ word", one_hot=True)]
    with pytest.raises(ArgumentError, match=r"`data` must have the columns price too; it has size"):
        [*flow_from_chunks(lambda: iter([FRAME, FRAME[["size"]]]), "price ~ size")]

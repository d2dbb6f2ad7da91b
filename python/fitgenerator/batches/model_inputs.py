"""What a model made of `keras.Input`s expects of a batch, where Keras looks away.

Keras warns, on whatever thread traces, and goes on where a list has more inputs than the model, or
a dict other names: it drops the last ones, or feeds the second input with the third. It also casts
complex numbers to real ones. Such batches are refused, and text where the model takes numbers,
which a step would refuse with TensorFlow's words; shapes are left to Keras, which says no.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from ..errors import BatchError
from ..messages import Message, listed
from ..models.keras_versions import keras_version_of
from ..models.protocol import KerasModel, Nested, Shaped
from .class_labels import ClassLabels
from .prepared import Batch
from .structure import Parts, flat_leaves, place_of


class Expected:
    """The inputs that a model has, and the labels that it takes, where that is known."""

    def __init__(self, model: KerasModel) -> None:
        keras_version = keras_version_of(model)
        self._inputs, self._outputs = known_symbols(model)
        self.labels = ClassLabels(keras_version, self._outputs)
        self.sparse = {i for i, x in enumerate(self._inputs) if _is_sparse(x)}
        structure = keras_version.named_inputs
        self._names = set(structure) if isinstance(structure, dict) else None

    def check(self, parts: Parts) -> None:
        """Look at checked parts.

        Raises:
            BatchError: More inputs than the model has, other names, text where the model has
                numbers, complex numbers where it has real ones, or labels of no class.
        """
        if not self._inputs:
            return
        self._check_inputs(parts.inputs)
        place = _text_in(parts.inputs)
        if place is not None and not any(map(_is_text, self._inputs)):
            text = "The batch's inputs{place} are text, and the model needs numbers: "
            raise BatchError(Message(text + "{inputs as numbers}.", place=place))
        _check_real(parts.inputs, self._inputs, "inputs")
        _check_real(parts.targets, self._outputs, "targets")
        _check_real(parts.weights, [], "sample weights")
        self.labels.check(parts.targets)

    def _check_inputs(self, inputs: Nested) -> None:
        if isinstance(inputs, Mapping):
            if self._names is not None and set(inputs) != self._names:
                came, names = (listed(sorted(map(str, n))) for n in (inputs, self._names))
                text = f"The batch's inputs are named {came}; the model's are named {names}."
                raise BatchError(text)
            return
        given, wanted = len(flat_leaves(inputs)), len(self._inputs)
        if given != wanted:
            rule = "(inputs, targets), where several inputs are a list, or a dict by their names."
            counts = f"{_inputs(given)} and the model {_inputs(wanted)}"
            raise BatchError(f"The batch has {counts}: a batch is {rule}")


def lacks_dimension(model: KerasModel, batch: Batch) -> bool:
    """Whether an input of `batch` has one dimension, and the model needs more.

    Keras adds a last dimension of length 1 where the model has one.
    """
    form, (symbols, _) = batch.form, known_symbols(model)
    indices = keras.tree.flatten(form.parts[0])
    return len(indices) == len(symbols) and any(
        index is not None and form.shapes[index] == () and tuple(symbol.shape[1:]) not in ((), (1,))
        for index, symbol in zip(indices, symbols, strict=True)
    )


def input_names(model: KerasModel) -> list[str]:
    """The names by which inputs may be given in a dict; none where they are not known."""
    structure = keras_version_of(model).named_inputs
    if isinstance(structure, dict):
        return list(map(str, structure))
    return [str(getattr(symbol, "name", "")) for symbol in known_symbols(model)[0]]


def known_symbols(model: KerasModel) -> tuple[list[Shaped], list[Shaped]]:
    """The symbols of a model's inputs and outputs; none where it is subclassed, or not built."""
    return _flat(model, "inputs"), _flat(model, "outputs")


def _flat(model: KerasModel, name: str) -> list[Shaped]:
    try:
        return list(keras.tree.flatten(getattr(model, name) or []))
    except (AttributeError, ValueError):
        return []


def _is_sparse(symbol: Shaped) -> bool:
    """Of Keras 2 by its class."""
    return getattr(symbol, "sparse", False) or type(symbol).__name__ == "SparseKerasTensor"


def _inputs(count: int) -> str:
    return "1 input" if count == 1 else f"{count} inputs"


def _check_real(part: Nested, symbols: list[Shaped], name: str) -> None:
    for index, leaf in enumerate(flat_leaves(part)):
        if leaf is not None and _is_complex(leaf) and not any(map(_is_complex, symbols)):
            where = f"{name}{place_of(index, part)}"
            text = f"The batch's {where} are complex, where the model has real numbers"
            raise BatchError(f"{text}; give the real and the imaginary part as two columns.")


def _is_complex(array: Shaped) -> bool:
    dtype = array.dtype
    if isinstance(dtype, str):  # of a symbol, or a variable
        return "complex" in dtype
    return dtype.kind == "c" if isinstance(dtype, np.dtype) else bool(dtype.is_complex)


def check_devices(fixed: frozenset[Any], own: frozenset[Any]) -> None:
    """Refuse arrays that are fixed to other devices than those that the model is on.

    Raises:
        BatchError: There are such arrays.
    """
    if own and not fixed <= own:
        there, here = (listed(sorted(map(str, devices))) for devices in (fixed, own))
        text = f"The batch is on the device {there}, and the model on {here}"
        raise BatchError(f"{text}: move the batch to the model's device, or give NumPy arrays.")


def check_text(targets: Nested, loss: Nested) -> None:
    """Refuse targets that are text, where every loss is one of Keras's: these need numbers.

    Raises:
        BatchError: Targets are text.
    """
    place = _text_in(targets)
    if place is not None and all(map(_is_of_keras, keras.tree.flatten(loss))):
        text = "The batch's targets{place} are text, and the loss needs numbers: "
        raise BatchError(Message(text + "{text as numbers}.", place=place))


def _text_in(part: Nested) -> str | None:
    """Where a part has text, as messages name the place; `None`: nowhere."""
    for index, leaf in enumerate(flat_leaves(part)):
        if leaf is not None and _is_text(leaf):
            return place_of(index, part)
    return None


def _is_text(leaf: Any) -> bool:
    kind = getattr(leaf.dtype, "kind", None)
    if kind == "O":
        return leaf.size > 0 and isinstance(leaf.flat[0], (str, bytes))
    return kind in ("U", "S") or leaf.dtype == "string"


def _is_of_keras(loss: Any) -> bool:
    """Whether a loss was given by its name, or is made of a function of Keras."""
    function = getattr(loss, "fn", loss)
    module = getattr(function, "__module__", type(function).__module__)
    return isinstance(loss, str) or module.partition(".")[0] in ("keras", "tf_keras")

"""Indexed sources that the models of both Kerases read as data sets, in their own methods too."""

from __future__ import annotations

import keras

from ..models.keras_versions import classes
from .source import Readable


class KerasSequence(keras.utils.PyDataset, Readable):
    """A data set for Keras 3, and also for Keras 2 once that is loaded.

    A model of Keras 2 must know the length of a flow: it reads any other iterator without end.
    """

    # Keras 2 may be loaded after the source was made. What asks whether the source is one of its
    # sequences asks for the source's class.
    @property  # in place of an attribute
    def __class__(self) -> type:
        for kind in classes("utils.Sequence"):
            if not issubclass(KerasSequence, kind):
                KerasSequence.__bases__ = (*KerasSequence.__bases__, kind)
        return type(self)

    @__class__.setter
    def __class__(self, kind: type) -> None:
        vars(object)["__class__"].__set__(self, kind)

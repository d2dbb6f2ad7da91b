"""What is wrong with models of a distribution strategy."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import keras
import tensorflow as tf
from fitgenerator.backends.tensorflow import tensors
from fitgenerator.backends.tensorflow.replicas import MirroredReplicas
from fitgenerator.models import supported
from fitgenerator.models.keras_versions import Keras2, Keras3


def model_like(strategy: Any, made_under: Any = None, version: type[Keras3] = Keras3) -> Keras3:
    """As much of a model as is looked at first, in the scope of a strategy."""
    own = {version._strategy: made_under, version._compiled: True}
    return version(SimpleNamespace(distribute_strategy=strategy, **own))


def replicas_of(strategy: Any, version: type[Keras3] = Keras3) -> None:
    """Look at a model that was made under a strategy."""
    supported.check_model(model_like(strategy, strategy, version), "train", foreign=False)


def cut(leaf: Any) -> None:
    """Cut a leaf for two replicas."""
    devices = SimpleNamespace(worker_devices=("CPU:0", "CPU:0"))
    MirroredReplicas(SimpleNamespace(extended=devices), tf.constant).parts(leaf, stacked=False)


class Mirrored(tf.distribute.MirroredStrategy):
    """As much of a strategy as is looked at; a real one takes seconds."""

    num_replicas_in_sync = 1

    def __init__(self, count: int = 1) -> None:
        self.num_replicas_in_sync = count


def with_keras_3_7() -> None:
    """Look at a model of two replicas where Keras does not know of their losses."""
    older = mock.patch.object(tensors, "losses", SimpleNamespace())
    with older, mock.patch.object(keras, "__version__", "3.7.0"):
        replicas_of(Mirrored(2))


REPLICAS: dict[str, Callable[[], object]] = {
    "several replicas": lambda: replicas_of(SimpleNamespace(num_replicas_in_sync=2)),
    "several replicas with Keras 3.7": with_keras_3_7,
    "several replicas with Keras 2": lambda: replicas_of(
        SimpleNamespace(num_replicas_in_sync=2), Keras2
    ),
    "the scope of several replicas": lambda: supported.check_model(
        model_like(SimpleNamespace(num_replicas_in_sync=2)), "train", foreign=False
    ),
    "a ragged tensor for several replicas": lambda: cut(tf.ragged.constant([[1.0], []])),
    "R code under a strategy": lambda: supported.check_model(
        model_like(Mirrored()), "train", foreign=True
    ),
}

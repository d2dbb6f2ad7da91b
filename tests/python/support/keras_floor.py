"""The oldest Keras, where it cannot do what the others can."""

from __future__ import annotations

import keras
import pytest

KERAS_3_7 = keras.__version__.startswith("3.7.")
serves_replicas = pytest.mark.skipif(KERAS_3_7, reason="several replicas need Keras 3.8")

"""Flows of images whose R functions run in worker processes, as the engine reads them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from fitgenerator.images import ImageDataGenerator
from fitgenerator.r.worker_images import worked_source


def identity(image: Any) -> Any:
    return image


def test_a_checkpoint_within_an_epoch_knows_the_place_of_the_next_batch() -> None:
    images = np.arange(6.0).reshape(6, 1, 1, 1)
    flow = ImageDataGenerator().flow(images, batch_size=1, shuffle=False)
    pool: Any = SimpleNamespace(close=lambda: None)
    source = worked_source(flow.as_source("generator"), pool, 0, identity, "generator")
    assert source.train is not None
    first, resumed = source.train(), source.train()
    for reader in first, resumed:
        reader.begin(fresh=True, wrap=True, epoch=0, count=6)
    for _ in range(4):
        first.claim()
    spot = first.spot(4)
    assert spot == (0, 4)
    resumed.go_to(spot)
    assert resumed.claim().read().ravel() == [4.0]

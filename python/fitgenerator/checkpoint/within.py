"""Where an epoch stands: what a checkpoint knows of one that is not over."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..models.protocol import Logs

# What came of the training of an epoch: its logs, the order of their names in printed lines, steps.
Trained = tuple[Logs, list[str], int]


@dataclass(frozen=True)
class Within:
    """Where an epoch stands, or begins."""

    steps: int = 0  # that are done
    # Where the next batch is, as its source's reader knows it: a pass, and an index in that.
    spot: tuple[int, int] | None = None
    logs: Logs | None = None  # of the training, where all that is left is the validation
    order: list[str] = field(default_factory=list)  # of their names, in printed lines

    def described(self) -> dict[str, Any]:
        """What the file says of it, for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, note: Mapping[str, Any]) -> Within:
        """What the JSON entry of a file says; files of earlier versions are of ended epochs."""
        within = note.get("within")
        if within is None:
            return cls()
        spot = within["spot"]
        return cls(**{**within, "spot": None if spot is None else (spot[0], spot[1])})

    @property
    def trained(self) -> Trained | None:
        """What came of its training, where that is over."""
        return None if self.logs is None else (self.logs, self.order, self.steps)

    @property
    def sums(self) -> bool:
        """Whether what the metrics have added up is needed."""
        return self.begun and self.logs is None

    @property
    def begun(self) -> bool:
        """Whether something of the epoch is done."""
        return self.steps > 0


class Due:
    """When the next file is due: after so many steps, or seconds; never where both are `None`."""

    def __init__(self, every: int | None, seconds: float | None) -> None:
        self._every = every
        self._seconds = seconds
        self.written(0)

    def written(self, used: int) -> None:
        """A file has been written, or the training has begun, after so many batches."""
        self._used = used
        self._at = time.monotonic()

    def steps(self, used: int) -> int:
        """Steps since the last file, after so many batches."""
        return used - self._used

    def is_due(self, used: int) -> bool:
        """Whether one is due after so many batches."""
        if self._every is not None and used - self._used >= self._every:
            return True
        return self._seconds is not None and time.monotonic() - self._at >= self._seconds

"""The history of a call: Keras's own, with where the time went and whether all of it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from ..models.result_order import arranged
from .pipeline import Pipeline
from .progress_bar import figures_of


class History(keras.callbacks.History):
    """A `keras.callbacks.History`.

    Attributes:
        history: Metric name to one number per finished epoch.
        epoch: Numbers of the finished epochs, from 0.
        params: `verbose`, `epochs` and `steps` of the call.
        pipeline: Where the time went.
        validation_freq: After which epochs there was a validation, as it was asked for.
        order: Names of the metrics in the order of printed lines and plots: the loss first.
        broken_off: A callback stopped the last epoch before all of its steps were done.
        incomplete: The generator ended, or the call failed, before all epochs were trained.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.pipeline = Pipeline()
        self.validation_freq: int | Sequence[int] = 1
        self.order: list[str] = []
        self.broken_off = False
        self.incomplete = True

    def __str__(self) -> str:
        """What was trained, the metrics of the last epoch, and what limited the speed."""
        epochs, steps = (self.params or {}).get("epochs"), (self.params or {}).get("steps")
        if not self.epoch:
            return f"No epoch of {epochs} was finished."
        each = "" if steps is None else f" with {steps} steps each"
        first, last = self.epoch[0] + 1, self.epoch[-1] + 1
        which = f"epoch {last}" if first == last else f"epochs {first} to {last}"
        line = f"Trained {which} of {epochs}{each}."
        if self.incomplete:
            line += " The training is incomplete."
        values = {name: all_[-1] for name, all_ in self.history.items() if all_}
        return "\n".join([line, *figures_of(arranged(values, self.order)), self.pipeline.verdict])

    def plot(
        self, metrics: Sequence[str] | None = None, *, smooth: float = 0.0, log: bool = False
    ) -> list[Any]:
        """Draw each metric over the epochs, training and validation in one panel.

        A value that was not measured (`validation_freq`) has no point. One that is not finite, or
        with `log` not above 0, breaks the line, and a note says at which epochs.

        Args:
            metrics: Names of the metrics, without `val_`, in the order of the panels; `None`: all.
            smooth: How much of what was before is in each point of a smoothed line, which is drawn
                over the values: from 0, no such line, to below 1; 0.6 smooths over some five
                epochs. An exponential moving average, corrected for its beginning.
            log: Whether the values have a logarithmic axis.

        Returns:
            The matplotlib axes of the panels, of one figure, which `pyplot.show()` shows and
            `axes[0].figure.savefig(path)` saves.

        Raises:
            ArgumentError: There is no such metric, or `smooth` is no such number.
            SetupError: matplotlib is not installed.
        """
        from .plot_history import Epochs, draw

        shown = arranged(self.history, self.order)
        return draw(Epochs(shown, self.epoch, self.validation_freq), metrics, smooth, log)


_last: History | None = None


def last_history() -> History | None:
    """The history of the last `fit_generator` call, `None` before any.

    After an error or an interrupt it holds the epochs that were finished.
    """
    return _last


def remember(history: History) -> None:
    """Make `history` the last one."""
    global _last  # noqa: PLW0603 - one per session is what `last_history` means
    _last = history

"""The order of results: the loss, those of the outputs, then the metrics as compiled.

Keras 3 sorts its logs by name, and lists the losses of the outputs after the metrics; Keras 2 has
this order by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .protocol import KerasModel, Logs, Metric


def loss_first(model: KerasModel, outputs: Mapping[str, Metric]) -> list[str]:
    """The names of what a step returned, or of metrics, the losses first."""
    names = _flat(outputs)
    return list(dict.fromkeys([name for name in _losses(model) if name in names] + names))


def as_listed(
    model: KerasModel, logs: Mapping[str, Metric], metrics: Mapping[str, Metric]
) -> list[str]:
    """The names of `logs` in the order in which Keras's `evaluate` lists them.

    The model's `metrics` come first. Where they do not begin with the loss, they are a list of the
    model's own, and keep its order. What else its steps return follows by name.
    """
    names = _flat(metrics)
    known = loss_first(model, metrics) if names[:1] == _losses(model)[:1] else names
    return [*(name for name in known if name in logs), *sorted(set(logs) - set(known))]


def arranged(logs: Logs, order: Iterable[str]) -> Logs:
    """`logs` in an order; what this does not have comes last."""
    return {name: logs[name] for name in dict.fromkeys([*order, *logs]) if name in logs}


def _flat(metrics: Mapping[str, Metric]) -> list[str]:
    """The names of metrics; one of several values has its own."""
    found: list[str] = []
    for name, value in metrics.items():
        found += _flat(value) if isinstance(value, Mapping) else [name]
    return found


def _losses(model: KerasModel) -> list[str]:
    """The names of the loss, and of the losses of the outputs, in either version of Keras."""
    compiled: Any = getattr(model, "_compile_loss", None) or getattr(model, "compiled_loss", None)
    trackers = [getattr(model, "_loss_tracker", None), getattr(compiled, "_total_loss_mean", None)]
    metrics = [*filter(None, trackers), *getattr(compiled, "metrics", ())]
    return [metric.name for metric in metrics]

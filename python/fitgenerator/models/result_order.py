"""The order of results: the loss, those of the outputs, then the metrics as compiled.

Keras 3 sorts its logs by name, lists the losses of the outputs after the metrics, and the weighted
metrics of all outputs after the others; Keras 2 has this order by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import keras

from .protocol import KerasModel, Logs, Metric


def loss_first(model: KerasModel, outputs: Mapping[str, Metric]) -> list[str]:
    """The names of what a step returned, or of metrics, the losses first."""
    names = _by_output(model, _names(model, outputs))
    return list(dict.fromkeys([name for name in _losses(model) if name in names] + names))


def as_listed(
    model: KerasModel, logs: Mapping[str, Metric], metrics: Mapping[str, Metric]
) -> list[str]:
    """The names of `logs` in the order in which Keras's `evaluate` lists them.

    The model's `metrics` come first. Where they do not begin with the loss, they are a list of the
    model's own, and keep its order. What else its steps return follows by name.
    """
    names = _names(model, metrics)
    known = loss_first(model, metrics) if names[:1] == _losses(model)[:1] else names
    return [*(name for name in known if name in logs), *sorted(set(logs) - set(known))]


def arranged(logs: Logs, order: Iterable[str]) -> Logs:
    """`logs` in an order; what this does not have comes last."""
    return {name: logs[name] for name in dict.fromkeys([*order, *logs]) if name in logs}


# Whether `get_metrics_result` sorts by name, as that of Keras before 3.14.
_SORTS = "pythonify_logs" in keras.Model.get_metrics_result.__code__.co_names


def _names(model: KerasModel, metrics: Mapping[str, Metric]) -> list[str]:
    """The names of metrics, in the order in which the model lists them."""
    names = _flat(metrics)
    if not _SORTS or type(model).get_metrics_result is not keras.Model.get_metrics_result:
        return names
    own = [name for metric in model.metrics for name in _names_of(metric)]
    return [*(name for name in own if name in names), *(name for name in names if name not in own)]


def _names_of(metric: Any) -> list[str]:
    """The name of a metric; of compiled ones, all of their names, of which nothing is computed."""
    kinds = ("_flat_metrics", "_flat_weighted_metrics")
    if not all(hasattr(metric, kind) for kind in kinds):
        return [metric.name]
    nameless = {
        kind: [group and _without_values(group) for group in getattr(metric, kind)]
        for kind in kinds
    }
    return list(type(metric).result(SimpleNamespace(built=True, **nameless)))


def _without_values(group: Any) -> SimpleNamespace:
    metrics = [SimpleNamespace(name=metric.name, result=lambda: None) for metric in group.metrics]
    return SimpleNamespace(output_name=group.output_name, metrics=metrics)


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


def _by_output(model: KerasModel, names: list[str]) -> list[str]:
    """`names` with the compiled metrics of Keras 3, which follow the loss, output by output."""
    compiled: Any = getattr(model, "_compile_metrics", None)
    kinds = [getattr(compiled, kind, ()) for kind in ("_flat_metrics", "_flat_weighted_metrics")]
    places = [
        (output, getattr(group, "output_name", None))
        for groups in kinds
        for output, group in enumerate(groups)
        for _ in getattr(group, "metrics", ())
    ]
    listed = list(zip(places, names[1:], strict=False))
    if not all(name.startswith(f"{prefix}_") for (_, prefix), name in listed):
        return names  # of a step of the model's own, or of outputs without names
    ordered = sorted(listed, key=lambda entry: entry[0][0])
    return [*names[:1], *(name for _, name in ordered), *names[1 + len(listed) :]]

"""The variables that a training changes: what a checkpoint keeps of a model, and puts back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..models.keras_versions import classes, keras_version_of
from ..models.protocol import Array, KerasModel, Optimizer, Variable


@dataclass(frozen=True)
class Part:
    """Variables that belong together."""

    name: str  # what they are called in the file
    title: str  # what they are called in messages: "the model", "the optimizer Adam"
    variables: list[Variable]  # their order tells them apart, since names are numbered on

    def described(self) -> dict[str, Any]:
        """What the file says of them, for JSON."""
        variables = [
            [str(getattr(v, "path", None) or v.name), list(v.shape), type_of(v)]
            for v in self.variables
        ]
        return {"name": self.name, "title": self.title, "variables": variables}

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Names for the file, and values."""
        for number, variable in enumerate(self.variables):
            yield f"{self.name}/{number}", np.asarray(variable.numpy())


def parts_of(model: KerasModel) -> list[Part]:
    """All that a training changes: the model's variables, seeds included, and its optimizers'."""
    return [
        Part("model", "the model", list(model.variables)),
        *(Part(n, f"the optimizer {_kind(o)}", _variables(o)) for n, o in _optimizers(model)),
    ]


def metrics_of(model: KerasModel) -> Part:
    """What the metrics have added up."""
    variables = [variable for metric in model.metrics for variable in metric.variables]
    return Part("metrics", "the metrics", variables)


def seeds() -> list[Part]:
    """Keras's global seed generator, from which unseeded `keras.random` functions draw."""
    from keras.src.backend.common import global_state

    generator = global_state.get_global_attribute("global_seed_generator")
    return [] if generator is None else [_seeds_of(generator.state)]


def _seeds_of(state: Variable) -> Part:
    return Part("seeds", "the global seed generator", [state])


def _optimizers(model: KerasModel) -> Iterator[tuple[str, Any]]:
    """The optimizer, and those that a model with a train step of its own has as attributes."""
    seen: set[int] = set()
    kinds = classes("optimizers.Optimizer") + classes("optimizers.legacy.Optimizer")
    # What Keras lists once more has a private name, and comes last.
    others = sorted(vars(model).items(), key=lambda item: item[0].startswith("_"))
    held = [("optimizer", getattr(model, "optimizer", None)), *others]
    while held:
        name, value = held.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, kinds):
            yield name, value
        elif isinstance(value, classes("Model")):
            held.append((f"{name}.optimizer", getattr(value, "optimizer", None)))
        elif isinstance(value, list | tuple):
            held += [(f"{name}[{place}]", each) for place, each in enumerate(value)]
        elif isinstance(value, dict):
            held += [(f"{name}[{key!r}]", each) for key, each in value.items()]


def _variables(optimizer: Optimizer) -> list[Variable]:
    """The variables, which the older optimizers of Keras 2 give when called."""
    given = optimizer.variables
    return list(given() if callable(given) else given)


def type_of(variable: Variable) -> str:
    """The name of a variable's type."""
    return str(getattr(variable.dtype, "name", variable.dtype))


def _kind(optimizer: Optimizer) -> str:
    inner = getattr(optimizer, "inner_optimizer", None)
    name = type(optimizer).__name__
    return name if inner is None else f"{name} around {_kind(inner)}"


def restored(
    model: KerasModel, described: list[dict[str, Any]], arrays: Mapping[str, Array], path: Path
) -> list[tuple[Variable, Array]]:
    """The variables, each with the value that it has in the file at `path`; none is assigned.

    Raises:
        ArgumentError: The file does not fit the model; the message says where.
    """
    parts = _parts_like(model, described)
    misfit = _other_titles(parts, described) or _other_variables(parts[:1], described[:1])
    if misfit is None:
        _build_optimizers(model, described, path)
        parts = _parts_like(model, described)
        misfit = _other_variables(parts, described)
    if misfit is not None:
        raise unfit(path, misfit)
    values = []
    for part in parts:
        for number, variable in enumerate(part.variables):
            array = arrays[f"{part.name}/{number}"]
            values.append((variable, like(variable, array)))
            if _is_whole(type_of(variable)) and not np.array_equal(values[-1][1], array):
                what = f"variable {number + 1} of {part.title} is too large in it"
                raise unfit(path, f"{what} for the type {type_of(variable)}")
    return values


def restored_metrics(
    model: KerasModel, described: dict[str, Any], arrays: Mapping[str, Array], path: Path
) -> list[tuple[Variable, Array]]:
    """The variables of the metrics, which exist by now, each with its value in the file.

    Raises:
        ArgumentError: The model has other metrics.
    """
    part = metrics_of(model)
    misfit = _other_variables([part], [described])
    if misfit is not None:
        raise unfit(path, misfit)
    return [(v, like(v, arrays[f"{part.name}/{n}"])) for n, v in enumerate(part.variables)]


def unfit(path: Path, misfit: str) -> ArgumentError:
    """The error for a file that is not of this model."""
    return ArgumentError(
        f"`path`: {path} does not fit the model: {misfit}. Give the model that it was written "
        "for, or another path, or remove the file to begin anew.",
        argument="path",
    )


def _parts_like(model: KerasModel, described: list[dict[str, Any]]) -> list[Part]:
    """The parts of a model, with the global seed generator if the file has it."""
    parts = parts_of(model)
    if any(saved["name"] == "seeds" for saved in described):
        from keras.src.random.seed_generator import global_seed_generator

        parts.append(_seeds_of(global_seed_generator().state))
    return parts


def _build_optimizers(model: KerasModel, described: list[dict[str, Any]], path: Path) -> None:
    """Make variables for what was saved, where a step would only make them later."""
    saved = {part["name"]: len(part["variables"]) for part in described}
    for name, optimizer in _optimizers(model):
        built = getattr(optimizer, "built", getattr(optimizer, "_built", False))
        if built or saved.get(name, 0) <= len(_variables(optimizer)):
            continue  # one that is never used has none
        if optimizer is not model.optimizer:
            raise ArgumentError(
                f"The model's `{name}` has no variables yet, which {path} could be restored to: "
                f"call {name}.build(variables) before the training."
            )
        with keras_version_of(model).backend.variable_scope(model):
            build = getattr(optimizer, "build", None) or optimizer._create_all_weights
            build(model.trainable_variables)


def _other_titles(parts: list[Part], saved: list[dict[str, Any]]) -> str | None:
    """Which optimizers the file has, if the model has others."""
    titles, came = [part.title for part in parts[1:]], [part["title"] for part in saved[1:]]
    if titles == came:
        return None
    return f"it was written with {_listed(came)}, where there is {_listed(titles)}"


def _other_variables(parts: list[Part], saved: list[dict[str, Any]]) -> str | None:
    """The first variable in the file that is not what the model has."""
    for part, other in zip(parts, saved, strict=True):
        mine = part.described()["variables"]
        if len(other["variables"]) != len(mine):
            held = f"{len(other['variables'])} variables of {part.title}"
            return f"it holds {held}, which has {len(mine)}"
        pairs = zip(mine, other["variables"], strict=True)
        for number, ((path, *form), (old_path, *old_form)) in enumerate(pairs, 1):
            if form != old_form and not _is_alike(form, old_form):
                held, expected = _variable(old_path, *old_form), _variable(path, *form)
                what = f"variable {number} of {part.title} is {held} in it"
                return f"{what}, where {expected} was expected"
    return None


def _listed(titles: list[str]) -> str:
    return " and ".join(titles) or "no optimizer"


def _variable(path: str, shape: list[int], dtype: str) -> str:
    return f"{path} of shape {tuple(shape)} and type {dtype}"


def like(variable: Variable, array: Array) -> Array:
    """`array` as it was, where it was written as bits; whole numbers in the variable's type."""
    kind = type_of(variable)
    if array.dtype.name == kind:
        return array
    return array.astype(kind) if _is_whole(kind) else array.view(variable.numpy().dtype)


def _is_alike(form: list[Any], other: list[Any]) -> bool:
    """Whether two forms differ in the type of whole numbers alone, which a backend chooses."""
    return form[0] == other[0] and _is_whole(form[1]) and _is_whole(other[1])


def _is_whole(kind: str) -> bool:
    return kind.startswith(("int", "uint"))

"""Prints the figures of the Python package's structure; tools/check runs it.

    python tools/lib/structure.py [PACKAGE_FOLDER]     counted in the sources
    python tools/lib/structure.py --way                a batch's way, traced in a real training

A figure above its limit makes the script fail. Imports inside functions and imports for typing
count as imports. A class's attributes are the fields of its body and all that its methods set on
`self`; frozen dataclasses (options) are not counted.
"""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[2] / "python" / "fitgenerator"
QUEUE = PACKAGE / "host" / "signal_safe_queue.py"
MANY_ATTRIBUTES = 10
# Figure: its limit, of which `None` has none.
LIMITS: dict[str, float | None] = {
    "modules in the top folder": 12,
    "modules in circles of imports": 0,
    "lines of prefetching": 800,
    "classes with more than ten attributes": 5,
    "parameters typed Any or object, percent": 12,
    "lines in all": 25_400,
    "longest file, lines": 400,
}
WAY_LIMITS: dict[str, float | None] = {
    "packages on a batch's way": 9,
    "most entries into one of them": 2,
}


# -- counted in the sources ---------------------------------------------------------------------


def modules_of(package: Path) -> dict[str, ast.Module]:
    """Every module by its dotted name in the package; `__init__` by that of its folder."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(path.read_text("utf-8"))
    return modules


def imports_of(name: str, package: bool, tree: ast.Module, known: set[str]) -> set[str]:
    """The modules of the same package that a module imports, wherever it does."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = name.split(".") if name else []
            parts = parts[: len(parts) - (node.level - package)] if node.level > package else parts
            base = ".".join([*parts, *(node.module.split(".") if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                found.add(inner if inner in known else base)
    return (found & known) - {name}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, directly or not."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for target in graph[todo.pop()] - seen:
                seen.add(target)
                todo.append(target)
        return seen

    reach = {name: reached(name) for name in graph}
    groups = {
        tuple(sorted({name} | {other for other in reach[name] if name in reach[other]}))
        for name in graph
        if name in reach[name]
    }
    return [list(group) for group in sorted(groups)]


def classes_of(modules: dict[str, ast.Module]) -> Iterator[tuple[str, int]]:
    """Every class that is no frozen dataclass, with its number of attributes."""
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not _is_frozen(node):
                yield f"{name}.{node.name}", len(_attributes(node))


def _is_frozen(node: ast.ClassDef) -> bool:
    return any("frozen=True" in ast.unparse(decorator) for decorator in node.decorator_list)


def _attributes(node: ast.ClassDef) -> set[str]:
    found = {
        target.id
        for statement in node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(target := statement.target, ast.Name)
    }
    for inner in ast.walk(node):
        if not isinstance(inner, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            continue
        targets = inner.targets if isinstance(inner, ast.Assign) else [inner.target]
        for target in (leaf for top in targets for leaf in ast.walk(top)):
            stored = isinstance(target, ast.Attribute) and isinstance(target.ctx, ast.Store)
            if stored and ast.unparse(target.value) == "self":
                found.add(target.attr)
    return found


def parameters_of(modules: dict[str, ast.Module]) -> Iterator[str]:
    """The annotation of every parameter of every function, `self` and `cls` apart."""
    for tree in modules.values():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                given = node.args
                extra = [part for part in (given.vararg, given.kwarg) if part is not None]
                for part in [*given.posonlyargs, *given.args, *given.kwonlyargs, *extra]:
                    if part.annotation is not None:
                        yield ast.unparse(part.annotation)


def counted(package: Path) -> tuple[dict[str, float], list[str]]:
    """The figures, and what to look at where one is too high."""
    modules = modules_of(package)
    folders = {n for n in modules if n == "" or (package / n.replace(".", "/")).is_dir()}
    known = set(modules)
    graph = {n: imports_of(n, n in folders, tree, known) for n, tree in modules.items()}
    rings = circles(graph)
    large = [(name, count) for name, count in classes_of(modules) if count > MANY_ATTRIBUTES]
    annotations = list(parameters_of(modules))
    loose = sum(a in ("Any", "object") for a in annotations)
    sizes = {path: len(path.read_text("utf-8").splitlines()) for path in package.rglob("*.py")}
    prefetching = [n for path, n in sizes.items() if path.parent.name == "prefetch"]
    figures = {
        "modules in the top folder": len(list(package.glob("*.py"))),
        "modules in circles of imports": sum(map(len, rings)),
        "lines of prefetching": sum(prefetching),
        "classes with more than ten attributes": len(large),
        "parameters typed Any or object, percent": 100 * loose / max(1, len(annotations)),
        "lines in all": sum(sizes.values()),
        "longest file, lines": max(sizes.values()),
    }
    notes = [f"  a circle: {', '.join(ring)}" for ring in rings]
    notes += [f"  {count} attributes: {name}" for name, count in sorted(large)]
    return figures, notes


# -- traced -------------------------------------------------------------------------------------


class Way:
    """Writes down, thread by thread, every call from one package of ours into another.

    Code that is not ours (the standard library, the user's) counts for whoever of us called it. So
    does the queue between threads: to put something into it is no entry into the package in whose
    folder it lies, as it would be none with a queue of the standard library.

    Args:
        marks: Functions whose calls are written down by a mark, too.
    """

    def __init__(self, marks: dict[Any, str]) -> None:
        self.log: list[tuple[int, str | None, str | None]] = []  # thread, package, mark
        self._marks = {function.__code__: mark for function, mark in marks.items()}
        self._rooms: dict[str, str | None] = {}

    def note(self, room: str | None, mark: str | None) -> None:
        """Write down the package that is entered, and the place that a batch has come to."""
        self.log.append((threading.get_ident(), room, mark))

    def profile(self, frame: Any, event: str, _: Any) -> None:
        """Note a call, for `sys.setprofile`."""
        if event != "call" or (here := self._room(frame)) is None:
            return
        caller = frame.f_back
        while caller is not None and self._room(caller) is None:
            caller = caller.f_back
        entered = here if caller is None or self._room(caller) != here else None
        mark = self._marks.get(frame.f_code)
        if entered or mark:
            self.note(entered, mark)

    def _room(self, frame: Any) -> str | None:
        """The sub-package that a frame's code is of; `None` for code that is not ours."""
        file = frame.f_code.co_filename
        if file not in self._rooms:
            path = Path(file)
            ours = PACKAGE in path.parents and path != QUEUE
            parts = path.relative_to(PACKAGE).parts if ours else ()
            self._rooms[file] = (parts[0] if len(parts) > 1 else path.stem) if ours else None
        return self._rooms[file]

    def entries(self, batch: int) -> list[str]:
        """The packages that the batch with that number, from 1, came into, from claim to step.

        On its source's thread that is everything from the fetch of one batch to that of the next,
        since a batch is claimed there when the one before is done. On the model's thread it begins
        with the batch's way out of the queue, and ends with the call of its step.
        """
        places = {
            mark: [place for place, (_, _, what) in enumerate(self.log) if what == mark]
            for mark in (FETCH, TAKE, STEP)
        }
        source, model = (self.log[places[mark][0]][0] for mark in (FETCH, STEP))
        legs = [(model, places[TAKE][batch - 1], places[STEP][batch - 1])]
        if source != model:
            legs.append((source, places[FETCH][batch - 1], places[FETCH][batch]))
        return [
            room
            for thread, begin, end in legs
            for where, room, _ in self.log[begin : end + 1]
            if where == thread and room is not None
        ]


FETCH, TAKE, STEP = "source gives a batch", "queue is asked for one", "step is called"


def traced(queue: int) -> list[str]:
    """The entries of one batch, in a training with a queue of that size."""
    import fitgenerator
    import keras
    import numpy as np
    from fitgenerator.prefetch.prefetcher import Prefetcher
    from fitgenerator.steps.tensorflow.compiled_steps import TracedGraph

    way = Way({Prefetcher.take: TAKE, TracedGraph.__call__: STEP})
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")

    def batches() -> Iterator[Any]:
        while True:
            way.note(None, FETCH)
            yield np.ones((4, 2)), np.ones((4, 1))

    source = batches()
    sys.setprofile(way.profile)
    threading.setprofile(way.profile)
    try:
        fitgenerator.fit_generator(
            model, source, 30, max_queue_size=queue, verbose=0, timeout=None, jit_compile=False
        )
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return way.entries(15)


def ways() -> dict[str, float]:
    """The figures of a batch's way with the queue as it is by default; lock-step's are printed."""
    figures: dict[str, float] = {}
    for name, queue in (("in lock-step", 0), ("with a queue", 10)):
        entries = traced(queue)
        counts = {room: entries.count(room) for room in sorted(set(entries))}
        print(f"  {name}: " + ", ".join(f"{room} {count}" for room, count in counts.items()))
        figures = {
            "packages on a batch's way": len(counts),
            "most entries into one of them": max(counts.values()),
        }
    return figures


# -- what is printed ----------------------------------------------------------------------------


def report(figures: dict[str, float], limits: dict[str, float | None]) -> bool:
    """Print the figures beside their limits; whether all are within."""
    fine = True
    for name, figure in figures.items():
        limit = limits[name]
        over = limit is not None and figure > limit
        fine = fine and not over
        bound = "" if limit is None else f"  (at most {limit:,g})"
        print(f"{name:<42}{round(figure, 1):>9,}{bound}{'  TOO HIGH' if over else ''}")
    return fine


def main(arguments: list[str]) -> int:
    """Print what is asked for; 1 where a figure is too high."""
    if arguments == ["--way"]:
        return 0 if report(ways(), WAY_LIMITS) else 1
    figures, notes = counted(Path(arguments[0]).resolve() if arguments else PACKAGE)
    fine = report(figures, LIMITS)
    print("\n".join(notes))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A graph of TensorFlow's again, with the shapes that given inputs lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

Shape = Sequence[int | None] | None  # `None`: not even the number of dimensions is known


def with_shapes(definition: Any, shapes: Mapping[str, Shape]) -> tf.Graph:
    """The graph of a definition with shapes, where the inputs of these names have these.

    TensorFlow infers the others. It does not look into the functions that are called: what they
    return has the shapes that it had when it was traced.

    Raises:
        ValueError: the shapes do not go together.
    """
    for node in definition.node:
        shape = shapes.get(node.name)
        if shape is not None and node.op == "Placeholder":
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
            node.attr.pop("_output_shapes", None)
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(definition, name="")
    return graph


def functions_of(node: Any) -> list[str]:
    """The names of the functions that a node calls."""
    names: list[str] = []
    for value in node.attr.values():
        if value.HasField("func"):
            names.append(value.func.name)
        elif value.HasField("list"):
            names += [each.name for each in value.list.func]
    return names


def function_graph(graph: tf.Graph, name: str) -> tf.Graph | None:
    """The graph of one of a graph's functions; `None` where TensorFlow does not tell."""
    return getattr(graph._get_function(name), "graph", None)

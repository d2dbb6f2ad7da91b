"""What generators and flows show of themselves when they are printed."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..augmenter import Augmenter
    from .base import Iterator


def of_generator(generator: Augmenter) -> str:
    """The arguments that are not as they are by default."""
    from ..augmenter import Augmenter

    plain = Augmenter()
    shown = []
    for argument in (field.name for field in fields(Augmenter)):
        value = getattr(generator, argument)
        if value != getattr(plain, argument):
            shown.append(f"{argument}={getattr(value, '__name__', None) or repr(value)}")
    return f"{type(generator).__name__}({', '.join(shown)})"


def of_flow(flow: Iterator) -> str:
    """How many images, of which size, in which batches."""
    classes = getattr(flow, "class_indices", None)
    among = f" of {len(classes)} classes" if classes else ""
    order = "shuffled" if flow.shuffle else "in order"
    size = " x ".join(map(str, flow.image_shape))
    return (
        f"<{type(flow).__name__}: {flow.n} images{among}, {size}, {order}; "
        f"batches of {flow.batch_size}, {len(flow)} in a pass>"
    )

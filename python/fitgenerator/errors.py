"""The errors and warnings of fitgenerator: what each means, and the fields that it carries.

An error that the user's own code raised is never wrapped: the same object reaches the caller. Where
it happened is attached to that object: as fields, an `ErrorContext`, from which R makes its
conditions; and as a note, a sentence made of these fields, which Python shows below the error.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from .messages import Message

if TYPE_CHECKING:
    from typing_extensions import Self

# The attribute of an exception, the user's own ones included, that holds its context.
_ATTRIBUTE = "fitgenerator_context"

Stage = Literal["made", "trained on", "evaluated", "predicted"]


@dataclass(frozen=True)
class ErrorContext:
    """Where an error happened; a field that does not apply is `None`.

    Attributes:
        place: The argument that gave the batch, such as "generator" or "validation_data".
        batch: The number of the batch, counted from 1 over all batches of its source; the first and
            the last number if one call of a compiled function ran several batches.
        stage: What happened to the batch. A batch is "made" by its source and by the conversion.
        image: The image that was processed: the path of its file, or its number in the flow,
            counted from 1.
        callback: The class of the callback that raised the error.
        hook: The callback's method, such as "on_epoch_end".
        vector_inputs: Inputs have one dimension where the model, or the targets, need more.
    """

    place: str | None = None
    batch: int | tuple[int, int] | None = None
    stage: Stage | None = None
    image: int | str | None = None
    callback: str | None = None
    hook: str | None = None
    vector_inputs: bool = False

    def note(self) -> str:
        """The context as a sentence; empty where it names no place."""
        if self.hook is not None:
            return f"Raised by the callback {self.callback} in {self.hook}()."
        if isinstance(self.batch, tuple):
            first, last = self.batch
            return f"While batches {first} to {last} of `{self.place}` were {self.stage}."
        if self.batch is not None:
            return f"While batch {self.batch} of `{self.place}` was {self.stage}."
        if isinstance(self.image, int):
            return f"While image {self.image} of the flow was processed."
        if self.image is not None:
            return f"While the file {self.image} was processed."
        return "" if self.place is None else f"While a pass of `{self.place}` began or ended."

    def within(self, outer: ErrorContext) -> ErrorContext:
        """The context `outer`, with the image of this one, which belongs to the batch of `outer`.

        If this context has a stage or a hook, a call within the outer call has set it (a generator
        may train a model): then it does not count.
        """
        if self.stage is not None or self.hook is not None:
            return outer
        image = self.image if outer.image is None else outer.image
        return replace(outer, image=image, vector_inputs=self.vector_inputs or outer.vector_inputs)


class OwnError(Exception):
    """Base of the errors that fitgenerator raises itself.

    Args:
        text: What the error says.
        argument: The name of the argument to blame, if there is exactly one.
        context: Where it happened, if the place that raises the error knows that.
    """

    def __init__(
        self, text: str = "", *, argument: str | None = None, context: ErrorContext | None = None
    ) -> None:
        super().__init__(text)
        self.argument = argument
        if context is not None:
            setattr(self, _ATTRIBUTE, context)

    @classmethod
    def of(cls, argument: str, rule: str, /, **values: object) -> Self:
        """The error whose text is an argument's name, followed by what the argument must be.

        If there are `values`, `rule` is the template of a `Message`, else a plain text.
        """
        said = Message(rule, **values) if values else rule
        return cls(Message("`{argument}` {rule}", argument=argument, rule=said), argument=argument)


class ArgumentError(OwnError, ValueError):
    """An argument's value cannot be used; `argument` is its name, if a single one is to blame."""


class ArgumentTypeError(OwnError, TypeError):
    """An argument is of a type that cannot be used; `argument` is its name."""


class BatchError(OwnError, ValueError):
    """The generator returned something that is not a batch."""


class EndedError(OwnError, ValueError):
    """The generator had nothing to give where at least one batch was needed."""

    @classmethod
    def at_once(cls, place: str, purpose: str) -> Self:
        """The error for a source that gave no batch; `purpose` is what a batch was needed for."""
        text = f"`{place}` ended before its first batch: there is nothing to {purpose}."
        return cls(text, context=ErrorContext(place))


class GeneratorTimeoutError(OwnError, TimeoutError):
    """The generator gave no batch within `timeout` seconds."""

    @classmethod
    def at(cls, stack: str, text: str, context: ErrorContext | None = None) -> Self:
        """The error for code that stands at `stack`: lines of text, empty if that is unknown."""
        return cls(f"{text} It stands at:\n{stack}" if stack else text, context=context)

    @classmethod
    def of_batch(cls, place: str, batch: int | None, seconds: float | None, stack: str) -> Self:
        """The error for a batch that takes too long; `None`: for the end of a pass."""
        within = f"within {seconds:g} seconds (`timeout`)."
        if batch is None:
            text = f"`{place}` did not return from on_epoch_end() {within}"
            return cls.at(stack, text, ErrorContext(place))
        text = f"`{place}` gave no batch {batch} {within}"
        return cls.at(stack, text, ErrorContext(place, batch, "made"))


class WorkerError(OwnError, RuntimeError):
    """What makes batches outside of this process has died, or is broken."""


class ProcessError(OwnError, RuntimeError):
    """Another process of a training on several machines has failed, or is lost."""


class SetupError(ImportError):
    """Something is missing or too old, or the process is a fork in which TensorFlow cannot run."""


class ImageError(ValueError):
    """A file holds no image that can be read."""


class LeftOutError(ImageError):
    """No image of a batch can be read: the next batch takes its place.

    `of_pass` is the text for a pass without images.
    """

    def __init__(self, text: str, of_pass: str) -> None:
        super().__init__(text)
        self.of_pass = of_pass


class Terminated(SystemExit):
    """SIGTERM stopped a training that a `Checkpoint(on_signal=True)` keeps; ends a script with 143.

    As a `SystemExit`, it passes by `except Exception`.
    """

    def __init__(self, text: str = "SIGTERM came: the training was stopped.") -> None:
        super().__init__(text)
        self.code = 128 + 15  # as a shell tells of a process that SIGTERM has ended


class EndedEarlyWarning(UserWarning):
    """The generator ended before the batches that were asked for had come."""


class FormerArgumentWarning(UserWarning):
    """An argument was given by the name that it had in an earlier version of Keras."""


class AbandonedThreadWarning(UserWarning):
    """A generator did not return from foreign code; its thread was cut off and left behind."""


class ImageWarning(UserWarning):
    """Images are left out, or are not what was asked for."""


class StepsWarning(UserWarning):
    """A number of batches is not used as it was given."""


class ShuffledWarning(UserWarning):
    """Predictions come in an order that nobody knows: their source shuffles."""


class TrainableWarning(UserWarning):
    """Layers were frozen or thawed without `compile()`, which has no effect on the training."""


class LiveViewWarning(UserWarning):
    """The page of a live view could not be saved."""


class WorkersWarning(UserWarning):
    """`workers` has no effect on an R function that is not called with the number of a batch."""


class CheckpointWarning(UserWarning):
    """A checkpoint has fewer files than were asked for.

    They are written after epochs only, or the last one could not be written.
    """


class ClosedError(Exception):
    """The call is over: unwinds our own threads, and never reaches a caller."""


Warned = tuple[str, type[UserWarning]]  # text and class


class Warns(ABC):
    """A source that may have to warn, but must not on a background thread that reads it."""

    @abstractmethod
    def take_warnings(self) -> list[Warned]:
        """What there is to warn of since the last time."""


def context_of(error: BaseException) -> ErrorContext:
    """Where `error` happened, as far as that is known."""
    with suppress(Exception):
        context = getattr(error, _ATTRIBUTE, None)
        if isinstance(context, ErrorContext):
            return context
    return ErrorContext()


def locate(error: BaseException, context: ErrorContext) -> None:
    """Attach to `error` where it happened: as fields, and as a note, once.

    An error whose own text names the place gets no note. An error that takes neither, because its
    class forbids attributes or overrides `add_note`, stays as it is.
    """
    with suppress(Exception):
        setattr(error, _ATTRIBUTE, context_of(error).within(context))
    with suppress(Exception):
        note = context.note()
        told = isinstance(error, ImageError) and context.batch is None
        told = told or isinstance(error, GeneratorTimeoutError)
        if not told and note and note not in getattr(error, "__notes__", ()):
            add_note(error, note)


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an error, which Python 3.10 keeps but does not show."""
    if sys.version_info >= (3, 11):
        error.add_note(note)
    else:
        error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined]

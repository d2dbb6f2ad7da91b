"""The text of every error and warning is as it was read and approved, in error_texts.md.

After a change run `tools/test python tests/python/promises/test_error_texts.py` with
FITGENERATOR_UPDATE_TEXTS=1, then read what changed: does it say what was expected, what came,
where, and what to do?
"""

from __future__ import annotations

import ast
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import fitgenerator
import pytest
from fitgenerator import errors
from fitgenerator.batches import arrays
from support.tiny_trainings import catch, shown

pytest.importorskip("rpy2", reason="rpy2 is not installed")
from support.refusals import ERRORS, WARNINGS

TEXTS = Path(__file__).with_name("error_texts.md")
CODE = Path(fitgenerator.__file__).parent
HEAD = "# The text of every error and warning\n\nWritten by test_error_texts.py; see there.\n"
OURS = {
    name
    for module in (errors, arrays)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Exception) and name != "ClosedError"
}
# Functions that make one of them.
MAKERS = ("_no_source", "_no_targets", "_empty")
# What other packages say is theirs to change.
FOREIGN = [
    (r"(cannot become a tensor: ).*?(\)|values)\.", r"\1(TensorFlow's reason)."),
    (r"(cannot be taken apart: ).*", r"\1(the reason)."),
    (r'File ".*/(\w+\.py)", line \d+', r'File "\1", line ...'),
    (r"(sequential|dense)_\d+", r"\1"),
    (r"dial 127.0.0.1, port \d+", "dial 127.0.0.1, port ..."),
    (r"/\S*/(saved\.npz|pictures)", r"\1"),
    (r"(decompression bomb\)|truncated image|What failed): .*?(\.|;)$", r"\1: (why)\2"),
    (re.escape(sys.executable), "python"),
]


def raised(call: Callable[[], object]) -> Exception:
    """What a call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any; its text is looked at
        call()
    return caught.value


@cache
def caught_error(name: str) -> Exception:
    """What is raised for one entry of `ERRORS`."""
    return raised(ERRORS[name])


@cache
def said_by(name: str) -> str:
    """What a user reads of one entry."""
    if name in ERRORS:
        error = caught_error(name)
        text = f"{type(error).__name__}: {shown(error).strip()}"
    else:
        (warning,) = catch(WARNINGS[name])
        text = f"{warning.category.__name__}: {warning.message}"
    for pattern, replacement in FOREIGN:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.fixture(scope="module", autouse=True)
def nothing_is_kept() -> Iterator[None]:
    """The errors hold all that their calls had made."""
    yield
    caught_error.cache_clear()


def approved() -> dict[str, str]:
    """The texts in the file, by name."""
    entries = TEXTS.read_text("utf-8").split("\n## ")[1:]
    return {name: text.strip() for name, text in (e.split("\n", 1) for e in entries)}


def test_E2_every_text_is_as_it_was_approved() -> None:
    said = {name: said_by(name) for name in (*ERRORS, *WARNINGS)}
    if os.environ.get("FITGENERATOR_UPDATE_TEXTS"):
        entries = (f"\n## {name}\n\n{text}\n" for name, text in said.items())
        TEXTS.write_text(HEAD + "".join(entries), "utf-8")
    assert said == approved()


@pytest.mark.parametrize("name", [*ERRORS, *WARNINGS])
def test_E2_every_text_is_short_and_a_sentence(name: str) -> None:
    text = said_by(name)
    assert text.split(":")[0] in OURS
    assert len(text) < 700
    sentence = text.split(": ", 1)[1]
    assert sentence[0] == "`" or sentence[0].isupper()
    assert sentence.splitlines()[0].endswith((".", " It stands at:"))


@pytest.mark.parametrize("name", ERRORS)
def test_an_argument_with_which_a_text_begins_is_a_field_of_the_error(name: str) -> None:
    error = caught_error(name)
    named = re.match(r"`(\w+)`(?! and `)", str(error))
    if isinstance(error, (errors.ArgumentError, errors.ArgumentTypeError)) and named:
        assert error.argument == named[1]


# -- is everything there? -----------------------------------------------------------------------


def raise_sites() -> Iterator[tuple[str, int, int]]:
    """File, first and last line of every statement that raises an error of ours."""
    for path in sorted(CODE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
                continue
            made = node.exc.func  # ArgumentError(...), or ArgumentError.of(...)
            names = {getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(made)}
            if names & {*OURS, *MAKERS}:
                yield str(path), node.lineno, node.end_lineno or node.lineno


def places(error: BaseException | None) -> Iterator[tuple[str, int]]:
    """The lines of our code that an error, and those behind it, came through."""
    if error is not None:
        for frame in traceback.extract_tb(error.__traceback__):
            yield frame.filename, frame.lineno or 0
        yield from places(error.__cause__)
        yield from places(error.__context__)


def test_every_statement_that_raises_has_its_text_here() -> None:
    seen: set[Any] = {place for name in ERRORS for place in places(caught_error(name))}
    missing = [
        f"{file}:{first}"
        for file, first, last in raise_sites()
        if not any((file, line) in seen for line in range(first, last + 1))
    ]
    assert "\n".join(missing) == ""

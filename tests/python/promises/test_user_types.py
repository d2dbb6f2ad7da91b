"""The package is typed: `mypy --strict` takes a user's script, and finds what is wrong in one."""

from __future__ import annotations

from pathlib import Path

import pytest

mypy = pytest.importorskip("mypy.api")
SCRIPT = Path(__file__).parents[1] / "support" / "program_typed.py"


def check(script: Path, cache: Path) -> str:
    """What mypy says, as a user would run it: without this project's settings."""
    said: str = mypy.run(["--strict", "--config-file=", f"--cache-dir={cache}", str(script)])[0]
    return said


def test_a_user_s_script_passes_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    said = check(SCRIPT, tmp_path / "cache")
    assert said.startswith("Success"), said
    wrong = tmp_path / "wrong.py"
    text = (
        SCRIPT.read_text("utf-8").replace("epochs=2", "nb_epoch=2").replace("steps=3", "steps='3'")
    )
    wrong.write_text(text, "utf-8")
    said = check(wrong, tmp_path / "cache")
    assert 'Unexpected keyword argument "nb_epoch"' in said
    assert '"steps" to "evaluate_generator" has incompatible type "str"' in said

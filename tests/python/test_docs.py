"""The pages show code that runs.

Of README.md, all code is run as it is printed: this file runs its Python blocks, testthat its R
blocks. Of the other pages, every block marked "python" is run. A block that is only a part of a
program (its model is another, its files are the reader's) is marked "py" there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import fitgenerator
import pytest
from support import (
    pictures,
    r_code,  # noqa: F401  (R starts here: its warnings would fail a page)
)

ROOT = next(p for p in Path(__file__).parents if (p / "pyproject.toml").exists())
PAGES = ["docs/python/index.md", "docs/python/guide.md", "docs/python/tracking.md"]


def blocks_of(page: str, *languages: str) -> list[str]:
    """The code of a page's blocks that are marked with one of the languages, in order."""
    fence = rf"^```(?:{'|'.join(languages)})\n(.*?)^```$"
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(fence, text, re.MULTILINE | re.DOTALL)


def test_the_python_programs_of_readme_run_as_printed(
    tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    """A fresh process runs them from top to bottom, in a folder with the images that they name."""
    pictures.write_classes(tmp_path / "photos", cat=2, dog=2)
    program = tmp_path / "readme.py"
    program.write_text("\n".join(blocks_of("README.md", "py", "python")), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=clean_environment,
    )
    assert done.returncode == 0, done.stderr
    # The Python generator and the R function train for 5 epochs, the image flow for 10.
    assert [done.stdout.count(line) for line in ("Epoch 5/5 ", "Epoch 10/10 ")] == [2, 1]
    assert "250 steps" in done.stdout  # of `history.pipeline`


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page}
    for block in blocks_of(page, "python"):
        exec(compile(block, page, "exec"), names)
    assert "Epoch 1/" in capsys.readouterr().out


def test_the_reference_has_every_public_name() -> None:
    text = (ROOT / "docs/python/reference.rst").read_text(encoding="utf-8")
    shown = re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)", text, re.MULTILINE)
    assert sorted(shown) == sorted([*fitgenerator.__all__, *fitgenerator.images.__all__])


def test_the_site_has_every_page_of_the_manual() -> None:
    listed = set(
        re.findall(r"^  - (\S+)$", (ROOT / "_pkgdown.yml").read_text("utf-8"), re.MULTILINE)
    )
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "man").glob("*.Rd")]
    missing = [page for page in pages if not listed & set(re.findall(r"\\alias\{(.+)\}", page))]
    assert [re.findall(r"\\name\{(.+)\}", page) for page in missing] == []

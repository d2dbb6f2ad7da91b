"""The pages show code that runs: every block marked "python" of a page, one after the other.

What is only a part of a program (its model is another, its files are the reader's) is marked "py".
"""

from __future__ import annotations

import re
from pathlib import Path

import fitgenerator
import pytest
from support import r_code  # noqa: F401  (R starts here: the warnings of its start would fail a page)

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/python/index.md", "docs/python/guide.md"]
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = FENCE.findall((ROOT / page).read_text(encoding="utf-8"))
    names: dict[str, object] = {"__name__": page}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    assert blocks
    assert "Epoch 1/" in capsys.readouterr().out


def test_the_reference_has_every_public_name() -> None:
    text = (ROOT / "docs/python/reference.rst").read_text(encoding="utf-8")
    shown = re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)", text, re.MULTILINE)
    assert sorted(shown) == sorted([*fitgenerator.__all__, *fitgenerator.images.__all__])


def test_the_site_has_every_page_of_the_manual() -> None:
    listed = set(re.findall(r"^  - (\S+)$", (ROOT / "_pkgdown.yml").read_text(), re.MULTILINE))
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "man").glob("*.Rd")]
    missing = [page for page in pages if not listed & set(re.findall(r"\\alias\{(.+)\}", page))]
    assert [re.findall(r"\\name\{(.+)\}", page) for page in missing] == []

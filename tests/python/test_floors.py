"""The layout: an import goes down only, and no user sees where a file lies."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path

import fitgenerator
import numpy as np
import pytest
from fitgenerator import images

ROOT = Path(__file__).parents[2]
CODE = ROOT / "python" / "fitgenerator"


def test_imports_go_down_only() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def public_classes() -> list[tuple[type, str]]:
    """Every class that users meet, with the module that it is to name."""
    shown = [(vars(fitgenerator)[name], "fitgenerator") for name in fitgenerator.__all__]
    shown += [(vars(images)[name], "fitgenerator.images") for name in images.__all__]
    x = np.zeros((4, 1))
    flows = [
        fitgenerator.flow_from_data(x, x),
        fitgenerator.timeseries_generator(x, x, length=2),
        fitgenerator.batch_sequence(lambda index: (x, x), 2),
        fitgenerator.flow_from_frame({"a": x[:, 0], "b": x[:, 0]}, "a", "b"),
    ]
    shown += [(type(flow), "fitgenerator") for flow in flows]
    return [(kind, module) for kind, module in shown if isinstance(kind, type)]


@pytest.mark.parametrize(("kind", "module"), public_classes())
def test_public_classes_name_the_public_module_and_are_found_there(kind: type, module: str) -> None:
    assert kind.__module__ == module
    assert pickle.loads(pickle.dumps(kind)) is kind


def test_a_history_can_be_pickled_without_a_trace_of_the_layout() -> None:
    assert b"reporting" not in pickle.dumps(fitgenerator.History)


def folders() -> list[Path]:
    """Every folder of the package that holds modules, but for the top one."""
    return sorted({path.parent for path in CODE.rglob("*.py")} - {CODE})


@pytest.mark.parametrize("folder", folders(), ids=lambda path: path.relative_to(CODE).as_posix())
def test_the_page_of_a_folder_names_every_module_and_no_other(folder: Path) -> None:
    page = (folder / "README.md").read_text("utf-8")
    modules = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    first_cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = set(re.findall(r"`([a-z0-9_]+\.py)`", " ".join(first_cells)))
    assert named == modules

"""The page in a browser: real runs of Python and of R, whose points are drawn.

With FITGENERATOR_PICTURES, the name of a folder, pictures are left there: light and dark, wide and
narrow.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
from fitgenerator import BatchError, LiveView, fit_generator
from support import chromium
from support.chromium import Chromium
from support.tiny_trainings import at_epoch_end, linear_model, make_batches

pytestmark = [
    pytest.mark.skipif(chromium.COMMAND is None, reason=chromium.MISSING),
    pytest.mark.timeout(300),
]

PROGRAM = Path(chromium.__file__).with_name("program_live_view.R")
# How many pixels of the first picture have the colour of the training's line.
DRAWN = """
(() => {
  const canvas = document.querySelector(".u-wrap canvas");
  if (!canvas) return 0;
  const wanted = colour("training").match(/[0-9a-f]{2}/g).map((part) => parseInt(part, 16));
  const all = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let found = 0;
  for (let i = 0; i < all.length; i += 4)
    if (wanted.every((part, k) => Math.abs(all[i + k] - part) < 3) && all[i + 3] > 250) found++;
  return found;
})()
"""
LOOKS = [(width, dark) for width in (400, 1400) for dark in (False, True)]


def look(browser: Chromium, address: str, name: str, points: int = 3) -> None:
    """Wait for drawn points, and for what the threads did; leave a picture; nothing overlaps."""
    browser.open(address)
    browser.wait_for(f"typeof charts === 'object' && charts[0]?.data[0].length >= {points}")
    browser.wait_for(f"{DRAWN} > 20")
    browser.wait_for("document.querySelectorAll('#lanes rect.step').length > 0")
    wide = browser.value("document.documentElement.scrollWidth - window.innerWidth")
    assert wide == 0, "the page is wider than the window"
    folder = os.environ.get("FITGENERATOR_PICTURES")
    if folder:
        browser.picture(Path(folder) / f"{name}.png")
    assert browser.said == []


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_a_run_of_python_is_drawn_while_it_runs(width: int, dark: bool, tmp_path: Path) -> None:
    kind = f"{width}-{'dark' if dark else 'light'}"
    view = LiveView(open=False, save=tmp_path / "run.html")
    with Chromium(width, dark=dark) as browser:

        def watch(epoch: int) -> None:
            if epoch == 4:
                assert view.address is not None
                look(browser, view.address, f"python-{kind}")
                assert "epoch 5 of 8" in browser.value("document.body.innerText")

        fit_generator(
            linear_model(metrics=["mae"]),
            iter(make_batches(160)),
            20,
            epochs=8,
            verbose=0,
            validation_data=make_batches(4),
            callbacks=[view, at_epoch_end(watch)],
        )
        browser.wait_for("document.getElementById('phase').textContent === 'finished'")
        assert browser.value("charts[0].data[0].length") == 8
        look(browser, (tmp_path / "run.html").as_uri(), f"python-saved-{kind}", 8)
        browser.value("document.getElementById('smooth').click()")
        browser.value("document.getElementById('log').click()")
        assert browser.value("charts[0].series.length") == 5
        assert browser.value("charts[0].scales.y.distr") == 3


def test_names_are_text_whatever_they_hold(tmp_path: Path) -> None:
    name = "<script>window.taken = 1</script><img src=x onerror='window.taken = 2'>"
    adds = keras.callbacks.LambdaCallback(on_epoch_end=lambda _, logs: logs.update({name: 1.0}))
    view = LiveView(open=False, save=tmp_path / "run.html")

    def failing(epoch: int) -> None:
        assert view.address is not None
        if epoch == 1:
            browser.open(view.address)
            browser.wait_for("document.querySelectorAll('.panel').length === 2")
            raise ValueError(name)

    with Chromium() as browser:
        with pytest.raises(ValueError, match=r"window\.taken"):
            fit_generator(
                linear_model(),
                iter(make_batches(8)),
                2,
                epochs=4,
                verbose=0,
                callbacks=[adds, view, at_epoch_end(failing)],
            )
        browser.wait_for("document.getElementById('phase').textContent === 'failed'")
        check_text(browser, name)
        browser.open((tmp_path / "run.html").as_uri())
        browser.wait_for("document.getElementById('phase').textContent === 'failed'")
        check_text(browser, name)


def test_a_run_without_an_epoch_says_so(tmp_path: Path) -> None:
    view = LiveView(open=False, save=tmp_path / "run.html")
    batch = make_batches(1)[0]
    with pytest.raises(BatchError):
        fit_generator(linear_model(), iter([batch, "none"]), 2, 2, 0, [view])
    with Chromium() as browser:
        browser.open((tmp_path / "run.html").as_uri())
        browser.wait_for("document.getElementById('phase').textContent === 'failed'")
        shown = browser.value("document.body.innerText")
    assert "No epoch was finished: there are no values." in shown


def check_text(browser: Chromium, name: str) -> None:
    """A name, and the text of an error, are shown and not run."""
    shown = browser.value("document.body.innerText")
    assert shown.count(name) == 2
    assert browser.value("window.taken") is None
    assert browser.value("document.querySelectorAll('img').length") == 0


@pytest.fixture
def run_of_r(tmp_path: Path, clean_environment: dict[str, str]) -> Iterator[tuple[str, Any, Path]]:
    """A training in R that runs: the address of its view, the folder that it needs, its page."""
    has = ["Rscript", "-e", "stopifnot(exists('live_view', asNamespace('fitgenerator')))"]
    found = shutil.which("Rscript") and subprocess.run(has, capture_output=True, check=False)
    if not found or found.returncode:
        pytest.skip("the R package is not installed")
    (tmp_path / "needed").mkdir()
    page = tmp_path / "run.html"
    process = subprocess.Popen(
        ["Rscript", str(PROGRAM), str(page), str(tmp_path / "needed")],
        env=clean_environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if match := re.search(r"Live view: (\S+)", line):
            yield match[1], process, page
            break
    else:
        pytest.fail(said)
    process.kill()
    process.wait()
    process.stderr.close()


def test_a_run_of_R_is_drawn_while_it_runs(run_of_r: tuple[str, Any, Path], tmp_path: Path) -> None:
    address, process, page = run_of_r
    for width, dark in LOOKS:
        with Chromium(width, dark=dark) as browser:
            look(browser, address, f"r-{width}-{'dark' if dark else 'light'}")
            if (width, dark) == LOOKS[-1]:
                (tmp_path / "needed").rmdir()
                browser.wait_for("pipeline.ended", 60)
    assert process.wait(60) == 0
    assert '"calling thread"' in page.read_text("utf-8")

"""The page: one file with its style, its program and the plotting library in it."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).with_name("page")


def _read(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8").strip()


_STYLES = [_read("uPlot.min.css") + "\n" + _read("page.css")]
# The library's licence is its first line; the whole text lies in the same folder.
_PROGRAMS = [_read("uPlot.min.js"), _read("lanes.js") + "\n" + _read("page.js")]


def _hashes(texts: list[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    return " ".join(f"'sha256-{digest}'" for digest in digests)


# Nothing is run, and nothing asked for, but what is in the page, and its news.
POLICY = (
    f"default-src 'none'; script-src {_hashes(_PROGRAMS)}; style-src {_hashes(_STYLES)}; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)
# A page that stands alone asks for nothing at all.
_ALONE = POLICY.replace("connect-src 'self'", "connect-src 'none'")


@cache
def _frame() -> str:
    text = _read("page.html")
    styles = "\n".join(f"<style>{style}</style>" for style in _STYLES)
    programs = "\n".join(f"<script>{program}</script>" for program in _PROGRAMS)
    return text.replace("<!-- styles -->", styles).replace("<!-- programs -->", programs)


def page(metrics: str = "", pipeline: str = "") -> str:
    """The page, which asks for its news; or, with a state (JSON), one that stands alone."""
    if not pipeline:
        return _frame().replace("<!-- head -->", "").replace("<!-- state -->", "")
    state = f'<script type="application/json" id="state">[{metrics},{pipeline}]</script>'
    head = f'<meta http-equiv="Content-Security-Policy" content="{_ALONE}">'
    return _frame().replace("<!-- head -->", head).replace("<!-- state -->", state)

"""Refuses to make a wheel or an sdist of a checkout whose symbolic links are text files.

Git writes them so on Windows, where links are not allowed; the package would hold files of one
line in place of its R code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LinksHook(BuildHookInterface[Any]):
    """Looks at the files that are links in the repository."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before anything is built."""
        code = Path(self.root, "python", "fitgenerator", "r", "code")
        texts = [path.name for path in code.glob("*.R") if path.stat().st_size < 100]
        if texts:
            raise RuntimeError(
                f"{', '.join(sorted(texts))} in {code} are symbolic links that git has written as "
                "text files. Clone with links: on Windows, turn on the developer mode, then run "
                "git clone -c core.symlinks=true <address>"
            )

"""Where a thread stands, in the user's code: for errors about generators that do not return."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterable
from pathlib import Path

_OURS = str(Path(__file__).parents[1])
_FRAMES = 6  # the innermost ones are shown


def stack_of(threads: Iterable[threading.Thread]) -> str:
    """The innermost frames of each thread that is in code which is not ours; outermost first."""
    frames = sys._current_frames()
    texts = []
    for thread in threads:
        frame = frames.get(thread.ident or 0)
        if frame is None or frame.f_code.co_filename.startswith(_OURS):
            continue  # it waits for something of ours
        stack = traceback.extract_stack(frame)
        while stack and stack[0].filename.startswith((_OURS, threading.__file__)):
            del stack[0]
        texts.append("".join(traceback.format_list(stack[-_FRAMES:])).rstrip())
    return "\n".join(texts)

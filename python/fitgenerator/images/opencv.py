"""OpenCV and Pillow, which the extra `images` installs, and OpenCV without threads of its own."""

from __future__ import annotations

import threading

from ..errors import SetupError
from ..messages import reason

try:
    import cv2
    from PIL import Image
except ImportError as error:
    raise SetupError(
        "OpenCV and Pillow, which fitgenerator.images needs, cannot be imported: pip install "
        f"opencv-python-headless pillow. What failed: {reason(error)}."
    ) from error

__all__ = ["Image", "cv2", "single_threaded"]


class _SingleThreaded:
    """While any thread is inside, OpenCV computes on the thread that calls it.

    The threads that read a flow, and the training in parallel with them, keep every core busy:
    OpenCV's pool would double the processor time of a warp or a JPEG file and save hardly any time.
    OpenCV has one number of threads for the whole process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 0  # OpenCV's number of threads, restored by the last thread that leaves

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                cv2.setNumThreads(self._before)


single_threaded = _SingleThreaded()

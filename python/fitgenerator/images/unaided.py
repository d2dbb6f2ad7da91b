"""OpenCV without threads of its own, while batches of images are made.

The threads that read a flow, and the training beside them, have work for every core. OpenCV's pool
would double the time that the cores spend on a warp or a JPEG file, for hardly any gain.
"""

from __future__ import annotations

import threading

from .opencv import cv2


class _Unaided:
    """OpenCV computes on the thread that calls it: in the whole process, it has one number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0  # threads that are within
        self._before = 0  # OpenCV's number of threads, which the last of them sets again

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


unaided = _Unaided()

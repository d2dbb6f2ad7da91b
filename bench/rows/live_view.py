"""What a live view costs: row 1's small model, with a view that two browsers watch, over without.

    tools/with-env python bench/rows/live_view.py [STEPS] [PAIRS]

The pairs are interleaved, because machines are noisy. One of the two browsers takes nothing of what
it is sent. `live_view.R` does the same for row 3.
"""

from __future__ import annotations

import socket
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fitgenerator as fg
from common import alternate, forever, small_batch, small_model

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
PAIRS = int(sys.argv[2]) if len(sys.argv) > 2 else 9


def watch(address: str | None, *_: Any) -> None:
    """Connect two browsers: one takes what comes, one does not."""
    assert address is not None
    _, _, place, token, _ = address.split("/")
    for takes in (True, False):
        browser = socket.create_connection(("127.0.0.1", int(place.split(":")[1])))
        browser.sendall(f"GET /{token}/events HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        threading.Thread(target=take if takes else wait, args=(browser,), daemon=True).start()


def take(browser: socket.socket) -> None:
    """Take all that comes."""
    while browser.recv(1 << 16):
        pass


def wait(browser: socket.socket) -> None:
    """Hold the connection, and take nothing."""
    time.sleep(600)
    browser.close()


def main() -> None:
    """Print the median of the ratios."""
    model: Any = small_model()
    model.compile("adam", "mse")
    batch = small_batch()

    def run(*callbacks: Any) -> float:
        begun = time.perf_counter()
        fg.fit_generator(
            model, forever(batch), STEPS // 10, epochs=10, verbose=0, callbacks=list(callbacks)
        )
        return time.perf_counter() - begun

    def shown() -> float:
        view = fg.LiveView(open=False)
        view.announce = watch
        return run(view)

    run()
    figures = alternate({"without": run, "with": shown}, PAIRS)
    ratios = [w / o for w, o in zip(figures["with"], figures["without"], strict=True)]
    print("ratios", *(f"{ratio:.3f}" for ratio in sorted(ratios)))
    print(f"live view, row 1: {statistics.median(ratios):.3f} of {PAIRS} pairs (at most 1.05)")


if __name__ == "__main__":
    main()

"""No SIGPIPE on threads of ours that write to processes which may be gone.

R's handler of that signal jumps into R's error handling: on another thread than R's, the process is
lost. Where the signal is blocked, the write fails instead. A process inherits what is blocked.
"""

from __future__ import annotations

import signal


def block() -> None:
    """Have writes of this thread fail where nobody reads any more."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})


def unblock() -> None:
    """Let the processes that this thread starts have the signal."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPIPE})

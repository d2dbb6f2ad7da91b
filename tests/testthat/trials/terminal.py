"""Runs a command in a pseudo-terminal of 60 columns and passes on what it writes there.

    python terminal.py COMMAND ...

Before each piece that was written comes the time in seconds, in angle brackets.
"""

import fcntl
import os
import pty
import struct
import sys
import termios
import time

process, terminal = pty.fork()
if process == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[1], sys.argv[1:])
begun = time.monotonic()
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:  # the other end is closed
        break
    if not piece:
        break
    os.write(1, b"<%.4f>" % (time.monotonic() - begun) + piece)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))

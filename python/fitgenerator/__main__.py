"""`python -m fitgenerator`: help, and `doctor`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import __version__
from .doctor import doctor

_DESCRIPTION = """\
Trains Keras models on batches that a generator makes while the model trains. It is used from code:

    from fitgenerator import fit_generator
    history = fit_generator(model, generator, steps_per_epoch=100, epochs=10)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m fitgenerator", description=_DESCRIPTION, formatter_class=formatter
    )
    parser.add_argument("--version", action="version", version=f"fitgenerator {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command")
    about = "show versions, devices and what is missing; exits with 1 where it cannot work"
    commands.add_parser("doctor", help=about, description=about)
    given = parser.parse_args(arguments)
    if given.command == "doctor":
        return doctor()
    parser.print_help()
    return 0


if __name__ == "__main__":
    sys.exit(main())

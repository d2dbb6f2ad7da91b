"""The version of the Python package, as in DESCRIPTION; `tools/release version` sets both."""

__version__ = "0.1.0"

"""Processes that outlive the interpreter they started in."""

__version__ = "0.1.0"

"""Processes that outlive the interpreter they started in."""

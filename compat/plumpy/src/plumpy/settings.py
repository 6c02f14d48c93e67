"""Switches that are read once, when the package is imported."""

check_protected: bool = False
check_override: bool = False

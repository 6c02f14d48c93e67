"""Protocols only: what the parts of drupe ask of each other."""

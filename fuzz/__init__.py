"""Everything that reads what somebody else may have written, fed with what nobody should: see `fuzz/__main__.py`."""

"""Nothing: the module has always been empty."""

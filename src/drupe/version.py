"""The version of drupe, in its one place: the package, the documentation and the distribution read it here."""

__version__ = "0.1.0"

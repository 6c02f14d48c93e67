"""The public names of drupe: what its public modules put into `__all__`.

They are pinned in public_names.txt, so that none comes or goes by accident. When one is meant to:
`python -m tests.architecture.public_names` writes the list anew, and the change is reviewed with the rest.
"""

import importlib
from pathlib import Path
from types import ModuleType

PUBLIC_MODULES = ("drupe", "drupe.errors", "drupe.interfaces", "drupe.testing")
PINNED = Path(__file__).with_name("public_names.txt")


def names_of(module: ModuleType) -> list[str]:
    """The full names a module makes public, in the order of `__all__`."""
    return [f"{module.__name__}.{name}" for name in getattr(module, "__all__", ())]


def public_names() -> list[str]:
    """All public names, sorted."""
    return sorted(name for module in PUBLIC_MODULES for name in names_of(importlib.import_module(module)))


if __name__ == "__main__":
    PINNED.write_text("".join(f"{name}\n" for name in public_names()), "utf-8")

"""Numbered migrations: the text of each is a file, ``NNNN-name.sql``, that is never changed once it is released."""

from importlib.resources.abc import Traversable


def numbered(folder: Traversable) -> dict[int, str]:
    """Get the text of each migration in a folder by its number, ascending."""
    found = {int(file.name[:4]): file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".sql")}
    return dict(sorted(found.items()))

"""What a process class takes and gives, and its outline: `drupe show MODULE_OR_FILE:CLASS`."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from drupe.cli.session import Session


def describe(session: Session, class_path: str) -> None:
    """Show a process class.

    Raises:
        ClassPathError: there is none.
    """
    from drupe.service import classes

    with session.user_code():
        classes.import_set(session.settings)
        process_class, _ = classes.load(class_path, folder=session.settings.folder)
    described = process_class.get_description()
    if session.json:
        session.put(described)
        return
    spec = process_class.spec()
    outline = list(_outline(spec))
    if session.fancy:
        _draw(session, process_class, described, outline)
        return
    session.say(f"class: {described['class']}")
    for what in ("inputs", "outputs"):
        for path, port in ports(described[what]):
            session.say(f"{what}.{path}: {', '.join(word for word in words(port) if word)}")
    for line in outline:
        session.say(f"outline: {line}")


def ports(namespace: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Walk over described ports, each with its dotted name; a dynamic namespace has a port ``*``."""
    for name, port in namespace["ports"].items():
        if "ports" in port:
            yield from ports(port, f"{prefix}{name}.")
        else:
            yield prefix + name, port
    if namespace["dynamic"]:
        yield f"{prefix}*", {**namespace, "required": False, "help": namespace["help"] or "any name"}


def words(port: Mapping[str, Any]) -> tuple[str, str, str]:
    """Get a port's type, whether it has to be given, and its help."""
    if "default" in port:
        computed = isinstance(port["default"], str) and port["default"].endswith(">()")
        need = "default computed" if computed else f"default {port['default']!r}"
    else:
        need = "required" if port["required"] else "optional"
    return port["valid_type"] or "anything", need, port["help"] or ""


def _outline(spec: Any) -> Iterator[str]:
    from drupe.core import sketch

    if hasattr(spec, "get_outline"):
        yield from sketch.lines(spec.get_outline())


def _draw(session: Session, process_class: type, described: Mapping[str, Any], outline: list[str]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from drupe.cli.appearance import table

    session.show(Text(described["class"], "bold"))
    if process_class.__doc__:
        session.show(Padding(Text(inspect.cleandoc(process_class.__doc__)), (0, 0, 0, 2), expand=False))
    for what in ("inputs", "outputs"):
        rows = table(what, "type", "", "")
        for path, port in ports(described[what]):
            kind, need, purpose = words(port)
            rows.add_row(Text(path, "bold"), Text(kind, "cyan"), Text(need, "bright_black"), purpose)
        if rows.row_count:
            session.show(rows)
    if outline:
        session.show(Text("outline", "bold"), Padding(Text("\n".join(outline)), (0, 0, 1, 2), expand=False))

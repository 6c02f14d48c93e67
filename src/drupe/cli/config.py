"""`drupe config`: what every setting is, and where it was set."""

import os
import re
from pathlib import Path
from typing import Any

import click

from drupe.cli.session import Session, global_flags, session_of
from drupe.service.database import Database


@click.command(short_help="Show settings, and where each was set.")
@global_flags()
@click.pass_context
def config(context: click.Context) -> None:
    """Show settings, and where each was set.

    A flag goes before a variable, a variable before drupe.toml, and that before the default. The nearest drupe.toml
    counts, from the current folder upwards.
    """
    from drupe.cli.failure import warn
    from drupe.service import profile

    session = session_of(context)
    settings = session.settings
    values = {setting.name: _plain(getattr(settings, setting.field)) for setting in profile.SETTINGS}
    values["broker"] = re.sub("//[^/]*@", "//…@", settings.broker)  # a password is not shown
    if session.json:
        found = {name: {"value": value, "origin": settings.origins[name]} for name, value in values.items()}
        session.put({"folder": str(settings.folder), "settings": found})
    elif session.fancy:
        _draw(session, values)
    else:
        for name, value in values.items():
            session.say(f"{name} = {_text(value)}  # {settings.origins[name]}")
    for line in profile.strangers(os.environ):
        warn(session, line)


def _plain(value: Any) -> Any:
    match value:
        case Path() | Database():  # a password is not shown
            return str(value)
        case tuple():
            return list(value)
        case None:
            return "all"
        case _:
            return value


def _text(value: Any) -> str:
    return ", ".join(value) or "none" if isinstance(value, list) else str(value)


def _draw(session: Session, values: dict[str, Any]) -> None:
    from rich.text import Text

    from drupe.cli.appearance import table
    from drupe.service.profile import DEFAULT, SETTINGS

    rows = table("setting", "value", "set by", "")
    for setting in SETTINGS:
        origin = session.settings.origins[setting.name]
        own = origin != DEFAULT
        rows.add_row(
            Text(setting.name, "bold"),
            Text(_text(values[setting.name]), "cyan" if own else ""),
            Text(origin, "" if own else "bright_black"),
            Text(setting.purpose, "bright_black"),
        )
    session.show(rows)

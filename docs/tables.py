"""Writes the tables that the code decides into the pages: `python docs/tables.py`.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`. What is in `TABLES` is all there is; a test
sees to it that the pages have what these functions say now.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import click

from drupe import WorkChain, errors
from drupe.cli.exit_code import BY_ERROR, MEANING, ExitCode
from drupe.cli.main import SECTIONS, cli
from drupe.core.control import RULES, Effect, Posture, Verb
from drupe.service.profile import SETTINGS

FOLDER: Final = Path(__file__).parent
PLACE: Final = re.compile(r"(?<=<!-- table: )(?P<name>[\w-]+)( -->\n).*?(?=<!-- end of table -->)", re.DOTALL)


def rows(heads: Iterable[str], lines: Iterable[Iterable[object]]) -> str:
    """Get a table in Markdown."""
    heads = list(heads)
    table = [heads, ["---"] * len(heads), *lines]
    return "".join("| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |\n" for line in table)


# --- what the code decides ---------------------------------------------------------------------------------


def settings() -> str:
    """Get all settings."""
    lines = ((f"`{s.name}`", s.purpose, s.expected, f"`{s.default!r}`", f"`{s.variable}`") for s in SETTINGS)
    return rows(("in `drupe.toml`", "what it is", "what it may be", "by default", "as a variable"), lines)


def exit_codes() -> str:
    """Get all exit codes."""
    return rows(("code", "meaning"), ((code.value, meaning) for code, meaning in MEANING.items()))


def error_codes() -> str:
    """Get all errors, the general ones before the special ones."""
    lines = (
        (
            f"`{error.code}`",
            f"{'&ensp;' * 2 * _depth(error)}`{error.__name__}`",
            _summary(error),
            _exit_code(error).value,
        )
        for error in all_errors()
    )
    return rows(("code", "class", "when", "a command ends with"), lines)


def all_errors() -> list[type[errors.DrupeError]]:
    """Get the tree of errors in the order of the source."""
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.DrupeError)]
    return sorted(found, key=lambda kind: inspect.getsourcelines(kind)[1])


def _depth(error: type) -> int:
    return sum(issubclass(base, errors.DrupeError) for base in error.__mro__) - 1


def _summary(error: type) -> str:
    return (inspect.getdoc(error) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def _exit_code(error: type) -> ExitCode:
    return next((BY_ERROR[kind] for kind in error.__mro__ if kind in BY_ERROR), ExitCode.UNEXPECTED)


def commands() -> str:
    """Get all commands with their options."""
    return "\n".join(found for section in SECTIONS.values() for command in section for found in _commands(command))


def _commands(command: click.Command, path: str = "drupe") -> Iterator[str]:
    path = f"{path} {command.name}"
    if isinstance(command, click.Group):
        for part in command.commands.values():
            yield from _commands(part, path)
    else:
        yield _command(command, path)


def _command(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]")
    text = re.split(r"\x08|\\b$", inspect.cleandoc(command.help or ""), flags=re.MULTILINE)[0].strip()
    shared = {option for option, _ in _options(cli)}
    own = [line for line in _options(command) if line[0] not in shared]
    table = f"\n{rows(('option', 'effect'), own)}" if own else ""
    return f"### `{f'{path} {usage}'.strip()}`\n\n{text}\n{table}"


def global_options() -> str:
    """Get the options that every command has."""
    return rows(("option", "effect"), _options(cli))


def _options(command: click.Command) -> Iterator[tuple[str, str]]:
    context = click.Context(command)
    for option in command.params:  # not `get_params`: the option that shows the help depends on who asked for it first
        record = option.get_help_record(context)
        if record is not None and isinstance(option, click.Option):
            yield f"`{record[0]}`", " ".join(record[1].split())


def verbs() -> str:
    """Get what pause, play, kill and taking back do, in each posture."""
    asked = (Verb.PAUSE, Verb.PLAY, Verb.KILL, Verb.CANCEL)
    lines = ((f"*{posture}*", *(_rule(posture, verb) for verb in asked)) for posture in Posture)
    return rows(("a process that is", *(f"`{verb}`" for verb in asked)), lines)


def _rule(posture: Posture, verb: Verb) -> str:
    rule = RULES[posture][verb]
    becomes = "" if rule.posture is posture else f", becomes *{rule.posture}*"
    return f"{rule.answer}{becomes}{'' if rule.effect is Effect.NOTHING else ' **now**'}"


def taken_names() -> str:
    """Get the names that a method of a process class must not have, unless it means to override."""
    names = (name for name in dir(WorkChain) if not name.startswith(("_", "on_")))
    meant = {"behaviours", "define", "run", "spec_type", "version"}
    return ", ".join(f"`{name}`" for name in names if name not in meant) + "\n"


TABLES: Final[dict[str, Callable[[], str]]] = {
    "settings": settings,
    "exit-codes": exit_codes,
    "errors": error_codes,
    "commands": commands,
    "global-options": global_options,
    "verbs": verbs,
    "taken-names": taken_names,
}


# --- the pages ---------------------------------------------------------------------------------------------


def filled(text: str) -> str:
    """Get a page with its tables as they are now."""
    return PLACE.sub(lambda found: f"{found['name']} -->\n\n{TABLES[found['name']]()}\n", text)


def pages() -> list[Path]:
    """Get the pages that have tables."""
    return [path for path in sorted(FOLDER.rglob("*.md")) if PLACE.search(path.read_text("utf-8"))]


if __name__ == "__main__":
    for path in pages():
        path.write_text(filled(path.read_text("utf-8")), "utf-8")

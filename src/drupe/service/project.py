"""The project's own list of what to import for process classes: ``.drupe/classes.toml``.

What stands in it is run as code, so it must be nobody else's: a list that others may write, or that belongs to
somebody else, is refused and not read. Entries have the form of the setting `imports`.
"""

import json
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from drupe.errors import ClassPathError, SettingsError
from drupe.service import private
from drupe.service.profile import Settings, is_file

LIST: Final = "classes.toml"

_HEAD: Final = "# Written by drupe: what commands that are started in this folder import for its process classes.\n"
_GROUP_OR_OTHERS: Final = 0o022
_OTHERS: Final = 0o002


def listed(settings: Settings) -> tuple[str, ...]:
    """Get what the project's list has: modules, and absolute paths of files; nothing where there is no list.

    Raises:
        SettingsError: others could have written it, or it is damaged.
    """
    path = settings.private / LIST
    if not path.exists():
        return ()
    for place in (settings.private, path):
        _refuse_foreign(place, _GROUP_OR_OTHERS)
    try:
        with path.open("rb") as opened:
            names = msgspec.convert(tomllib.load(opened).get("imports", []), list[str])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(
            f"{path} is damaged: {error}; mend it, or remove it and run your processes again"
        ) from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    return tuple(str(settings.folder / name) if is_file(name) else name for name in names)


def add(settings: Settings, name: str) -> None:
    """Put a module or the absolute path of a file on the project's list, once; files that are gone are dropped.

    Raises:
        ClassPathError: the list has another file that would be the same module.
        SettingsError: others could have written the list, or it cannot be written.
    """
    try:
        settings.private.mkdir(mode=0o700, exist_ok=True)
        with private.locked(settings.private):
            names = listed(settings)
            if name not in names:
                kept = [other for other in names if not is_file(other) or Path(other).exists()]
                _refuse_twin(name, kept, settings.private / LIST)
                _write(settings, (*kept, name))
    except OSError as error:
        raise SettingsError(f"{settings.private / LIST} cannot be written: {error}") from error


def refuse_foreign_imports(settings: Settings) -> None:
    """Refuse imports that a ``drupe.toml`` asks for which somebody else could have written.

    Raises:
        SettingsError: it is such a file.
    """
    if settings.file is not None and str(settings.file) in settings.origins["imports"].split(", "):
        _refuse_foreign(settings.file, _OTHERS)


def _refuse_foreign(path: Path, writers: int) -> None:
    found = path.stat()
    why = None
    if found.st_uid not in (os.geteuid(), 0):
        why = "it belongs to another user"
    elif found.st_mode & writers:
        why = f"others may write it (chmod go-w {path})"
    if why is not None:
        raise SettingsError(f"{path} names code to run, and {why}: nothing is imported from it; make it your own first")


def _refuse_twin(name: str, names: Sequence[str], path: Path) -> None:
    for other in names:
        if is_file(name) and is_file(other) and Path(other).stem == Path(name).stem:
            raise ClassPathError(
                f"{name} and {other} would be one module, {Path(name).stem!r}; rename one of them, or take the other off {path}"
            )


def _write(settings: Settings, names: Sequence[str]) -> None:
    lines = "".join(f"    {_toml(_relative(name, settings.folder))},\n" for name in names)
    private.replace(settings.private / LIST, f"{_HEAD}imports = [\n{lines}]\n")


def _relative(name: str, folder: Path) -> str:
    """Get a name that stays right when the folder is moved with what is in it."""
    if not is_file(name) or not Path(name).is_relative_to(folder):
        return name
    return str(Path(name).relative_to(folder))


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

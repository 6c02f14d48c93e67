"""The file with the keys by which messages are sealed: written for its owner alone, and refused when others may read it.

Whoever has it can do what its keys are for. It is copied from machine to machine by people; drupe sends no key anywhere.
"""

import os
import stat
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from drupe.core.key import SECRET, Key, KeyRing
from drupe.core.role import Role
from drupe.errors import SettingsError
from drupe.service import private
from drupe.service.profile import DEFAULT, Settings

_HEAD: Final = """\
# Written by drupe: keys by which messages are sealed. Whoever has one can do what its role says, so nobody else may read
# this file. All keys are recognised; of those with the same role the newest whose time has come seals.
"""
_LARGEST: Final = 1024 * 1024
_GROUP_OR_OTHERS: Final = 0o077
_ROLES: Final = {role.word: role for role in Role}


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    role: Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(_ROLES)})$")]
    since: datetime
    secret: Annotated[str, msgspec.Meta(pattern=rf"\A[0-9a-f]{{{2 * SECRET}}}\Z")]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    key: list[_Entry] = []


def of(settings: Settings) -> KeyRing | None:
    """Get the keys that the settings name; None where nothing was said of any, and there are none.

    Raises:
        SettingsError: as for `read`.
    """
    if settings.origins["keys"] == DEFAULT and not settings.keys.exists():
        return None
    return read(settings.keys)


def read(path: Path) -> KeyRing:
    """Get the keys of a file.

    Raises:
        SettingsError: it is not there, somebody else may read it, it is damaged, or there is no key in it.
    """
    keys = _entries(path)
    if not keys:
        raise SettingsError(f"there is no key in {path}; `drupe keys new` makes one")
    return KeyRing(keys)


def add(path: Path, key: Key) -> None:
    """Put a key into a file, which is made if it is not there.

    Raises:
        SettingsError: as for `read`, or it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with private.locked(path.parent):
            keys = _entries(path) if path.exists() else []
            private.replace(path, _HEAD + "".join(map(_text, [*keys, key])))
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error}") from error


def new(role: Role, *, since: float) -> Key:
    """Get a key that nobody has."""
    return Key(os.urandom(SECRET), role, since)


def _entries(path: Path) -> Sequence[Key]:
    try:
        text = _private_text(path)
        return [_key(path, entry) for entry in msgspec.convert(tomllib.loads(text), _File).key]
    except FileNotFoundError as error:
        raise SettingsError(f"there is no file {path} with keys; `drupe keys new` makes it") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{path} is damaged: {error}") from error


def _private_text(path: Path) -> str:
    with path.open("rb") as opened:
        found = os.fstat(opened.fileno())  # of what was opened: another file may have this name by now
        if found.st_uid != os.geteuid():
            raise SettingsError(f"{path} holds keys and belongs to another user; make a copy of your own")
        if not stat.S_ISREG(found.st_mode) or found.st_mode & _GROUP_OR_OTHERS:
            raise SettingsError(f"{path} holds keys, and others may use it: chmod 600 {path}, and think of new keys")
        return opened.read(_LARGEST).decode()


def _key(path: Path, entry: _Entry) -> Key:
    since = entry.since if entry.since.tzinfo else entry.since.replace(tzinfo=UTC)
    key = Key(bytes.fromhex(entry.secret), _ROLES[entry.role], since.timestamp())
    if key.name != entry.id:
        raise SettingsError(f"{path} is damaged: the secret of key {entry.id!r} is not the one it was made with")
    return key


def _text(key: Key) -> str:
    since: Any = datetime.fromtimestamp(key.since, UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    return f"""
[[key]]
id = "{key.name}"
role = "{key.role.word}"
since = {since}Z
secret = "{key.secret.hex()}"
"""

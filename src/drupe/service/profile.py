"""Settings: what can be set, what it is set to, and where that was said.

A later place wins over an earlier one: the default, ``drupe.toml``, the environment, a flag of the command
(lists of imports add up instead). Each setting is one line of `SETTINGS`; nothing else knows them all.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeAlias, cast

import msgspec

from drupe.core.issue import alternatives, brief
from drupe.core.record import Retention
from drupe.errors import SettingsError
from drupe.service.database import Database, is_address

FILE: Final = "drupe.toml"
"""The file with a project's settings; the folder it is in is the project's folder."""
PRIVATE: Final = ".drupe"
"""The folder in the project's folder where drupe keeps what belongs to one person: the store, the list of classes."""
PREFIX: Final = "DRUPE_"
"""What the names of environment variables begin with."""
DEFAULT: Final = "default"
LOCAL: Final = "local"
"""The broker of those who need none: programs of one machine, which meet in a folder."""

Durability: TypeAlias = Literal["full", "process"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Keep = Literal["all"] | Annotated[int, msgspec.Meta(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What can be set.

    Attributes:
        name: as in the file; a dot leads into a table of it.
        type: what msgspec makes of the value that was given.
        default: what holds where nothing is given.
        expected: what may be given, in words.
        purpose: what it is for, in words.
    """

    name: str
    type: Any
    default: Any
    expected: str
    purpose: str

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.field.upper()

    @property
    def field(self) -> str:
        """The attribute of `Settings`."""
        return self.name.replace(".", "_")


SETTINGS: Final = (
    Setting(
        name="store",
        type=_Text,
        default=f"{PRIVATE}/store.db",
        expected="the path of a file on a local disk, or the address of a database: postgresql://…",
        purpose="where processes are kept",
    ),
    Setting(
        name="durability",
        type=Durability,
        default="full",
        expected="'full' or 'process'",
        purpose="what a commit outlives: a power cut, or the end of the program only (faster)",
    ),
    Setting(
        name="retention.living",
        type=_Keep,
        default=10,
        expected="a number of checkpoints, at least 1, or 'all'",
        purpose="how many of the last checkpoints of a living process are kept",
    ),
    Setting(
        name="retention.ended",
        type=_Keep,
        default=1,
        expected="a number of checkpoints, at least 1, or 'all'",
        purpose="how many of the last checkpoints are kept once it has ended",
    ),
    Setting(
        name="max_state_bytes",
        type=Annotated[int, msgspec.Meta(ge=1024)],
        default=2 * 1024 * 1024,
        expected="a number of bytes, at least 1024",
        purpose="how large the inputs or one checkpoint of a process may be",
    ),
    Setting(
        name="lease",
        type=Annotated[float, msgspec.Meta(ge=0.1, le=86_400)],
        default=10.0,
        expected="a number of seconds from 0.1 to 86400",
        purpose="how long a process belongs to a program that has gone silent",
    ),
    Setting(
        name="patience",
        type=Annotated[float, msgspec.Meta(ge=0.1, le=86_400)],
        default=5.0,
        expected="a number of seconds from 0.1 to 86400",
        purpose="how long a worker may be stopped (SIGSTOP) before its parent ends it",
    ),
    Setting(
        name="attempts",
        type=Annotated[int, msgspec.Meta(ge=1, le=1000)],
        default=5,
        expected="a number from 1 to 1000",
        purpose="how many programs may die of a process without its getting on, before it is quarantined",
    ),
    Setting(
        name="broker",
        type=_Text,
        default=LOCAL,
        expected="'local', or the address of a RabbitMQ broker: amqp://… or amqps://…",
        purpose="how programs reach each other",
    ),
    Setting(
        name="keys",
        type=_Text,
        default=f"{PRIVATE}/keys.toml",
        expected="the path of a file that is its owner's only",
        purpose="the keys by which messages are sealed on their way through a broker",
    ),
    Setting(
        name="imports",
        type=list[_Text],
        default=[],
        expected="a list of modules and .py files",
        purpose="what is imported for its process classes",
    ),
    Setting(
        name="log_level",
        type=LogLevel,
        default="warning",
        expected="'debug', 'info', 'warning', 'error' or 'critical'",
        purpose="which messages of the log are shown",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, complete and checked.

    Attributes:
        folder: the project's folder: where the nearest ``drupe.toml`` is, else the current one.
        file: that ``drupe.toml``, or None.
        origins: where each setting was set, by its name: ``default``, the path of the file, ``$VARIABLE``, a flag.
    """

    folder: Path
    file: Path | None
    origins: Mapping[str, str]
    store: Path | Database
    """A file, or a database; its address may have a password in it."""
    durability: Durability
    retention_living: int | None
    """None keeps all."""
    retention_ended: int | None
    """None keeps all."""
    max_state_bytes: int
    lease: float
    """Seconds."""
    patience: float
    """Seconds."""
    attempts: int
    broker: str
    """`LOCAL`, or an address; it may have a password in it."""
    keys: Path
    """It need not be there."""
    imports: tuple[str, ...]
    """Modules, and absolute paths of files."""
    log_level: LogLevel

    @property
    def retention(self) -> Retention:
        """How many checkpoints are kept."""
        return Retention(living=self.retention_living, ended=self.retention_ended)

    @property
    def private(self) -> Path:
        """The folder of what belongs to one person; it need not be there yet."""
        return self.folder / PRIVATE

    @property
    def beside(self) -> Path:
        """The folder for what programs of this machine keep beside the store: that of its file.

        Beside a database it is a folder for this machine alone: others may see the same disk, and not the same locks.
        """
        return self.store.parent if isinstance(self.store, Path) else self.private / os.uname().nodename


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as somebody gave it, where, and which folder its relative paths start from."""

    value: Any
    origin: str
    base: Path


def load(
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Get the settings that hold in a folder.

    Args:
        folder: where a command is given; the current folder by default.
        environment: the variables; those of this program by default.
        flags: what was set by flags, by the setting's name.

    Raises:
        SettingsError: a value cannot be; names the setting, where it was set, what is expected and what came.
    """
    here = Path.cwd() if folder is None else folder.absolute()
    file = _nearest(here)
    project = here if file is None else file.parent
    given: dict[str, list[_Given]] = {setting.name: [_Given(setting.default, DEFAULT, project)] for setting in SETTINGS}
    if file is not None:
        for name, value in _read(file):
            given[name].append(_Given(value, str(file), project))
    for setting in SETTINGS:
        text = (os.environ if environment is None else environment).get(setting.variable)
        if text:
            given[setting.name].append(_Given(_of_text(setting, text), f"${setting.variable}", here))
    for name, value in (flags or {}).items():
        given[name].append(_Given(value, _flag(name), here))
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        values[setting.field], origins[setting.name] = _settle(setting, given[setting.name])
    return Settings(folder=project, file=file, origins=MappingProxyType(origins), **values)


def strangers(environment: Mapping[str, str]) -> list[str]:
    """Get the variables that look like settings and are none, each with what may have been meant."""
    known = [setting.variable for setting in SETTINGS]
    return [
        f"${name} is none of drupe's settings; {alternatives(name, known)}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known
    ]


# --- reading -----------------------------------------------------------------------------------------------


def _nearest(folder: Path) -> Path | None:
    for parent in (folder, *folder.parents):
        if (parent / FILE).is_file():
            return parent / FILE
    return None


def _read(file: Path) -> Iterator[tuple[str, Any]]:
    try:
        with file.open("rb") as opened:
            tree = tomllib.load(opened)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error
    known = [setting.name for setting in SETTINGS]
    for name, value in _leaves(tree, known):
        if name not in known:
            raise SettingsError(f"{file}: there is no setting {name!r}; {alternatives(name, known)}")
        yield name, value


def _leaves(tree: Mapping[str, Any], known: list[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = prefix + key
        if isinstance(value, dict) and any(other.startswith(f"{name}.") for other in known):
            yield from _leaves(value, known, f"{name}.")
        else:
            yield name, value


def _of_text(setting: Setting, text: str) -> Any:
    """Get the value that the text of a variable stands for, as the file would have it."""
    if setting.type == list[_Text]:
        return [part for part in text.split(os.pathsep) if part]
    return text


def _flag(name: str) -> str:
    return "--import" if name == "imports" else "--" + name.replace("_", "-")


# --- deciding ----------------------------------------------------------------------------------------------


def _settle(setting: Setting, given: list[_Given]) -> tuple[Any, str]:
    """Get the value that holds, and where it comes from."""
    values = [_checked(setting, one) for one in given]  # also what is overridden must be right
    if setting.name != "imports":
        return values[-1], given[-1].origin
    imports = tuple(dict.fromkeys(name for value in values for name in value))
    return imports, ", ".join(one.origin for one in given[1:]) or DEFAULT


def _checked(setting: Setting, given: _Given) -> Any:
    value = given.value.lower() if setting.name == "log_level" and isinstance(given.value, str) else given.value
    try:
        # The text of a variable or flag may stand for a number; that of the file says what it is.
        found = msgspec.convert(value, setting.type, strict=not given.origin.startswith(("$", "--")))
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"setting {setting.name} ({given.origin}): expected {setting.expected}, got {brief(given.value)}"
        ) from error
    return _finished(setting, found, given.base)


def _finished(setting: Setting, value: Any, base: Path) -> Any:
    match setting.name:
        case "store" if is_address(value):
            return Database(value)
        case "store" | "keys":
            return base / Path(value).expanduser()
        case "imports":
            return [str(base / Path(name).expanduser()) if is_file(name) else name for name in cast("list[str]", value)]
        case "retention.living" | "retention.ended":
            return None if value == "all" else value
        case _:
            return value


def is_file(name: str) -> bool:
    """Tell whether ``name`` is meant as a file, not as a module."""
    return name.endswith(".py") or "/" in name or os.sep in name

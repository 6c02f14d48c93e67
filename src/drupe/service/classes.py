"""Where process classes come from: what a person names on the command line, in settings or on the project's list.

This is the only module that imports what it is told, and it is told by people only, never by a store or a message.
A file is the module of its stem, so that what one command ran another one finds again.
"""

import importlib
import importlib.util
import logging
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from drupe.core.issue import alternatives, brief
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry, kind_of
from drupe.errors import ClassPathError, DrupeError, SettingsError, UnknownClassError
from drupe.service import project
from drupe.service.profile import Settings, is_file

_LOG: Final = logging.getLogger("drupe.service")

ENTRY_POINTS: Final = "drupe.processes"
"""The group under which an installed distribution names modules with process classes."""


def load(class_path: str, *, folder: Path) -> tuple[type[Process], str]:
    """Get the process class of ``MODULE_OR_FILE:CLASS``, and what was imported for it, as the setting `imports` has it.

    Args:
        class_path: what a person wrote; a file is sought from the current folder.
        folder: the project's folder; a module may be in it.

    Raises:
        ClassPathError: it does not lead to a process class; says what is in the way.
        DrupeError: the class is declared wrongly.
    """
    place, _, name = class_path.rpartition(":")
    if not place:
        place, name = class_path, ""
    source = str(Path(place).expanduser().absolute()) if is_file(place) else place
    module = import_one(source, folder=folder)
    found = _look_up(module, name, class_path)
    _refuse_lost(found, class_path)
    try:
        found.spec()
    except DrupeError:
        raise
    except Exception as error:
        raise ClassPathError(f"{class_path} cannot be defined: {_told(error, module.__file__)}") from error
    return found, source


def import_set(settings: Settings) -> None:
    """Import what settings name.

    Raises:
        ClassPathError: something of it cannot be imported.
        SettingsError: the file that names it could have been written by somebody else.
    """
    project.refuse_foreign_imports(settings)
    for name in settings.imports:
        import_one(name, folder=settings.folder)


def import_listed(settings: Settings) -> list[DrupeError]:
    """Import what the project's list and installed distributions name, and get what failed of it.

    Raises:
        SettingsError: the list could have been written by somebody else, or is damaged.
    """
    failed: list[DrupeError] = []
    for name in (*project.listed(settings), *_entry_points()):
        try:
            import_one(name, folder=settings.folder)
        except DrupeError as error:
            failed.append(error)
    return failed


class ListedClasses:
    """The classes that are at hand, and those that a person has put on the project's list since: for a worker that stays.

    What is imported is what the list of the project says, never what a store or a message asks for.

    Args:
        settings: which project.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known = ClassRegistry(Process)
        self._tried: set[str] = set()
        """What this has imported, or tried to; what others imported before is found at hand, or imported once more."""
        self._importing = False

    def find(self, kind: str) -> type[Any]:
        """Get the class of an identifier.

        Raises:
            UnknownClassError: it is not at hand, and the list names nothing new that has it.
        """
        try:
            return self._known.find(kind)
        except UnknownClassError:
            if not self._import_new():
                raise
        return self._known.find(kind)

    def versions(self, kinds: Iterable[str]) -> dict[str, int | None]:
        """Get the version of each class that is at hand now, and None for each that is not; from any thread.

        Nothing is imported for it: while there is something on the list that is not imported yet, which `find` would do,
        a class that is not at hand is left out.
        """
        ripe = not self._importing and not self._new()  # before the classes: what is imported meanwhile is found
        found = self._known.versions(kinds)
        return {kind: version for kind, version in found.items() if ripe or version is not None}

    def _import_new(self) -> bool:
        """Import what is on the list and was not before; False if there is nothing."""
        new = self._new()
        self._importing = bool(new)
        try:
            for name in new:
                self._tried.add(name)
                try:
                    import_one(name, folder=self._settings.folder)
                except DrupeError as error:
                    _LOG.warning("%s", error)
        finally:
            self._importing = False
        return bool(new)

    def _new(self) -> list[str]:
        """Get what is on the list and was not before."""
        try:
            listed = project.listed(self._settings)
        except SettingsError as error:
            _LOG.warning("%s", error)
            return []
        return [name for name in listed if name not in self._tried]


def import_one(name: str, *, folder: Path) -> ModuleType:
    """Import a module, or a file as the module of its stem.

    Raises:
        ClassPathError: it is not there, hides another module, or raised an exception.
    """
    return _import_file(Path(name)) if is_file(name) else _import_module(name, folder)


# --- modules and files -------------------------------------------------------------------------------------


def _import_module(name: str, folder: Path) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise ClassPathError(f"{brief(name)} is neither a module nor a .py file; write MODULE:CLASS or FILE.py:CLASS")
    _search(folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _import_error(name, error) from error
        file = Path(*name.split(".")).with_suffix(".py")
        hint = (
            f"write {file}:CLASS to run the file"
            if file.exists()
            else f"it was sought in {folder} and where Python looks"
        )
        raise ClassPathError(f"there is no module {name!r}; {hint}") from error
    except (Exception, SystemExit) as error:
        raise _import_error(name, error) from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        there = (
            f"; {alternatives(path.name, names)}" if (names := [file.name for file in path.parent.glob("*.py")]) else ""
        )
        raise ClassPathError(f"there is no file {path}{there}")
    stem = path.stem
    if stem in sys.stdlib_module_names or "." in stem:
        why = "has a dot in its name" if "." in stem else f"would hide Python's own module {stem!r}"
        raise ClassPathError(f"{path} {why}; rename the file")
    present = sys.modules.get(stem)
    if present is not None:
        if _is_of(present, path):
            return present
        other = getattr(present, "__file__", None) or "another module"
        raise ClassPathError(f"{path} would be the module {stem!r}, and that is {other} already; rename the file")
    spec = importlib.util.spec_from_file_location(stem, path)
    if spec is None or spec.loader is None:
        raise ClassPathError(f"{path} is not a Python file; its name has to end with .py")
    module = importlib.util.module_from_spec(spec)
    _search(path.parent)
    sys.modules[stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[stem]
        if isinstance(error, Exception | SystemExit):
            raise _import_error(str(path), error) from error
        raise
    return module


def _search(folder: Path) -> None:
    """Have modules found in ``folder`` first, as Python does for the folder of a script."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _is_of(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).exists() and Path(file).samefile(path)


def _entry_points() -> Iterable[str]:
    from importlib import metadata  # only commands that need classes pay for it

    return [point.module for point in metadata.entry_points(group=ENTRY_POINTS)]


# --- classes -----------------------------------------------------------------------------------------------


def _look_up(module: ModuleType, name: str, class_path: str) -> type[Process]:
    classes = [
        each
        for each, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Process)
        if value.__module__ == module.__name__
    ]
    if not name:
        raise ClassPathError(
            f"{class_path} does not say which class: write {class_path}:CLASS; {alternatives('', classes)}"
        )
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        there = alternatives(name, classes) if classes else "there is no process class at all"
        raise ClassPathError(f"{class_path}: there is no {name!r} in it; {there}")
    if not isinstance(found, type) or not issubclass(found, Process):
        raise ClassPathError(
            f"{class_path} is not a process class, but {brief(found)}; derive it from drupe.Process or drupe.WorkChain"
        )
    return found


def _refuse_lost(process_class: type[Process], class_path: str) -> None:
    """Refuse a class that a resume would not find."""
    try:
        found = ClassRegistry(Process).find(kind_of(process_class))
    except UnknownClassError:
        found = None
    if found is not process_class:
        raise ClassPathError(
            f"{class_path} calls itself {kind_of(process_class)}, where it cannot be found again; define it at the top"
            " level of a module, under its own name"
        )


# --- what failed -------------------------------------------------------------------------------------------


def _import_error(name: str, error: BaseException) -> ClassPathError:
    return ClassPathError(f"{name} cannot be imported: {_told(error, name if is_file(name) else None)}")


def _told(error: BaseException, file: str | None) -> str:
    """Get an exception in one line, with the line of ``file`` that it came out of."""
    text = " ".join("".join(traceback.format_exception_only(error)).split())
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {type(error).__name__}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"line {lines[-1]}: {text}" if lines else text

"""Saving objects by the names of their members, and keeping what was saved.

What is saved is a mapping: of each member its value, and under ``!!meta`` the class and how members are to be loaded.
Loading makes the object without calling its constructor. Classes are found by the names that were saved, so whoever
may write what is loaded here is trusted; drupe's own stores hold nothing but data.
"""

import abc
import asyncio
import collections
import fnmatch
import os
import pickle
import types
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from plumpy import copies, events, loaders, utils
from plumpy.base.utils import call_with_super_check, super_check
from plumpy.utils import PID_TYPE, SAVED_STATE_TYPE

if TYPE_CHECKING:
    from plumpy.processes import Process

__all__ = [
    "Bundle",
    "InMemoryPersister",
    "LoadSaveContext",
    "PersistedCheckpoint",
    "Persister",
    "PicklePersister",
    "Savable",
    "SavableFuture",
    "auto_persist",
]

PersistedCheckpoint = collections.namedtuple("PersistedCheckpoint", ["pid", "tag"])
PersistedPickle = collections.namedtuple("PersistedPickle", ["checkpoint", "bundle"])
_PICKLE_SUFFIX = "pickle"

META: str = "!!meta"
META__CLASS_NAME: str = "class_name"
META__OBJECT_LOADER: str = "object_loader"
META__USER: str = "user"
META__TYPES: str = "types"
META__TYPE__METHOD: str = "m"
META__TYPE__SAVABLE: str = "S"


# --- objects ------------------------------------------------------------------------------------------------------


class LoadSaveContext:
    """What saving and loading are told besides the object.

    Args:
        loader: identifies and finds classes.
        kwargs: whatever the objects ask for; read as attributes.
    """

    def __init__(self, loader: loaders.ObjectLoader | None = None, **kwargs: Any) -> None:
        self._values = dict(**kwargs)
        self.loader = loader

    def __getattr__(self, item: str) -> Any:
        if item == "_values":  # while it is being copied it has none
            raise AttributeError(item)
        try:
            return self._values[item]
        except KeyError:
            raise AttributeError(f"item '{item}' not found") from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __contains__(self, item: Any) -> bool:
        return item in self._values

    def copyextend(self, **kwargs: Any) -> "LoadSaveContext":
        """Get a copy that says more."""
        return LoadSaveContext(**{"loader": self.loader, **self._values, **kwargs})


SavableClsType = TypeVar("SavableClsType", bound="type[Savable]")


def auto_persist(*members: str) -> Callable[[SavableClsType], SavableClsType]:
    """Get a class decorator that has these members saved, besides those of the base classes."""

    def decorate(savable: SavableClsType) -> SavableClsType:
        savable._auto_persist = set(savable._auto_persist or ())
        savable.auto_persist(*members)
        return savable

    return decorate


def _ensure_object_loader(context: LoadSaveContext | None, saved_state: SAVED_STATE_TYPE) -> LoadSaveContext:
    """Get a context that has a loader: its own, else the one that the saved state names, else the global one."""
    if context is None:
        context = LoadSaveContext()
    assert isinstance(context, LoadSaveContext)
    if context.loader is not None:
        return context
    loader = loaders.get_object_loader()
    try:
        identifier = Savable.get_custom_meta(saved_state, META__OBJECT_LOADER)
    except ValueError:
        pass
    else:
        loader = loader.load_object(identifier)
    return context.copyextend(loader=loader)


class Savable:
    """An object that can be saved and made again.

    A subclass that has more to save than its members by name overrides `save_instance_state` and
    `load_instance_state`, and calls those of its base.
    """

    CLASS_NAME: str = "class_name"

    _auto_persist: set[str] | None = None
    _persist_configured = False

    @staticmethod
    def load(saved_state: SAVED_STATE_TYPE, load_context: LoadSaveContext | None = None) -> Any:
        """Make an object again, of the class that the saved state names.

        Raises:
            ValueError: it names none, or one that cannot be loaded.
        """
        load_context = _ensure_object_loader(load_context, saved_state)
        assert load_context.loader is not None
        try:
            kind = load_context.loader.load_object(Savable._get_class_name(saved_state))
        except KeyError:
            raise ValueError("Class name not found in saved state") from None
        return kind.recreate_from(saved_state, load_context)

    @classmethod
    def auto_persist(cls, *members: str) -> None:
        """Have these members saved too."""
        if cls._auto_persist is None:
            cls._auto_persist = set()
        cls._auto_persist.update(members)

    @classmethod
    def persist(cls) -> None:
        """Called before an object is first saved or loaded: the place for a call of `auto_persist`."""

    @classmethod
    def recreate_from(cls, saved_state: SAVED_STATE_TYPE, load_context: LoadSaveContext | None = None) -> Any:
        """Make an object of this class again."""
        load_context = _ensure_object_loader(load_context, saved_state)
        made = cls.__new__(cls)
        call_with_super_check(made.load_instance_state, saved_state, load_context)
        return made

    @super_check
    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: LoadSaveContext) -> None:
        """Become what was saved."""
        self._ensure_persist_configured()
        if self._auto_persist is not None:
            self.load_members(self._auto_persist, saved_state, load_context)

    @super_check
    def save_instance_state(self, out_state: SAVED_STATE_TYPE, save_context: LoadSaveContext | None) -> None:
        """Put into ``out_state`` all that is needed to become this object again."""
        self._ensure_persist_configured()
        if self._auto_persist is not None:
            self.save_members(self._auto_persist, out_state)

    def save(self, save_context: LoadSaveContext | None = None) -> SAVED_STATE_TYPE:
        """Get all that is needed to make this object again."""
        if save_context is None:
            save_context = LoadSaveContext()
        utils.type_check(save_context, LoadSaveContext)
        out_state: SAVED_STATE_TYPE = {}
        default = loaders.get_object_loader()
        loader = default
        if save_context.loader is not None:
            loader = save_context.loader
            Savable.set_custom_meta(out_state, META__OBJECT_LOADER, default.identify_object(loader.__class__))
        Savable._set_class_name(out_state, loader.identify_object(self.__class__))
        call_with_super_check(self.save_instance_state, out_state, save_context)
        return out_state

    def save_members(self, members: Iterable[str], out_state: SAVED_STATE_TYPE) -> None:
        """Save members by name: methods of this object by name, savable objects as such, anything else as a copy.

        Raises:
            TypeError: a member is a method of another object.
        """
        for member in members:
            value = getattr(self, member)
            if type(value) in copies.ATOMS:
                pass
            elif isinstance(value, types.MethodType):
                if value.__self__ is not self:
                    raise TypeError("Cannot persist methods of other classes")
                Savable._set_meta_type(out_state, member, META__TYPE__METHOD)
                value = value.__name__
            elif isinstance(value, Savable):
                Savable._set_meta_type(out_state, member, META__TYPE__SAVABLE)
                value = value.save()
            else:
                value = copies.deepcopy(value)
            out_state[member] = value

    def load_members(
        self, members: Iterable[str], saved_state: SAVED_STATE_TYPE, load_context: LoadSaveContext | None = None
    ) -> None:
        """Set members by name to what was saved of them."""
        how = saved_state.get(META, {}).get(META__TYPES) or {}
        for member in members:
            value, way = saved_state[member], how.get(member)
            if way == META__TYPE__SAVABLE:
                value = Savable.load(value, load_context)
            elif way == META__TYPE__METHOD:
                value = getattr(self, value)
            setattr(self, member, value)

    def _ensure_persist_configured(self) -> None:
        if not self._persist_configured:
            self.persist()
            self._persist_configured = True

    # --- what is saved about the object ---------------------------------------------------------------------------

    @staticmethod
    def set_custom_meta(out_state: SAVED_STATE_TYPE, name: str, value: Any) -> None:
        """Note something about the object, besides its members."""
        Savable._get_create_meta(out_state).setdefault(META__USER, {})[name] = value

    @staticmethod
    def get_custom_meta(saved_state: SAVED_STATE_TYPE, name: str) -> Any:
        """Get something that stands beside the class name; raises `ValueError` when it does not.

        What `set_custom_meta` notes is kept one level below, and is not found here: so it always was, and checkpoints
        rely on it, which name a loader but are to be loaded by the one that is in use.
        """
        try:
            return saved_state[META][name]
        except KeyError:
            raise ValueError(f"Unknown meta key '{name}'") from None

    @staticmethod
    def _get_create_meta(out_state: SAVED_STATE_TYPE) -> dict[str, Any]:
        found: dict[str, Any] = out_state.setdefault(META, {})
        return found

    @staticmethod
    def _set_class_name(out_state: SAVED_STATE_TYPE, name: str) -> None:
        Savable._get_create_meta(out_state)[META__CLASS_NAME] = name

    @staticmethod
    def _get_class_name(saved_state: SAVED_STATE_TYPE) -> str:
        name: str = Savable._get_create_meta(saved_state)[META__CLASS_NAME]
        return name

    @staticmethod
    def _set_meta_type(out_state: SAVED_STATE_TYPE, name: str, type_spec: Any) -> None:
        Savable._get_create_meta(out_state).setdefault(META__TYPES, {})[name] = type_spec


@auto_persist("_state", "_result")
class SavableFuture(asyncio.Future[Any], Savable):
    """A future that can be saved; who waits for it is not saved."""

    def save_instance_state(self, out_state: SAVED_STATE_TYPE, save_context: LoadSaveContext | None) -> None:
        """Save the outcome."""
        super().save_instance_state(out_state, save_context)
        if self.done() and not self.cancelled() and self.exception() is not None:
            out_state["exception"] = self.exception()

    @classmethod
    def recreate_from(cls, saved_state: SAVED_STATE_TYPE, load_context: LoadSaveContext | None = None) -> Any:
        """Get a future of the context's loop that has the outcome that was saved."""
        load_context = _ensure_object_loader(load_context, saved_state)
        made = cls(loop=load_context.loop if "loop" in load_context else events.get_or_create_event_loop())
        state = saved_state["_state"]
        if state == "CANCELLED":
            made.cancel()
        elif state == "FINISHED" and "exception" in saved_state:
            made.set_exception(saved_state["exception"])
        elif state == "FINISHED":
            made.set_result(saved_state["_result"])
        return made

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: LoadSaveContext) -> None:
        """Become what was saved; whoever waited for it waits no more."""
        super().load_instance_state(saved_state, load_context)
        for callback, _ in list(getattr(self, "_callbacks", None) or ()):
            self.remove_done_callback(callback)


# --- bundles ------------------------------------------------------------------------------------------------------


class Bundle(dict[str, Any]):
    """What was saved of an object.

    Args:
        savable: the object.
        save_context: what saving is told besides.
        dereference: copy all that was saved.
    """

    def __init__(
        self, savable: Savable, save_context: LoadSaveContext | None = None, dereference: bool = False
    ) -> None:
        super().__init__()
        saved = savable.save(save_context)
        self.update(copies.deepcopy(saved) if dereference else saved)

    def unbundle(self, load_context: LoadSaveContext | None = None) -> Any:
        """Make the object again."""
        return Savable.load(self, load_context)


class BundleSaver:
    """The saved form of processes here, as `drupe.interfaces.saver.Saver` wants it: bundles.

    Args:
        save_context: what saving is told besides.
        load_context: what loading is told besides.
    """

    def __init__(
        self, save_context: LoadSaveContext | None = None, load_context: LoadSaveContext | None = None
    ) -> None:
        self._save_context = save_context
        self._load_context = load_context

    def dump(self, process: "Process") -> Bundle:
        """Get a bundle, which shares nothing with the process."""
        return Bundle(process, self._save_context, dereference=True)

    def load(self, saved: Bundle) -> Any:
        """Make the process again; the bundle stays as it is."""
        return saved.unbundle(self._load_context)


_BUNDLE_TAG = "!plumpy:Bundle"


def uuid_representer(dumper: Any, data: Any) -> Any:
    """Write a UUID as YAML."""
    return dumper.represent_scalar("!uuid", str(data))


def uuid_constructor(loader: Any, node: Any) -> uuid.UUID:
    """Read a UUID from YAML."""
    return uuid.UUID(loader.construct_scalar(node))


def _bundle_representer(dumper: Any, node: Any) -> Any:
    return dumper.represent_mapping(_BUNDLE_TAG, node)


def _bundle_constructor(loader: Any, data: Any) -> Generator[Bundle, None, None]:
    bundle = Bundle.__new__(Bundle)
    yield bundle
    bundle.update(loader.construct_mapping(data))


yaml.add_representer(uuid.UUID, uuid_representer)
yaml.add_constructor("!uuid", uuid_constructor)
yaml.add_representer(Bundle, _bundle_representer)
yaml.add_constructor(_BUNDLE_TAG, _bundle_constructor)


# --- keeping bundles ----------------------------------------------------------------------------------------------


class Persister(metaclass=abc.ABCMeta):
    """Keeps checkpoints of processes, by process id and a tag."""

    @abc.abstractmethod
    def save_checkpoint(self, process: "Process", tag: str | None = None) -> None:
        """Keep the process as it is now, in place of what was kept under the tag; raises `PersistenceError`."""

    @abc.abstractmethod
    def load_checkpoint(self, pid: PID_TYPE, tag: str | None = None) -> Bundle:
        """Get what was kept; raises `PersistenceError`."""

    @abc.abstractmethod
    def get_checkpoints(self) -> list[PersistedCheckpoint]:
        """Get the process ids and tags of all that is kept."""

    @abc.abstractmethod
    def get_process_checkpoints(self, pid: PID_TYPE) -> list[PersistedCheckpoint]:
        """Get the process id and tags of all that is kept of one process."""

    @abc.abstractmethod
    def delete_checkpoint(self, pid: PID_TYPE, tag: str | None = None) -> None:
        """Keep one no longer; nothing happens when it was not kept."""

    @abc.abstractmethod
    def delete_process_checkpoints(self, pid: PID_TYPE) -> None:
        """Keep none of a process any longer."""


class PicklePersister(Persister):
    """Keeps pickles in a folder. Loading a pickle runs what it says, so whoever may write there is trusted.

    Args:
        pickle_directory: the folder, which is made when it does not exist.

    Raises:
        ValueError: it cannot be made.
    """

    def __init__(self, pickle_directory: str) -> None:
        super().__init__()
        try:
            PicklePersister.ensure_pickle_directory(pickle_directory)
        except OSError:
            raise ValueError(f"failed to create the pickle directory at {pickle_directory}") from None
        self._pickle_directory = pickle_directory

    @staticmethod
    def ensure_pickle_directory(dirpath: str) -> None:
        """Make the folder if there is nothing of this name."""
        try:
            os.makedirs(dirpath)
        except FileExistsError:
            pass

    @staticmethod
    def load_pickle(filepath: str) -> PersistedPickle:
        """Load what is in a file."""
        with open(filepath, "rb") as file:
            found: PersistedPickle = pickle.load(file)
        return found

    @staticmethod
    def pickle_filename(pid: PID_TYPE, tag: str | None = None) -> str:
        """Get the name of the file of a process and a tag."""
        return f"{pid}.{_PICKLE_SUFFIX}" if tag is None else f"{pid}.{tag}.{_PICKLE_SUFFIX}"

    def _pickle_filepath(self, pid: PID_TYPE, tag: str | None = None) -> str:
        return os.path.join(self._pickle_directory, PicklePersister.pickle_filename(pid, tag))

    def save_checkpoint(self, process: "Process", tag: str | None = None) -> None:
        """Write a file, in place of the one that is there."""
        kept = PersistedPickle(PersistedCheckpoint(process.pid, tag), Bundle(process))
        with open(self._pickle_filepath(process.pid, tag), "wb") as file:
            pickle.dump(kept, file)

    def load_checkpoint(self, pid: PID_TYPE, tag: str | None = None) -> Bundle:
        """Read a file; raises `FileNotFoundError` when there is none."""
        found: Bundle = PicklePersister.load_pickle(self._pickle_filepath(pid, tag)).bundle
        return found

    def get_checkpoints(self) -> list[PersistedCheckpoint]:
        """Get the process ids and tags of all files, in this folder and below."""
        return [
            PicklePersister.load_pickle(os.path.join(self._pickle_directory, name)).checkpoint
            for _, _, names in os.walk(self._pickle_directory)
            for name in fnmatch.filter(names, f"*.{_PICKLE_SUFFIX}")
        ]

    def get_process_checkpoints(self, pid: PID_TYPE) -> list[PersistedCheckpoint]:
        """Get the process id and tags of the files of one process."""
        return [each for each in self.get_checkpoints() if each.pid == pid]

    def delete_checkpoint(self, pid: PID_TYPE, tag: str | None = None) -> None:
        """Remove a file; nothing happens when there is none."""
        try:
            os.remove(self._pickle_filepath(pid, tag))
        except OSError:
            pass

    def delete_process_checkpoints(self, pid: PID_TYPE) -> None:
        """Remove the files of a process."""
        for each in self.get_process_checkpoints(pid):
            self.delete_checkpoint(each.pid, each.tag)


class InMemoryPersister(Persister):
    """Keeps checkpoints in memory, for tests.

    Args:
        loader: identifies classes.
    """

    def __init__(self, loader: loaders.ObjectLoader | None = None) -> None:
        super().__init__()
        self._checkpoints: dict[PID_TYPE, dict[str | None, Bundle]] = {}
        self._save_context = LoadSaveContext(loader=loader)
        self._saver = BundleSaver(self._save_context)

    def save_checkpoint(self, process: "Process", tag: str | None = None) -> None:
        """Keep a copy."""
        self._checkpoints.setdefault(process.pid, {})[tag] = self._saver.dump(process)

    def load_checkpoint(self, pid: PID_TYPE, tag: str | None = None) -> Bundle:
        """Get what was kept; raises `KeyError` when nothing was."""
        return self._checkpoints[pid][tag]

    def get_checkpoints(self) -> list[PersistedCheckpoint]:
        """Get the process ids and tags of all that is kept."""
        return [PersistedCheckpoint(pid, tag) for pid, tags in self._checkpoints.items() for tag in tags]

    def get_process_checkpoints(self, pid: PID_TYPE) -> list[PersistedCheckpoint]:
        """Get the process id and tags of all that is kept of one process."""
        return [PersistedCheckpoint(pid, tag) for tag in self._checkpoints.get(pid, ())]

    def delete_checkpoint(self, pid: PID_TYPE, tag: str | None = None) -> None:
        """Keep one no longer; nothing happens when it was not kept."""
        self._checkpoints.get(pid, {}).pop(tag, None)

    def delete_process_checkpoints(self, pid: PID_TYPE) -> None:
        """Keep none of a process any longer."""
        self._checkpoints.pop(pid, None)

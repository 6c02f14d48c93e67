"""Putting the parts together: the only file that names concrete backends."""

from pathlib import Path

from drupe.interfaces.registry import Registry
from drupe.interfaces.store import Store
from drupe.service.presence import Presence
from drupe.service.profile import Settings
from drupe.service.runner import Runner
from drupe.storage.sqlite.store import SqliteStore


def open_store(settings: Settings) -> Store:
    """Get the store that the settings name, not opened yet."""
    return SqliteStore(
        settings.store,
        durability=settings.durability,
        retention=settings.retention,
        max_bytes=settings.max_state_bytes,
    )


def open_runner(settings: Settings, *, registry: Registry | None = None) -> Runner:
    """Get a runner on the store that the settings name: an async context manager."""
    return Runner(
        open_store(settings),
        registry=registry,
        presence=Presence(presence_folder(settings.store)),
        lease=settings.lease,
    )


def presence_folder(store: Path) -> Path:
    """Get the folder where the owners of processes of a store file show that they live."""
    return store.parent / "owners"

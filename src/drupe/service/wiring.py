"""Putting the parts together: the only file that names concrete backends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from drupe.interfaces.communicator import Communicator
from drupe.interfaces.registry import Registry
from drupe.interfaces.store import Store
from drupe.service.attendant import POLL
from drupe.service.controller import Controller
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


def open_runner(settings: Settings, *, registry: Registry | None = None, poll: float | None = POLL) -> Runner:
    """Get a runner on the store that the settings name: an async context manager; ``registry`` and ``poll`` as in `Runner`."""
    return Runner(
        open_store(settings),
        registry=registry,
        presence=Presence(presence_folder(settings.store)),
        lease=settings.lease,
        poll=poll,
    )


@asynccontextmanager
async def open_controller(settings: Settings, communicator: Communicator | None = None) -> AsyncIterator[Controller]:
    """Get a controller of the processes in the store that the settings name, for the time of a block.

    Args:
        settings: which store.
        communicator: how owners are told, and how one hears of changes; open. None leaves it to asking the store.
    """
    store = open_store(settings)
    await store.open()
    try:
        presence = Presence(presence_folder(settings.store))
        async with Controller(store, communicator, presence=presence) as controller:
            yield controller
    finally:
        await store.close()


def presence_folder(store: Path) -> Path:
    """Get the folder where the owners of processes of a store file show that they live."""
    return store.parent / "owners"

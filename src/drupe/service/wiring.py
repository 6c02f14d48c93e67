"""Putting the parts together: the only file that names concrete backends."""

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from drupe.core.record import Record
from drupe.core.status import Lack
from drupe.errors import CommunicationError, SettingsError
from drupe.interfaces.communicator import DEADLINE, DEFAULT_QUEUE, Communicator, FarCommunicator
from drupe.interfaces.hints import Hints
from drupe.interfaces.moving import Place
from drupe.interfaces.registry import Registry
from drupe.interfaces.store import Store
from drupe.interfaces.task_queue import TaskQueue
from drupe.messaging.local.communicator import LocalCommunicator
from drupe.messaging.loop import LoopCommunicator
from drupe.messaging.thread import ThreadCommunicator
from drupe.runtime import bridge
from drupe.runtime.clock import SystemClock
from drupe.service import keys
from drupe.service.attendant import POLL
from drupe.service.classes import ListedClasses
from drupe.service.controller import Controller
from drupe.service.database import Database
from drupe.service.deadline import within
from drupe.service.deaths import Deaths
from drupe.service.heeding import heed_work
from drupe.service.lacking import idle, lacks
from drupe.service.presence import Presence
from drupe.service.profile import LOCAL, Settings
from drupe.service.runner import Runner
from drupe.service.worker import SLOTS, SWEEP, Worker
from drupe.storage.sqlite.moving import SqlitePlace
from drupe.storage.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from drupe.storage.postgres.store import PostgresStore

_LOG: Final = logging.getLogger("drupe.service")

_LONGEST: Final = 80
"""Bytes of the path of a folder for sockets: with what is in it, it has to stay below the 108 of the kernel."""
_ASKING: Final = 3.0
"""Seconds for asking all workers what they can run, getting to them included."""
_SWEEP: Final = 0.2
"""Seconds between two looks for what nobody holds, at least. A fifth of a lease is enough: what it lapses for goes on by then."""


@dataclass(frozen=True, slots=True)
class Remote:
    """What somebody has at hand who has others run processes.

    Attributes:
        store: where the processes are; open.
        communicator: how workers are reached; open.
        controller: asks processes for something.
    """

    store: Store
    communicator: Communicator
    controller: Controller


def open_store(settings: Settings) -> Store:
    """Get the store that the settings name, not opened yet.

    Raises:
        SettingsError: the address of a database cannot be, or its library is not installed.
    """
    if isinstance(settings.store, Database):
        return _open_database(settings.store, settings)
    return SqliteStore(
        settings.store,
        durability=settings.durability,
        retention=settings.retention,
        max_bytes=settings.max_state_bytes,
    )


def _open_database(database: Database, settings: Settings) -> Store:
    try:
        from drupe.storage.postgres.store import PostgresStore
    except ImportError as error:
        raise SettingsError(f"store: PostgreSQL takes an extra: pip install 'drupe[postgres]' ({error})") from error
    return PostgresStore(
        database.url,
        durability=settings.durability,
        retention=settings.retention,
        max_bytes=settings.max_state_bytes,
        telling=settings.broker == LOCAL,
    )


def place_of(store: Path | Database) -> Place:
    """Get one end of a move, not opened yet.

    Raises:
        SettingsError: the address of a database cannot be, or its library is not installed.
    """
    if isinstance(store, Path):
        return SqlitePlace(store.resolve(), clock=SystemClock())
    try:
        from drupe.storage.postgres.moving import PostgresPlace
    except ImportError as error:
        raise SettingsError(f"store: PostgreSQL takes an extra: pip install 'drupe[postgres]' ({error})") from error
    return PostgresPlace(store.url)


def communicator_for(settings: Settings, store: Store) -> FarCommunicator:
    """Get a communicator among those of the settings' broker, on a thread of its own and not opened yet.

    Args:
        settings: which broker.
        store: where tasks lie if there is none; open as long as the communicator is.

    Raises:
        SettingsError: the broker's address cannot be, or its library is not installed.
    """
    return LoopCommunicator(ThreadCommunicator(_maker(settings, store)))


def _maker(settings: Settings, store: Store) -> Callable[[], Communicator]:
    if settings.broker == LOCAL:
        folder, tasks = meeting_folder(settings), _tasks(settings, store)
        return partial(LocalCommunicator, folder, tasks, hints=_hints(settings, store))
    try:
        from drupe.messaging.rabbitmq.communicator import RabbitmqCommunicator
        from drupe.messaging.rabbitmq.topology import Topology
    except ImportError as error:
        raise SettingsError(f"broker: RabbitMQ takes an extra: pip install 'drupe[rabbitmq]' ({error})") from error
    topology = Topology(prefix=f"drupe.{_name(settings)}")  # workers of another store on this broker are others
    make = partial(RabbitmqCommunicator, settings.broker, topology=topology, keys=keys.of(settings))
    make()  # what cannot be is refused here, and not on the thread
    return make


def _tasks(settings: Settings, store: Store) -> TaskQueue:
    """Get the queue of tasks for those who meet in a folder; in a database it may be that of other machines, too."""
    if not isinstance(settings.store, Database):
        return store.tasks
    from drupe.storage.postgres.task_queue import PostgresTaskQueue, SharedTaskQueue

    return SharedTaskQueue(cast("PostgresTaskQueue", store.tasks))


def _hints(settings: Settings, store: Store) -> Hints | None:
    """Get what tells of the commits of programs on other machines, where no broker does it and sockets do not reach them."""
    if not isinstance(settings.store, Database) or settings.broker != LOCAL:
        return None
    return cast("PostgresStore", store).hints


@asynccontextmanager
async def open_communicator(settings: Settings) -> AsyncIterator[FarCommunicator]:
    """Get a communicator among those of the settings' broker, for the time of a block.

    Its connection lives on a thread of its own, and what is subscribed is called on the running loop.

    Args:
        settings: which broker, and which store: tasks lie in it where there is no broker, and programs with another
            store are in another world.

    Raises:
        SettingsError: the broker's address cannot be, or its library is not installed.
        CommunicationError: the broker cannot be reached.
    """
    store = open_store(settings)
    await store.open()
    try:
        communicator = communicator_for(settings, store)
        await communicator.open()
        try:
            yield communicator
        finally:
            await communicator.close()
    finally:
        await store.close()


@contextmanager
def open_blocking_communicator(settings: Settings) -> Iterator[ThreadCommunicator]:
    """Get a communicator for plain code, for the time of a block; what is taken and raised is as in `open_communicator`.

    What is subscribed is called on the communicator's thread.
    """
    store = open_store(settings)
    bridge.run(store.open())
    try:
        with ThreadCommunicator(_maker(settings, store)) as communicator:
            yield communicator
    finally:
        bridge.run(store.close())


def open_runner(
    settings: Settings, *, registry: Registry | None = None, poll: float | None = POLL, in_touch: bool = False
) -> Runner:
    """Get a runner on the store that the settings name: an async context manager.

    Args:
        settings: which store, and which broker.
        registry: where classes of resumed processes come from; by default what is imported.
        poll: seconds after which an order to a process is found that nobody told of; None leaves it to hints.
        in_touch: whether others hear at once what becomes of its processes, and reach it by its name. Without it they
            look into the store, and it does, unless the store itself tells of orders (PostgreSQL, where there is no broker).
    """
    store = open_store(settings)
    return Runner(
        store,
        registry=registry,
        presence=Presence(presence_folder(settings)),
        lease=settings.lease,
        poll=poll,
        hints=_hints(settings, store),
        attempts=settings.attempts,
        communicator=communicator_for(settings, store) if in_touch else None,
    )


@asynccontextmanager
async def open_worker(
    settings: Settings, *, slots: int = SLOTS, queue: str = DEFAULT_QUEUE, former: str | None = None
) -> AsyncIterator[Worker]:
    """Get a worker on the store that the settings name, for the time of a block; it is at work while `Worker.work` runs.

    Args:
        settings: which store, and which broker.
        slots: how many processes take steps at a time.
        queue: which queue of tasks.
        former: the owner that this program was before it was cut off. The store may know it still; what it held is released, or
            that would count as a failed attempt of each.

    Raises:
        CommunicationError: the broker cannot be reached.
    """
    store = open_store(settings)
    communicator = communicator_for(settings, store)
    presence = Presence(presence_folder(settings))
    deaths, registry, hints = Deaths(presence), ListedClasses(settings), _hints(settings, store)
    runner = Runner(
        store,
        registry=registry,
        presence=presence,
        lease=settings.lease,
        hints=hints,
        attempts=settings.attempts,
        communicator=communicator,
    )
    async with runner:
        if former is not None:
            await store.leave(former)
        worker = Worker(
            runner,
            communicator,
            registry,
            dead=deaths.known,
            slots=slots,
            queue=queue,
            sweep=min(SWEEP, max(settings.lease / 5, _SWEEP)),
            deaths=deaths,
        )
        if hints is not None:
            heed_work(hints, worker)
        yield worker


@asynccontextmanager
async def open_remote(settings: Settings, *, deadline: float | None = None) -> AsyncIterator[Remote]:
    """Get what has processes run by workers, and controls them, for the time of a block.

    Args:
        settings: which store, and which broker.
        deadline: seconds for getting there; None: as long as each of them takes. 0 is for those who wait for no answer, and
            leaves it the time that any call has: they want to be heard.

    Raises:
        CommunicationError: the broker cannot be reached.
        DeadlineError: it took too long.
    """
    store = open_store(settings)
    communicator = communicator_for(settings, store)
    controller = Controller(
        store, communicator, presence=Presence(presence_folder(settings)), hints=_hints(settings, store)
    )
    async with AsyncExitStack() as stack:
        async with within(DEADLINE if deadline == 0 else deadline, "store and broker have not answered"):
            await store.open()
            stack.push_async_callback(store.close)
            await communicator.open()
            stack.push_async_callback(communicator.close)
            await stack.enter_async_context(controller)
        yield Remote(store, communicator, controller)


async def lacks_of(settings: Settings, store: Store, records: Iterable[Record], *, now: float) -> dict[str, Lack]:
    """Get, by pid, why nobody goes on with processes that could go on; see `drupe.service.lacking`.

    Workers are asked only if there is such a process, and nothing is known if that takes too long or there is no way to them.

    Args:
        settings: which broker.
        store: where the processes are; open.
        records: their rows.
        now: seconds since 1970 (UTC).
    """
    presence = Presence(presence_folder(settings))
    found = await idle(store, records, presence=presence, now=now)
    if not found.records:
        return {}
    if not found.owners:
        return await lacks(store, None, found, presence=presence)
    try:
        async with asyncio.timeout(_ASKING):
            communicator = communicator_for(settings, store)
            await communicator.open()
            try:
                return await lacks(store, communicator, found, presence=presence)
            finally:
                await communicator.close()
    except (CommunicationError, SettingsError, TimeoutError) as error:
        _LOG.info("workers could not be asked what they can run: %s", error)
        return {}


@asynccontextmanager
async def open_controller(
    settings: Settings, communicator: Communicator | None = None, *, in_touch: bool = False
) -> AsyncIterator[Controller]:
    """Get a controller of the processes in the store that the settings name, for the time of a block.

    Args:
        settings: which store, and which broker.
        communicator: how workers and owners are told, and how one hears of changes; open. None leaves it to asking the store.
        in_touch: have one made, by the settings, as workers have it. It takes this to launch anything.

    Raises:
        CommunicationError: the broker cannot be reached.
    """
    if in_touch:
        async with open_remote(settings) as remote:
            yield remote.controller
        return
    store = open_store(settings)
    await store.open()
    try:
        presence = Presence(presence_folder(settings))
        hints = _hints(settings, store)
        async with Controller(store, communicator, presence=presence, hints=hints) as controller:
            yield controller
    finally:
        await store.close()


def presence_folder(settings: Settings) -> Path:
    """Get the folder where the owners of processes of a store show that they live."""
    return settings.beside / "owners"


def meeting_folder(settings: Settings) -> Path:
    """Get the folder where programs with this store meet: beside it, or elsewhere if its path is too long for sockets."""
    alone = isinstance(settings.store, Path)  # a folder beside a database may be beside others, too
    folder = settings.beside.absolute() / ("meet" if alone else f"meet-{_name(settings)}")
    if len(os.fsencode(folder)) <= _LONGEST:
        return folder
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"drupe-{os.geteuid()}-{_name(settings)}"


def _name(settings: Settings) -> str:
    """Get a name that programs with the same store have alike, on every machine that knows it by the same address."""
    store = settings.store
    named = os.fsencode(store.resolve()) if isinstance(store, Path) else store.identity.encode()
    return blake2b(named, digest_size=8).hexdigest()

"""What `drupe migrate` does: a move between the stores that settings and an address name, and what belongs around it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from drupe.core.message import Task, decode_message
from drupe.errors import MessageError, StoreUnavailableError
from drupe.interfaces.ambient import Probe
from drupe.interfaces.moving import Phase, Place, Side
from drupe.runtime.probe import quiet
from drupe.service.database import Database, is_address
from drupe.service.moving import Move, Moved, Seen, unseen
from drupe.service.presence import Presence
from drupe.service.profile import Settings
from drupe.service.wiring import communicator_for, open_store, place_of, presence_folder

_BATCH: Final = 100


def destination(text: str) -> Path | Database:
    """Get the place that a text names, as the setting `store` would be read in the current folder."""
    return Database(text) if is_address(text) else Path.cwd() / Path(text).expanduser()


def migrate(
    settings: Settings, to: Path | Database, *, probe: Probe = quiet, seen: Seen = unseen
) -> tuple[Moved, list[str]]:
    """Move the store of the settings, or go on with that; get what came of it, and the tables beside it that were left.

    Raises:
        SettingsError: both are the same place, or an address cannot be.
        StoreError: as `Move.run`.
    """
    presence = Presence(presence_folder(settings))
    dead = {name for name in presence.known() if presence.is_dead(name)}
    with _opened(place_of(settings.store)) as source:
        if source.mark(Side.SOURCE) is None:
            source.refuse_living(dead)  # before anything is made at the other end
        with _opened(place_of(to)) as target:
            moved = Move(source, target, dead=dead, probe=probe, seen=seen).run()
        return moved, source.others()


def is_unfinished(settings: Settings) -> bool:
    """Tell whether the store of the settings is closed by a move that did not come to its end.

    Raises:
        StoreError: it cannot be read.
    """
    with _opened(place_of(settings.store)) as source:
        mark = source.mark(Side.SOURCE)
    return mark is not None and mark.phase is Phase.CLOSED


def take_back(settings: Settings, to: Path | Database, *, probe: Probe = quiet) -> bool:
    """Take a move back whose target was never opened; False if there is nothing to be taken back.

    A target that cannot be reached is left as it is where nobody can have opened it.

    Raises:
        StoreError: as `Move.undo`.
    """
    with _opened(place_of(settings.store)) as source:
        target = place_of(to)
        try:
            _open_there(target, to)
        except StoreUnavailableError:
            here = source.mark(Side.SOURCE)
            if here is None and isinstance(to, Path):
                return False
            if here is None or here.phase is not Phase.CLOSED or here.place != target.shown:
                raise
            source.unseal(here)
            return True
        with closing(target):
            return Move(source, target, probe=probe).undo()


def _open_there(target: Place, to: Path | Database) -> None:
    """Open what is there; a file that is not is not made."""
    if isinstance(to, Path) and not to.exists():
        raise StoreUnavailableError(f"there is no store {to}")
    target.open()


async def hand_over(settings: Settings, to: Path | Database, *, probe: Probe = quiet) -> tuple[int, int]:
    """Send the tasks that wait in a store to its broker; get how many were sent, and how many could not be read and stay.

    Each is sent before it is removed: one that is sent twice by that is a process launched once, since it names the pid.

    Args:
        settings: which broker; the store is not looked at.
        to: where the tasks are.
        probe: passed around each.

    Raises:
        CommunicationError: the broker cannot be reached; what was not sent stays.
    """
    at = replace(settings, store=to)
    store = open_store(at)
    communicator = communicator_for(at, store)
    sent = left = number = 0
    with _opened(place_of(to)) as place:
        await communicator.open()
        try:
            while batch := place.tasks(number, _BATCH):
                for number, body in batch:
                    task = _read(body)
                    if task is None:
                        left += 1
                        continue
                    probe("move.send")
                    await communicator.task_send(task.body, queue=task.queue, no_reply=True)
                    probe("move.sent")
                    place.settle(number)
                    sent += 1
        finally:
            await communicator.close()
    return sent, left


def _read(body: bytes) -> Task | None:
    try:
        found = decode_message(body)
    except MessageError:
        return None
    return found if isinstance(found, Task) else None


@contextmanager
def _opened(place: Place) -> Iterator[Place]:
    place.open()
    with closing(place):
        yield place

"""Why nobody goes on with processes that could go on: no worker is there, or none can run their class in their version.

Workers leave alone what they cannot run and do not say so to anybody, so they are asked: each of them once, for all the
classes together. Whoever does not answer may be able to, and is never counted as one who cannot.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from drupe.core.lifecycle import TERMINAL
from drupe.core.message import MAX_KINDS, RepertoireRequest, request_body
from drupe.core.record import Record, is_queued
from drupe.core.snapshot import Snapshot
from drupe.core.status import Lack, Repertoire
from drupe.errors import (
    CommunicationError,
    CorruptedError,
    MessageError,
    RemoteError,
    SnapshotError,
    UnknownProcessError,
    UnroutableError,
)
from drupe.interfaces.communicator import DEFAULT_QUEUE, Communicator
from drupe.interfaces.store import Store
from drupe.service.presence import Presence

DEADLINE: Final = 2.0
"""Seconds that each worker has to answer."""
_CLOSELY: Final = 100
"""So many processes are looked at in their checkpoints: an upcast may have made them newer than when they were created."""


class Idle(msgspec.Struct, frozen=True):
    """Processes that could go on and that nobody holds.

    Attributes:
        records: their rows.
        owners: everybody who may be alive and run something.
    """

    records: tuple[Record, ...]
    owners: tuple[str, ...]


NOBODY: Final = Lack("no worker is running", "start one with: drupe worker, or have it run here with: drupe resume PID")


class Workers(msgspec.Struct, frozen=True):
    """Who could run something.

    Attributes:
        answers: of those who take something on.
        silent: how many may be workers and do not answer.
    """

    answers: tuple[Repertoire, ...]
    silent: int

    def lack(self, kind: str, version: int, queue: str | None) -> Lack | None:
        """Get why nobody of a queue (None: of any) can run a version of a class; None if somebody can, or may be able to."""
        if not self.answers:
            return None if self.silent else NOBODY
        answers = [answer for answer in self.answers if queue in (None, answer.queue)]
        if not answers:
            return self.lack_of_queue(str(queue))
        if any(kind not in answer.versions for answer in answers):  # it is about to import what may have the class
            return None
        newest = max((answer.versions[kind] or 0 for answer in answers), default=0)
        if newest >= version:
            return None
        among = f" among those that answer ({self.silent} may be more and do not)" if self.silent else ""
        if newest:
            return Lack(
                f"no worker for {kind} v{version}{among}",
                f"the newest has v{newest} of it: start workers anew with newer code",
            )
        return Lack(f"no worker for {kind} v{version}{among}", "start one that has it: drupe worker --import FILE")

    def lack_of_queue(self, queue: str) -> Lack | None:
        """Get why nobody takes tasks from a queue; None if somebody does, or may do."""
        if self.silent or any(answer.queue == queue for answer in self.answers):
            return None
        start = "start one with: drupe worker" + ("" if queue == DEFAULT_QUEUE else f" --queue {queue}")
        return Lack(f"no worker for queue {queue}" if self.answers else NOBODY.said, start)


async def idle(store: Store, records: Iterable[Record], *, presence: Presence | None, now: float) -> Idle:
    """Get those of some processes that could go on, and that nobody holds who may be alive."""
    able = [record for record in records if _could_go_on(record, now)]
    owners = await living(store, presence) if able else ()
    return Idle(tuple(record for record in able if record.owner not in owners), owners)


async def lacks(
    store: Store,
    communicator: Communicator | None,
    found: Idle,
    *,
    presence: Presence | None,
    deadline: float = DEADLINE,
) -> dict[str, Lack]:
    """Get, by pid, why nobody goes on with processes; those that somebody can run, or may be able to, are left out.

    Args:
        store: where the processes are.
        communicator: how workers are asked; open. None: nobody is, so nothing is known if there may be one.
        found: the processes; see `idle`.
        presence: tells who is on this machine; None: nothing is known of that.
        deadline: seconds that each worker has to answer.
    """
    kinds = sorted({record.kind for record in found.records})
    workers = await ask(communicator, found.owners, kinds, presence=presence, deadline=deadline)
    lacking = {record.pid: workers.lack(record.kind, record.version, record.queue) for record in found.records}
    # What an upcast has saved since is newer than the row says; so many is a page that somebody looks at.
    doubtful = [record for record in found.records if lacking[record.pid] is None][: _CLOSELY if workers.answers else 0]
    for record, version in zip(
        doubtful, await asyncio.gather(*(_version(store, each) for each in doubtful)), strict=True
    ):
        lacking[record.pid] = workers.lack(record.kind, version, record.queue)
    return {pid: lack for pid, lack in lacking.items() if lack is not None}


async def lack_of_queue(
    store: Store,
    communicator: Communicator | None,
    queue: str,
    *,
    presence: Presence | None,
    deadline: float = DEADLINE,
) -> Lack | None:
    """Get why nobody takes tasks from a queue; None if somebody does, or may do."""
    workers = await ask(communicator, await living(store, presence), (), presence=presence, deadline=deadline)
    return workers.lack_of_queue(queue)


async def ask(
    communicator: Communicator | None,
    owners: Sequence[str],
    kinds: Sequence[str],
    *,
    presence: Presence | None,
    deadline: float = DEADLINE,
) -> Workers:
    """Ask all at once which versions of some classes they have."""
    if communicator is None:
        return Workers((), silent=len(owners))
    here = presence.known() if presence is not None and owners else set()
    answers = await asyncio.gather(
        *(_ask(communicator, owner, kinds, here=owner in here, deadline=deadline) for owner in owners)
    )
    said = [answer for answer in answers if answer is not None]
    working = tuple(answer for answer in said if answer.queue is not None)
    return Workers(working, silent=len(answers) - len(said))


async def living(store: Store, presence: Presence | None) -> tuple[str, ...]:
    """Get everybody who may be alive and run something."""
    dead = presence.is_dead if presence is not None else lambda _: False
    owners = await store.owners()
    return tuple(owner.name for owner in owners if owner.left is not None and owner.left > 0 and not dead(owner.name))


def _could_go_on(record: Record, now: float) -> bool:
    if record.state in TERMINAL or record.paused:
        return False
    return not record.parked or is_queued(record) or (record.wake_at is not None and record.wake_at <= now)


async def _ask(
    communicator: Communicator, owner: str, kinds: Sequence[str], *, here: bool, deadline: float
) -> Repertoire | None:
    """Get what somebody can run; None if it does not answer, and may be a worker."""
    found = Repertoire()
    try:
        for some in _chunks(kinds) or [[]]:
            body = await communicator.rpc_send(owner, request_body(RepertoireRequest(kinds=some)), deadline=deadline)
            answer = Repertoire.of_body(body)
            found = Repertoire(queue=answer.queue, versions={**found.versions, **answer.versions})
    except UnroutableError:  # a program of this machine that nobody can call runs something for itself alone
        return Repertoire() if here else None
    except (CommunicationError, MessageError, RemoteError):  # also one that is too old to know what is asked
        return None
    return found


def _chunks(kinds: Sequence[str]) -> list[list[str]]:
    return [list(kinds[start : start + MAX_KINDS]) for start in range(0, len(kinds), MAX_KINDS)]


async def _version(store: Store, record: Record) -> int:
    """Get the version of the class that saved a process last."""
    try:
        return Snapshot.decode((await store.checkpoint(record.pid)).body).version
    except (CorruptedError, SnapshotError, UnknownProcessError):  # whoever resumes it is told
        return record.version

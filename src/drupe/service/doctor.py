"""Looking a project over: what drupe needs there, what is wrong with it, and what to do about it.

Nothing is repaired. What is written is one entry of an owner, to see that a commit goes through, which is taken back at
once. A check that cannot be made is a finding itself, so all others are made nevertheless.
"""

import os
import platform
import shutil
import sqlite3
import stat
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from drupe.core.record import Query, Record, is_quarantined
from drupe.core.status import Lack
from drupe.errors import DrupeError, UnknownClassError
from drupe.interfaces.ambient import Clock, Ids
from drupe.interfaces.store import Store
from drupe.runtime.clock import SystemClock, tick
from drupe.runtime.ids import RandomIds
from drupe.service import classes, keys, wiring
from drupe.service.descent import matching
from drupe.service.lacking import NOBODY
from drupe.service.presence import Presence
from drupe.service.profile import LOCAL, Settings
from drupe.version import __version__

_SCARCE: Final = 200 * 1024 * 1024
"""Bytes that a disk should have left."""
_AHEAD: Final = 5.0
"""Seconds that clocks may differ by."""
_DEATHS: Final = 2
"""So many programs have to have died of a process before that is worth a word."""
_LOOKED_AT: Final = 10_000
_PATIENCE: Final = 5.0


class Grade(StrEnum):
    """How something is."""

    GOOD = "good"
    CARE = "care"
    """It works, and somebody should look at it."""
    BAD = "bad"
    """Something does not work."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        subject: what, in a word.
        grade: how it is.
        said: what was found.
        advice: what to do about it, where there is something to do.
    """

    subject: str
    grade: Grade
    said: str
    advice: str | None = None


async def examine(settings: Settings, *, clock: Clock | None = None, ids: Ids | None = None) -> list[Finding]:
    """Look over the project that the settings name."""
    ids = ids or RandomIds()
    found = [_versions(), *_folder(settings), *_keys(settings)]
    try:
        store = wiring.open_store(settings)
    except DrupeError as error:
        return [*found, Finding("store", Grade.BAD, str(error), "see the setting `store`")]
    if isinstance(settings.store, Path) and not settings.store.exists():
        found.append(Finding("store", Grade.GOOD, f"none yet: the first process makes {settings.store}"))
        if settings.broker != LOCAL:
            found.append(await _broker(settings, store, ids))
        return found
    try:
        await store.open()
    except DrupeError as error:
        return [
            *found,
            Finding("store", Grade.BAD, str(error), "name another one with the setting `store`, or mend it"),
        ]
    try:
        found += [each async for each in _store(settings, store, ids)]
        found.append(await _broker(settings, store, ids))
        found += [each async for each in _processes(settings, store, clock or SystemClock())]
    finally:
        await store.close()
    return found


def _versions() -> Finding:
    said = f"drupe {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return Finding("versions", Grade.GOOD, said)


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.beside
    if folder.exists():
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & 0o022:
            yield Finding(
                "permissions", Grade.BAD, f"others may write into {folder} ({mode:o})", f"chmod go-w {folder}"
            )
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield Finding("permissions", Grade.BAD, f"{folder} cannot be written by you", "run drupe as its owner")
        else:
            yield Finding("permissions", Grade.GOOD, f"{folder} ({mode:o})")
    try:
        classes.import_set(settings)
    except DrupeError as error:
        yield Finding("imports", Grade.BAD, str(error))


def _keys(settings: Settings) -> Iterator[Finding]:
    try:
        ring = keys.of(settings)
    except DrupeError as error:
        yield Finding("keys", Grade.BAD, str(error))
        return
    if ring is not None:
        yield Finding("keys", Grade.GOOD, f"{settings.keys}")
    elif settings.broker != LOCAL:
        yield Finding(
            "keys",
            Grade.CARE,
            "none: whoever may write to the broker may order anything",
            "drupe keys new, and copy the file to each machine",
        )


async def _store(settings: Settings, store: Store, ids: Ids) -> AsyncIterator[Finding]:
    owner = ids.pid()
    started = tick()
    try:
        await store.join(owner, lease=1.0)
        taken = tick() - started
        await store.leave(owner)
    except DrupeError as error:
        yield Finding("store", Grade.BAD, str(error), "see that its disk can be written and has room")
    else:
        size = f", {settings.store.stat().st_size / 1e6:.1f} MB" if isinstance(settings.store, Path) else ""
        said = f"{settings.store}{size}, a commit takes {taken * 1e3:.1f} ms"
        yield Finding("store", Grade.GOOD, said)
    if isinstance(settings.store, Path) and (free := shutil.disk_usage(settings.beside).free) < _SCARCE:
        yield Finding("disk", Grade.CARE, f"{free / 1e6:.0f} MB are left at {settings.beside}", "make room")


async def _broker(settings: Settings, store: Store, ids: Ids) -> Finding:
    name, place = ids.pid(), "programs of this machine" if settings.broker == LOCAL else "the broker"
    started = tick()
    try:
        communicator = wiring.communicator_for(settings, store)
        await communicator.open()
        try:
            await communicator.subscribe_rpc(lambda body: body, name)
            await communicator.rpc_send(name, "hello", deadline=_PATIENCE)
        finally:
            await communicator.close()
    except DrupeError as error:
        return Finding("messages", Grade.BAD, str(error), "start the broker, or name another with the setting `broker`")
    return Finding("messages", Grade.GOOD, f"{place}: there and back in {(tick() - started) * 1e3:.0f} ms")


async def _processes(settings: Settings, store: Store, clock: Clock) -> AsyncIterator[Finding]:
    records = await _living(store)
    newest = max((record.updated for record in records), default=0.0)
    if (ahead := newest - clock.now()) > _AHEAD:
        yield Finding(
            "clock",
            Grade.CARE,
            f"a process was changed {ahead:.0f} s in the future: this clock is behind, or one was ahead",
            "have the clock set by the network (NTP)",
        )
    presence = Presence(wiring.presence_folder(settings))
    owners = presence.known()
    dead = {owner for owner in owners if presence.is_dead(owner)}
    alive = owners - dead
    yield Finding("programs", Grade.GOOD, f"{len(alive)} at work")
    yield Finding("processes", Grade.GOOD, _counted(records))
    orphans = [record for record in records if record.owner in dead]
    if orphans:
        yield _stuck(
            orphans, "belong to a program that is dead", "drupe worker, or drupe resume PID, goes on with them"
        )
    for lack, stuck in (await _lacking(settings, store, records, clock.now())).items():
        idle = [record for record in stuck if lack != NOBODY or record.owner not in dead]
        if idle:
            yield _stuck(idle, f"could go on, and {lack.said}", lack.advice)
    for kind, count in _lost(settings, records).items():
        yield Finding(
            "classes",
            Grade.CARE,
            f"{kind} is not at hand here, and {count} living processes are of it",
            "--import FILE",
        )
    tried = [record for record in records if record.attempts >= _DEATHS]
    if tried:
        yield _stuck(tried, f"took {_DEATHS} programs or more down with them", "drupe history PID says where")
    if kept := [record for record in records if is_quarantined(record)]:
        yield Finding(
            "quarantine",
            Grade.CARE,
            f"{len(kept)} took too many programs down with them, and are paused: {_named(kept)}",
            "drupe history PID says where; drupe play PID has it try again",
        )


async def _living(store: Store) -> list[Record]:
    records: list[Record] = []
    async for page in matching(store, Query(limit=1_000)):
        records += page
        if len(records) >= _LOOKED_AT:
            break
    return records


async def _lacking(settings: Settings, store: Store, records: list[Record], now: float) -> dict[Lack, list[Record]]:
    """Get the processes that nobody goes on with, by why."""
    found: dict[Lack, list[Record]] = {}
    lacks = await wiring.lacks_of(settings, store, records, now=now)
    for record in records:
        if (lack := lacks.get(record.pid)) is not None:
            found.setdefault(lack, []).append(record)
    return found


def _counted(records: list[Record]) -> str:
    if not records:
        return "none is alive"
    counted = Counter("paused" if record.paused else str(record.state) for record in records)
    more = " among the newest" if len(records) >= _LOOKED_AT else ""
    return ", ".join(f"{number} {state}" for state, number in sorted(counted.items())) + more


def _stuck(records: list[Record], what: str, advice: str) -> Finding:
    return Finding("stuck", Grade.CARE, f"{len(records)} {what}: {_named(records)}", advice)


def _named(records: list[Record]) -> str:
    return ", ".join([*(record.pid[-8:] for record in records[:3]), *(["…"] if len(records) > 3 else [])])


def _lost(settings: Settings, records: list[Record]) -> Counter[str]:
    known, lost = classes.ListedClasses(settings), set()
    for kind in {record.kind for record in records}:
        try:
            known.find(kind)
        except UnknownClassError:
            lost.add(kind)
    return Counter(record.kind for record in records if record.kind in lost)

"""From what a person writes to a pid: any end of it that only one process has."""

import re

import click
from click.shell_completion import CompletionItem

from drupe.cli.session import session_of
from drupe.core.issue import brief
from drupe.core.record import PID_PATTERN, Query, Record
from drupe.errors import AmbiguousPidError, InputError, UnknownProcessError
from drupe.interfaces.store import Store

SHORT = 8
"""Characters of a pid's end that are shown where space is short."""
_NAMED = 24  # a pid of at most so many characters was given by a person, and is shown whole


def short(pid: str) -> str:
    """Get a pid as it is shown where space is short: an end of it, which every command takes."""
    return pid if len(pid) <= _NAMED else pid[-SHORT:]


def name(kind: str) -> str:
    """Get the class of an identifier ``module:QualName`` as people call it."""
    return kind.rpartition(":")[2]


async def resolve(store: Store, tail: str) -> str:
    """Get the pid that ends like this.

    Raises:
        UnknownProcessError: no pid does; names the newest.
        AmbiguousPidError: more than one does; names them.
    """
    found = await store.find(tail, limit=6)
    if len(found) == 1:
        return found[0]
    if found:
        rest = " and others" if len(found) == 6 else ""
        raise AmbiguousPidError(
            f"{brief(tail)} is the end of several pids, {', '.join(found[:5])}{rest}; write more of it", tuple(found)
        )
    newest = [_told(record) for record in (await store.list(Query(limit=3))).records]
    there = f"the newest are {', '.join(newest)}; `drupe ps` lists them" if newest else "the store is empty"
    raise UnknownProcessError(f"there is no process whose pid is, or ends with, {brief(tail)}; {there}")


def _told(record: Record) -> str:
    return f"{short(record.pid)} ({name(record.kind)})"


def chosen(pid: str) -> str:
    """Get a pid that a person chose, if it can be one.

    Raises:
        InputError: it cannot.
    """
    if re.fullmatch(PID_PATTERN, pid) is None:
        raise InputError(f"--pid {brief(pid)}: a pid is 1 to 64 letters, digits, '_' and '-'")
    return pid


class PidType(click.ParamType[str]):
    """A pid, or an end of one; the shell completes it."""

    name = "pid"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Get the newest processes, by the short form of their pids, or in full if that is what was begun."""
        import asyncio

        from drupe.cli.reading import open_for_reading
        from drupe.errors import DrupeError

        async def newest() -> list[Record]:
            async with open_for_reading(session_of(ctx).settings) as store:
                return list((await store.list(Query(limit=100))).records)

        try:
            records = asyncio.run(newest())
        except DrupeError:  # a key press is no place for complaints
            return []
        return [
            CompletionItem(pid, help=f"{name(record.kind)}, {record.state}")
            for record in records
            for pid in dict.fromkeys((short(record.pid), record.pid))
            if pid.startswith(incomplete) and (incomplete or pid == short(record.pid))
        ]


PID = PidType()

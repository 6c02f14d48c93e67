"""`drupe status`, `wait` and `watch`: looking at processes that run elsewhere."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from drupe.cli.exit_code import ExitCode
from drupe.cli.pid import PID, name, resolve, short
from drupe.cli.session import Session, global_flags, session_of
from drupe.interfaces.communicator import DEFAULT_QUEUE

if TYPE_CHECKING:
    from drupe.core.record import Record
    from drupe.core.status import Status
    from drupe.interfaces.communicator import IncomingBroadcast
    from drupe.service.wiring import Remote

POLL = 1.0
PAGE = 200


@click.command(short_help="Ask how far processes are.")
@click.argument("pids", metavar="PID...", nargs=-1, required=True, type=PID)
@click.option(
    "--deadline", type=click.FloatRange(0), default=5.0, show_default=True, metavar="SECONDS", help="At most."
)
@global_flags()
@click.pass_context
def status(context: click.Context, pids: Sequence[str], *, deadline: float) -> None:
    """Ask how far processes are: the step they are in, who runs them, and what keeps that from going on.

    Whoever runs a process answers also while a step blocks; what nobody answers for is as the store has it.
    """
    from drupe.cli.reading import refuse_missing
    from drupe.service.wiring import open_remote

    session = session_of(context)
    refuse_missing(session.settings)

    async def ask() -> "list[Status]":
        async with open_remote(session.settings, deadline=deadline) as remote:
            whole = [await resolve(remote.store, pid) for pid in pids]
            return list(await asyncio.gather(*(remote.controller.status(pid, deadline=deadline) for pid in whole)))

    found = asyncio.run(ask())
    if session.json:
        session.put([each.as_json() for each in found])
        return
    for each in found:
        for line in lines(each):
            session.say(line)


def lines(status: "Status") -> list[str]:
    """Get a status as lines."""
    paused = ", paused" if status.paused else ""
    head = f"{status.pid}  {status.kind}  {status.state}{paused}"
    found = [head]
    if status.step is not None:
        found.append(f"  step: {status.step}")
    if status.status is not None:
        found.append(f"  status: {status.status}")
    if status.owner is not None:
        found.append(f"  runs at: {status.owner}{'' if status.answered else ' (which did not answer)'}")
    found += _queue(status)
    if status.lack is not None:
        found.append(f"  nobody goes on with it: {status.lack}")
    if status.orders:
        found.append(f"  orders not answered yet: {status.orders}")
    if (blocked := status.blocked) is not None:
        what = f"{blocked.kind}.{blocked.step}" if blocked.kind else "something that is no step of drupe's"
        found.append(f"  blocked for {blocked.seconds:.1f} s by {what}")
        found += [f"    {line}" for line in blocked.stack.splitlines()[-4:]]
    return found


def _queue(status: "Status") -> list[str]:
    if status.queued:
        return [f"  in the queue {status.queue or DEFAULT_QUEUE}: no worker has taken it so far"]
    return [] if status.queue is None else [f"  queue: {status.queue}"]


@click.command(short_help="Wait for the end of a process.")
@click.argument("pid", type=PID)
@click.option(
    "--deadline", type=click.FloatRange(0), metavar="SECONDS", help="Give up after this; the process goes on."
)
@global_flags()
@click.pass_context
def wait(context: click.Context, pid: str, *, deadline: float | None) -> int:
    """Wait for the end of a process, whoever runs it, and show what came of it; the exit code is that of its end."""
    from drupe.cli.reading import refuse_missing
    from drupe.service.wiring import open_remote

    session = session_of(context)
    refuse_missing(session.settings)

    async def follow() -> ExitCode:
        async with open_remote(session.settings, deadline=deadline) as remote:
            return await ended(session, remote, await resolve(remote.store, pid), deadline=deadline)

    return asyncio.run(follow())


async def ended(session: Session, remote: "Remote", pid: str, *, deadline: float | None) -> ExitCode:
    """Wait for the end of a process, write what came of it, and get the exit code.

    Raises:
        DeadlineError: it has not ended in time.
    """
    from drupe.cli import outcome
    from drupe.cli.reading import portray
    from drupe.errors import ExceptedError, KilledError

    with contextlib.suppress(KilledError, ExceptedError):  # shown like every other end
        await remote.controller.wait(pid, deadline=deadline)
    return outcome.tell(session, await portray(remote.store, pid), f"drupe resume {short(pid)}")


@click.command(short_help="See what processes do, as they do it.")
@click.argument("pids", metavar="[PID]...", nargs=-1, type=PID)
@global_flags()
@click.pass_context
def watch(context: click.Context, pids: Sequence[str]) -> int:
    """See what processes do, as they do it: a line for each change. With PIDs, until all of them have ended.

    Changes are heard of at once from workers; what is not heard of is seen in the store a second later.
    """
    from drupe.cli.reading import refuse_missing
    from drupe.service.wiring import open_remote

    session = session_of(context)
    refuse_missing(session.settings)

    async def follow() -> None:
        async with open_remote(session.settings) as remote:
            whole = [await resolve(remote.store, pid) for pid in pids]
            await _Watch(session, remote, whole).run()

    with contextlib.suppress(KeyboardInterrupt):  # that is how one ends it
        asyncio.run(follow())
    return ExitCode.OK


class _Watch:
    """Writes a line for each change that is heard of, or seen."""

    def __init__(self, session: Session, remote: "Remote", pids: Sequence[str]) -> None:
        self._session = session
        self._remote = remote
        self._pids = frozenset(pids)
        self._seen: dict[str, int] = {}
        self._heard = asyncio.Event()

    async def run(self) -> None:
        """Watch until there is nothing more to see."""
        await self._remote.communicator.subscribe_broadcast(
            self._hear, lambda sender, subject: (subject or "").startswith("state_changed") and self._wants(sender)
        )
        first = True
        while await self._look(quiet=first and not self._pids):
            first = False
            self._heard.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._heard.wait()

    def _wants(self, pid: str | None) -> bool:
        return pid is not None and (not self._pids or pid in self._pids)

    def _hear(self, broadcast: "IncomingBroadcast") -> None:
        self._heard.set()

    async def _look(self, *, quiet: bool) -> bool:
        """Look into the store; False once all that is watched has ended."""
        from drupe.core.lifecycle import TERMINAL
        from drupe.core.record import Query

        store = self._remote.store
        if self._pids:
            records = [await store.record(pid) for pid in sorted(self._pids)]
        else:
            records = list((await store.list(Query(limit=PAGE))).records)[::-1]
        for record in records:
            await self._tell(record, quiet=quiet)
        return not self._pids or any(record.state not in TERMINAL for record in records)

    async def _tell(self, record: "Record", *, quiet: bool) -> None:
        from drupe.cli.appearance import moment
        from drupe.core.record import as_json

        seen = self._seen.get(record.pid, 0)
        self._seen[record.pid] = record.seq
        if quiet or record.seq <= seen:
            return
        for event in await self._remote.store.history(record.pid, after=seen):
            if self._session.json:
                import msgspec

                self._session.say(
                    msgspec.json.encode({"pid": record.pid, "kind": record.kind, **as_json(event)}).decode()
                )
            else:
                detail = (event.detail or "").partition("\n")[0]
                pid = short(record.pid)
                self._session.say(
                    f"{moment(event.at).replace(' ', 'T')}  {pid}  {name(record.kind)}  {event.event:<9}  {detail}".rstrip()
                )

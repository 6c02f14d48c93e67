"""The reads: each one look-up, each whole before it answers."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from drupe.core.record import Checkpoint, Event, Latest, Owner, Record
from drupe.errors import CorruptedError, StoreError
from drupe.storage import rule
from drupe.storage.digest import verified
from drupe.storage.postgres import row
from drupe.storage.postgres.failure import translate
from drupe.storage.postgres.ownership import LEFT
from drupe.storage.postgres.row import Execute
from drupe.storage.postgres.session import Session

Read = Callable[[Execute, Any], object]

_INPUTS: Final = "SELECT hash, body FROM inputs WHERE pid = %s"
_LAST: Final = "SELECT seq, at, hash, body FROM checkpoint WHERE pid = %s ORDER BY seq DESC LIMIT 1"
_CHECKPOINT: Final = "SELECT seq, at, hash, body FROM checkpoint WHERE pid = %s AND seq = %s"
_LATEST: Final = f"""
    SELECT checkpoint.seq, checkpoint.at, checkpoint.hash, checkpoint.body, inputs.hash, inputs.body,
        {", ".join(f"process.{name}" for name in row.FIELDS)}
    FROM process JOIN checkpoint USING (pid, seq) JOIN inputs USING (pid) WHERE pid = %s"""  # noqa: S608 (names of fields)
_NUMBERS: Final = "SELECT seq FROM checkpoint WHERE pid = %s ORDER BY seq"
_HISTORY: Final = "SELECT seq, at, event, state, detail FROM event WHERE pid = %s AND seq > %s ORDER BY seq LIMIT %s"
_EXACT: Final = "SELECT pid FROM process WHERE pid = %s"
_HELD: Final = "SELECT pid, epoch FROM process WHERE owner = %s"
_OWNERS: Final = f"""
    SELECT name, {LEFT}, (SELECT count(*) FROM process WHERE process.owner = owner.name) FROM owner ORDER BY name"""  # noqa: S608
_TAIL: Final = "SELECT pid FROM process WHERE tail >= %s AND tail < %s ORDER BY tail LIMIT %s"
_AFTER_ALL: Final = "\x7f"  # sorts after every character of a pid


class Reader:
    """The work of a reading thread: one request after the other on a connection of its own, which is made when it is needed.

    Args:
        session: the connection.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self) -> None:
        """Nothing to get ready."""
        self._session.be_ready()

    def end(self) -> None:
        """Close the connection."""
        self._session.end()

    def answer(self, batch: Sequence[tuple[Read, Any]], /) -> list[object]:
        """Get what is asked for; a refusal or failure is an answer, too. A database that is away is waited for."""
        return [self._one(read, argument) for read, argument in batch]

    def _one(self, read: Read, argument: Any) -> object:
        tries = self._session.tries()
        while True:
            try:
                return read(self._session.connected().execute, argument)
            except StoreError as refusal:
                return refusal
            except Exception as error:  # noqa: BLE001 (translated, and given to whoever asked)
                if not self._session.recover() or not next(tries, False):
                    return translate(error, self._session.where)


def record(execute: Execute, pid: str) -> Record:
    """See `Store.record`."""
    found = row.find(execute, pid)
    if found is None:
        raise rule.unknown(pid)
    return found


def held(execute: Execute, owner: str) -> dict[str, int]:
    """See `Store.held`."""
    return dict(execute(_HELD, (owner,)).fetchall())


def owners(execute: Execute, time: float | None) -> list[Owner]:
    """See `Store.owners`; ``time`` is None where the database's own counts."""
    rows = execute(_OWNERS, {"time": time}).fetchall()
    return [Owner(name=name, left=left, held=held) for name, left, held in rows]


def inputs(execute: Execute, pid: str) -> bytes:
    """See `Store.inputs`."""
    rows = execute(_INPUTS, (pid,)).fetchall() if rule.is_pid(pid) else ()
    if not rows:
        raise rule.unknown(pid)
    return verified(pid, "inputs", *rows[0])


def checkpoint(execute: Execute, asked: tuple[str, int | None]) -> Checkpoint:
    """See `Store.checkpoint`."""
    pid, wanted = asked
    if not rule.is_pid(pid):
        raise rule.unknown(pid)
    rows = execute(_LAST, (pid,)).fetchall() if wanted is None else execute(_CHECKPOINT, asked).fetchall()
    if not rows:
        record(execute, pid)
        raise rule.unknown_checkpoint(pid, wanted)
    seq, at, kept, body = rows[0]
    return Checkpoint(pid=pid, seq=seq, at=at, body=verified(pid, f"checkpoint {seq}", kept, body))


def latest(execute: Execute, pid: str) -> Latest:
    """See `Store.latest`."""
    found = execute(_LATEST, (pid,)).fetchone() if rule.is_pid(pid) else None
    if found is None:  # one of them is missing: it is told which
        return Latest(record(execute, pid), checkpoint(execute, (pid, None)), inputs(execute, pid))
    (seq, at, kept, body), given = found[:4], found[4:6]
    return Latest(
        row.to_record(found[6:]),
        Checkpoint(pid=pid, seq=seq, at=at, body=verified(pid, f"checkpoint {seq}", kept, body)),
        verified(pid, "inputs", *given),
    )


def checkpoints(execute: Execute, pid: str) -> list[int]:
    """See `Store.checkpoints`."""
    record(execute, pid)
    return [seq for (seq,) in execute(_NUMBERS, (pid,)).fetchall()]


def history(execute: Execute, asked: tuple[str, int, int | None]) -> list[Event]:
    """See `Store.history`."""
    pid = asked[0]
    rows = execute(_HISTORY, asked).fetchall() if rule.is_pid(pid) else ()
    if not rows:
        record(execute, pid)
    names = Event.__struct_fields__
    try:
        return msgspec.convert([dict(zip(names, found, strict=True)) for found in rows], list[Event])
    except msgspec.ValidationError as error:
        raise CorruptedError(f"process {pid}: its history is damaged in the store: {error}") from error


def find(execute: Execute, asked: tuple[str, int]) -> list[str]:
    """See `Store.find`."""
    tail, limit = asked
    if not rule.is_pid(tail):
        return []
    start = tail[::-1]
    rows = execute(_EXACT, (tail,)).fetchall() or execute(_TAIL, (start, start + _AFTER_ALL, limit)).fetchall()
    return [pid for (pid,) in rows]

"""What a database has of processes that are claimed many at a time, as records: the same for each of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from drupe.core.record import Checkpoint, Claimed, Record
from drupe.errors import CorruptedError
from drupe.storage.digest import verified


def whole(rows: Iterable[Sequence[Any]], to_record: Callable[[Sequence[Any]], Record]) -> Iterator[Claimed]:
    """Get those that are not damaged, without what was asked of them. Whoever asks for another one alone hears what is wrong.

    Args:
        rows: time, hash and body of the last checkpoint, hash and body of the inputs, and the columns of the process.
        to_record: gets a record from those.
    """
    for at, hashed, body, given, inputs, *columns in rows:
        try:
            record = to_record(columns)
            pid, seq = record.pid, record.seq
            last = Checkpoint(pid=pid, seq=seq, at=at, body=verified(pid, f"checkpoint {seq}", hashed, body))
            yield Claimed(record, last, verified(pid, "inputs", given, inputs), ())
        except CorruptedError:
            continue

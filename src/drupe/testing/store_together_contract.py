"""What many save together is what each of them would have saved alone, whatever they are."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from drupe.core.lifecycle import State
from drupe.core.order import Answer, Order, Outcome
from drupe.core.record import Change, Fence, Record, Rest, Retention
from drupe.errors import DrupeError
from drupe.interfaces.store import Store
from drupe.testing.store_case import LEASE, ME, Place, StoreCase, after, birth, step, walk

_MAX_BYTES = 1000
_WAITING = {"state": State.WAITING, "event": "waiting", "detail": None}
_FINISHED = {"state": State.FINISHED, "event": "finished", "status": "done"}


def _answers(row: Record, number: int) -> tuple[Answer, ...]:
    return tuple(Answer(id=f"{row.pid}-{n}", outcome=Outcome.APPLIED, detail=f"answer {n}") for n in range(number))


def _usual(row: Record) -> Change:
    return step(row)


def _answering(row: Record) -> Change:
    return step(row, was=State.WAITING, event="running", detail=None, answers=_answers(row, 1))


def _answering_two(row: Record) -> Change:
    return step(row, answers=_answers(row, 2))


def _waiting(row: Record) -> Change:
    return step(row, **_WAITING)


def _pausing(row: Record) -> Change:
    return step(row, paused=True, status="why", event="paused", detail="why")


def _paused_without_saying(row: Record) -> Change:
    return step(row, paused=True)


def _ending(row: Record) -> Change:
    return step(row, **_FINISHED)


def _ending_with_an_answer(row: Record) -> Change:
    return step(row, **_FINISHED, answers=_answers(row, 1))


def _bearing(row: Record) -> Change:
    return step(row, births=(birth(f"{row.pid}-child", parent=row.pid),))


def _stale(row: Record) -> Change:
    return step(row, epoch=row.epoch - 1)


def _ahead(row: Record) -> Change:
    return step(row, seq=row.seq + 2)


def _too_large(row: Record) -> Change:
    return step(row, body=b"x" * (_MAX_BYTES + 1))


def _saved_before(row: Record) -> Change:
    return step(row, seq=row.seq, body=b"body %d" % row.seq)


_PLAIN = (_usual, _answering, _waiting, _ending, _ending_with_an_answer, _answering_two, _pausing)
_OTHERS = (_bearing, _stale, _ahead, _too_large, _saved_before)
_KINDS = {
    "steps": (_usual,),
    "changes": _PLAIN,
    "pauses": (_usual, _paused_without_saying),
    "refusals": (*_PLAIN, *_PLAIN, *_OTHERS),
}


class StoreTogetherContract(StoreCase):
    """Saving many at once."""

    @pytest.mark.parametrize("number", [1, 2, 5, 60, 150])
    @pytest.mark.parametrize("kinds", _KINDS.values(), ids=_KINDS)
    async def test_what_is_saved_together_is_what_each_had_saved_alone(
        self, places: Callable[[], Place], kinds: Sequence[Callable[[Record], Change]], number: int
    ) -> None:
        together, alone = await _opened(places()), await _opened(places())
        rows = await _filled(together, number)
        changes = [kind(row) for kind, row in zip(itertools.cycle(kinds), rows, strict=False)]
        assert await _filled(alone, number)
        answers = await asyncio.gather(*(together.save(change) for change in changes), return_exceptions=True)
        assert [_said(answer) for answer in answers] == [_said(await _tried(alone, change)) for change in changes]
        for row, change, answer in zip(rows, changes, answers, strict=True):
            assert await _all_of(together, change.pid) == await _all_of(alone, change.pid)
            assert await together.record(change.pid) == (row if answer is not None else after(row, change))
        await together.close()
        await alone.close()


async def _opened(place: Place) -> Store:
    store = place(retention=Retention(living=3, ended=1), max_bytes=_MAX_BYTES)
    await store.open()
    await store.join(ME, lease=LEASE)
    return store


async def _filled(store: Store, number: int) -> list[Record]:
    """Have processes with some checkpoints and orders, and parents that are parked."""
    rows = []
    for n in range(number):
        parent, pid = f"q{n}", f"p{n}"
        (above, row) = await store.create([birth(parent), birth(pid, parent=parent)])
        await store.ask([Order(id=f"{pid}-{k}", pid=pid, verb="pause", body=b"why", at=1500.0) for k in range(n % 4)])
        rows.append(await walk(store, row, n % 6))
        assert await store.park(Fence(above.pid, above.epoch), Rest(children=(pid,)))
    return rows


async def _tried(store: Store, change: Change) -> object:
    try:
        await store.save(change)
    except DrupeError as refusal:
        return refusal
    return None


def _said(answer: object) -> tuple[str, str]:
    return type(answer).__name__, str(answer)


async def _all_of(store: Store, pid: str) -> list[Any]:
    """Get all that a store has of a process, of what it asked, and of its family."""
    row = await store.record(pid)
    found: list[Any] = [row, await store.record(f"q{pid[1:]}"), await store.history(pid), await store.orders(pid)]
    found += [await store.checkpoint(pid, seq) for seq in await store.checkpoints(pid)]
    found += [await store.receipt(f"{pid}-{k}") for k in range(int(pid[1:]) % 4)]
    return found

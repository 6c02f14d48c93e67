"""Moving a store to another place, with everything in it, or taking that back.

The order is what makes it safe to end anywhere. The source is closed; the target is filled in one transaction, closed as
well; all of both is compared; then the source says that it was moved, and only then the target is opened. Whoever comes
next sees by the two marks how far it was. At no moment can anybody write to both, and what is not compared is never used.
"""

import logging
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from drupe.core.inventory import TABLES, Row, Table
from drupe.core.issue import brief
from drupe.errors import (
    DrupeError,
    SettingsError,
    StoreDiffersError,
    StoreMovedError,
    StoreNotEmptyError,
    StoreUnavailableError,
)
from drupe.interfaces.ambient import Clock, Ids, Probe
from drupe.interfaces.moving import Mark, Phase, Place, Side
from drupe.runtime.clock import SystemClock
from drupe.runtime.ids import RandomIds
from drupe.runtime.probe import quiet

_LOG: Final = logging.getLogger("drupe.service")

Seen = Callable[[str, str, int], None]
"""Is told what is being done with which table, and how many of its rows were seen."""

_EVERY: Final = 1000
"""Rows between two reports."""


def unseen(doing: str, table: str, rows: int) -> None:
    """Take no note of progress."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of a move.

    Attributes:
        id: the move.
        rows: how many rows each table has, on both sides.
        before: whether an earlier call had finished it, and nothing was compared now.
    """

    id: str
    rows: dict[str, int] = field(default_factory=dict)
    before: bool = False


class Move:
    """A move from one place to another; both are open.

    Args:
        source: where the store is.
        target: where it is to be.
        dead: owners that are known to be dead, though their lease lasts.
        probe: passed before and after everything that is written.
        seen: is told of the progress.
        clock: what tells the time.
        ids: what names the move.
    """

    def __init__(  # noqa: PLR0913 (each is something of its own, with a default)
        self,
        source: Place,
        target: Place,
        *,
        dead: Collection[str] = (),
        probe: Probe = quiet,
        seen: Seen = unseen,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._source = source
        self._target = target
        self._dead = dead
        self._probe = probe
        self._seen = seen
        self._clock = clock or SystemClock()
        self._ids = ids or RandomIds()

    def run(self) -> Moved:
        """Move everything, or go on with that where an earlier call was ended; the target is open then.

        What fails leaves the source as it was, unless the database was lost on the way: then it stays closed, because
        nobody knows how far it was, and calling again goes on.

        Raises:
            SettingsError: both are the same place.
            StoreInUseError: somebody runs processes of the source.
            StoreNotEmptyError: there is something at the target that is not of this move.
            StoreMovedError: the source is moved, or was moved, to another place.
            StoreDiffersError: the target is not the same as the source; it stays closed, the source is open again.
            StoreError: either cannot be read or written, or a value cannot be kept at the target.
        """
        if self._source.identity() == self._target.identity():
            raise SettingsError(f"--to: {self._target.shown} is the store that is to be moved; name another place")
        here = self._source.mark(Side.SOURCE)
        if here is None:
            self._target.refuse_filled()
            here = self._seal()
        self._refuse_elsewhere(here)
        try:
            there = self._other_end(here) or self._fill(here)
            if there.phase is Phase.OPEN:
                return Moved(here.id, before=True)
            moved = self._compare(here, there)
        except StoreUnavailableError:
            raise
        except DrupeError:
            self._give_up(here)
            raise
        self._finish(here, there)
        return moved

    def undo(self) -> bool:
        """Take a move back whose target was never opened; False if there is nothing to be taken back.

        Raises:
            StoreMovedError: the target was opened, or is another one than that of the move.
            StoreError: either cannot be read or written.
        """
        here, there = self._source.mark(Side.SOURCE), self._target.mark(Side.TARGET)
        if here is not None:
            self._refuse_elsewhere(here)
            if there is not None and there.id != here.id:
                there = None  # somebody else's, and left as it is
            if here.phase is Phase.MOVED and (there is None or there.phase is Phase.OPEN):
                raise StoreMovedError(
                    f"store {self._source.shown}: it was moved to {self._target.shown}, which is in use since, or is"
                    " another one now; move that one to an empty place instead"
                )
        elif there is None or not there.closes or there.place != self._source.shown:
            return False
        self._probe("move.undo")
        if there is not None and there.phase is Phase.CLOSED:
            there = self._target.advance(there, Phase.VOID)  # from here on nobody can open it
            self._probe("move.void")
        if here is not None:
            self._source.unseal(here)
            self._probe("move.unsealed")
        if there is not None:
            self._target.clear(there)
            self._probe("move.cleared")
        return True

    # --- the parts of it -----------------------------------------------------------------------------------

    def _seal(self) -> Mark:
        self._probe("move.seal")
        mark = Mark(
            id=self._ids.pid(),
            side=Side.SOURCE,
            phase=Phase.CLOSED,
            place=self._target.shown,
            at=self._clock.now(),
        )
        sealed = self._source.seal(mark, self._dead)
        self._probe("move.sealed")
        return sealed

    def _refuse_elsewhere(self, here: Mark) -> None:
        if here.place != self._target.shown:
            raise StoreMovedError(f"store {self._source.shown}: {here.said}")

    def _other_end(self, here: Mark) -> Mark | None:
        """Get the mark of the target, if it is of this move; None if it is to be filled yet."""
        there = self._target.mark(Side.TARGET)
        if there is not None and there.id == here.id and there.phase is not Phase.VOID:
            return there
        if here.phase is Phase.MOVED:
            raise StoreMovedError(
                f"store {self._source.shown}: it was moved to {here.place}, and that is not what is there now"
            )
        return None

    def _fill(self, here: Mark) -> Mark:
        self._probe("move.fill")
        mark = Mark(id=here.id, side=Side.TARGET, phase=Phase.CLOSED, place=self._source.shown, at=self._clock.now())
        try:
            with ExitStack() as reading:  # whatever fails, nobody reads any more then
                there = self._target.fill(mark, self._fitting(here, reading))
        except StoreNotEmptyError:
            by_another = self._other_end(here)  # the same command, given twice
            if by_another is None:
                raise
            return by_another
        self._probe("move.filled")
        return there

    def _fitting(self, here: Mark, reading: ExitStack) -> Iterator[tuple[Table, Iterator[Row]]]:
        """Get the rows of the source, table by table, as the target keeps them."""
        for table in TABLES:
            self._probe("move.table")
            rows = reading.enter_context(closing(self._counted("copies", table, self._source.rows(table, here))))
            yield table, (self._target.fitted(table, row) for row in rows)

    def _counted(self, doing: str, table: Table, rows: Generator[Row]) -> Generator[Row]:
        count = 0
        with closing(rows):
            for row in rows:
                count += 1
                if count % _EVERY == 0:
                    self._seen(doing, table.name, count)
                yield row
        self._seen(doing, table.name, count)

    def _compare(self, here: Mark, there: Mark) -> Moved:
        """Look at all of both, row by row.

        Raises:
            StoreDiffersError: a row is not the same, or is on one side only.
        """
        found = Moved(here.id)
        for table in TABLES:
            self._probe("move.compare")
            count, fitted = 0, self._target.fitted
            with (
                closing(self._source.rows(table, here)) as were,
                closing(self._counted("compares", table, self._target.rows(table, there))) as rows,
            ):
                for was, row in zip_longest(were, rows):
                    if was is None or row is None or (was != row and fitted(table, was) != row):
                        raise self._differing(table, was, row)
                    count += 1
            found.rows[table.name] = count
        self._probe("move.compared")
        return found

    def _differing(self, table: Table, was: Row | None, row: Row | None) -> StoreDiffersError:
        """Get the error for two rows that are not the same."""
        one_side = was is None or row is None or table.key_of(was) != table.key_of(row)
        if one_side:
            lost = was is not None and (row is None or table.key_of(was) < table.key_of(row))
            found = was if lost or row is None else row
            side = self._source if lost else self._target
            what = f"{table.label(found or ())}: it is in {side.shown} only"
        else:
            assert was is not None and row is not None  # noqa: S101, PT018 (seen above)
            fitted = self._target.fitted(table, was)
            column, before, after = next(
                pair for pair in zip(table.names, fitted, row, strict=True) if pair[1] != pair[2]
            )
            what = f"{table.label(row)}: its {column} was {brief(before)} and is {brief(after)}"
        return StoreDiffersError(
            f"store {self._target.shown}: it is not what {self._source.shown} is: table {table.name}, {what};"
            f" {self._source.shown} is as it was, `drupe migrate --undo` removes the other"
        )

    def _give_up(self, here: Mark) -> None:
        """Open the source again after something that another try would meet again."""
        if here.phase is Phase.CLOSED:
            self._source.unseal(here)

    def _finish(self, here: Mark, there: Mark) -> None:
        if here.phase is Phase.CLOSED:
            self._probe("move.mark")
            self._source.advance(here, Phase.MOVED)
            self._probe("move.marked")
        self._probe("move.open")
        self._target.advance(there, Phase.OPEN)
        self._probe("move.opened")
        _LOG.info("moved %s to %s (%s)", self._source.shown, self._target.shown, here.id)

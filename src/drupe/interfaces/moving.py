"""What is asked of a database that a store is moved out of, or into.

A store that is moved is closed first: from then on nobody can write to it, whichever program it is. Where it goes to is
filled in one transaction, and closed as well, until it was compared. What is closed, and why, stands in the database itself,
as a `Mark`; a move that was killed is found by it, and goes on.
"""

from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from drupe.core.inventory import Row, Table


class Side(StrEnum):
    """Which end of a move a database is."""

    SOURCE = "source"
    TARGET = "target"


class Phase(StrEnum):
    """How far a move is, seen from one end."""

    CLOSED = "closed"
    """Source: nobody writes, and it is what counts. Target: filled, not known to be the same yet."""
    MOVED = "moved"
    """Source: the target is what counts."""
    OPEN = "open"
    """Target: in use from then on."""
    VOID = "void"
    """Target: the move was taken back, and what is here counts for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What stands in a database of a move.

    Attributes:
        id: the move; both ends have the same.
        side: which end this is.
        phase: how far it is.
        place: the other end, as it may be shown.
        at: since when, seconds since 1970 (UTC).
        clock: the time here by which delays of tasks count, when it was closed.
        boot: of the machine whose time that is; empty where it is the database's own.
    """

    id: str
    side: Side
    phase: Phase
    place: str
    at: float
    clock: float = 0.0
    boot: str = ""

    @property
    def closes(self) -> bool:
        """Whether nobody may write."""
        return self.side is Side.SOURCE or self.phase is not Phase.OPEN

    @property
    def said(self) -> str:
        """What it says of the store that it stands in, as the end of a sentence."""
        match self.side, self.phase:
            case Side.SOURCE, Phase.MOVED:
                return f"it was moved to {self.place}: use that one"
            case Side.SOURCE, _:
                return f"it is being moved to {self.place}: the same `drupe migrate` again finishes that, --undo takes it back"
            case _, Phase.VOID:
                return f"it is left over from a move out of {self.place} that was taken back"
            case _:
                return f"it is being filled from {self.place}, and not whole yet: the same `drupe migrate` again finishes that"


class Place(Protocol):
    """One end of a move. Used from one thread, and blocking: nothing else goes on meanwhile.

    Attributes:
        shown: where it is, as it may be shown.
    """

    shown: str

    def open(self) -> None:
        """Connect; the tables are made, or brought up to date, if need be.

        Raises:
            StoreError: it cannot be reached, or is no store.
        """
        ...

    def close(self) -> None:
        """Let go of the connection; what is not committed is gone."""
        ...

    def identity(self) -> str:
        """Get what no other place has at this moment, by whatever name it is reached."""
        ...

    def mark(self, side: Side) -> Mark | None:
        """Get what stands here of a move in which this is, or was, that end."""
        ...

    def refuse_living(self, dead: Collection[str]) -> None:
        """Pass if no owner's lease lasts, but for those that are known to be dead.

        Raises:
            StoreInUseError: one does; the text says whose.
        """
        ...

    def refuse_filled(self) -> None:
        """Pass if there is nothing in any table.

        Raises:
            StoreNotEmptyError: there is something; the text says what.
        """
        ...

    def seal(self, mark: Mark, dead: Collection[str]) -> Mark:
        """Close the source, in one transaction, and get its mark, with the time here: what nobody lives to hold is free then.

        Processes of dead owners are left as by a take-over: free, with an attempt more for those that were in a step.
        Closed already, it stays as it is, and that mark is what one gets.

        Raises:
            StoreInUseError: an owner lives; nothing was changed.
        """
        ...

    def rows(self, table: Table, mark: Mark) -> Generator[Row]:
        """Get the rows of a table in the order of its key, a few in memory at a time.

        Raises:
            StoreError: a value is not what its column holds; the text names it.
        """
        ...

    def fitted(self, table: Table, row: Row) -> Row:
        """Get a row as it is kept here: texts for people may change characters that cannot be kept.

        Raises:
            StoreError: another value cannot be kept here; the text names it.
        """
        ...

    def fill(self, mark: Mark, tables: Iterable[tuple[Table, Iterable[Row]]]) -> Mark:
        """Write everything into the empty target and close it, in one transaction, and get its mark, with the time here.

        Raises:
            StoreNotEmptyError: it is not empty; nothing was written.
            StoreError: a value cannot be kept here; nothing was written.
        """
        ...

    def advance(self, mark: Mark, phase: Phase) -> Mark:
        """Go from the phase of a mark to another one; a target that is `Phase.OPEN` then is closed no more.

        Raises:
            StoreMovedError: the mark is not, or no longer, what stands here; nothing was changed.
        """
        ...

    def unseal(self, mark: Mark) -> None:
        """Open the source again, as it was.

        Raises:
            StoreMovedError: as in `advance`.
        """
        ...

    def clear(self, mark: Mark) -> None:
        """Remove all of a target that was never opened.

        Raises:
            StoreMovedError: as in `advance`.
        """
        ...

    def others(self) -> list[str]:
        """Get the names of tables beside the store's own, in the same file or schema: they are not moved."""
        ...

    def tasks(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Get tasks that nobody holds, the oldest first: the number, which is above ``after``, and the encoded task."""
        ...

    def settle(self, number: int) -> None:
        """Remove a task that nobody holds."""
        ...

"""Keeping processes apart that may have taken programs down with them.

When a program dies nobody knows which of the processes that were in a step was to blame, so it counts against all of
them. If they were run side by side again and again, those that are innocent and slow would be quarantined with the
one that is not. So each that has one attempt left is run while no other such one takes steps in the same program:
then the next death tells. Whoever gets on, by as much as one step, is free of suspicion.
"""

from collections.abc import Mapping
from typing import Any

from drupe.core.record import Record
from drupe.engine.progress import is_active
from drupe.errors import OwnedError


class Suspects:
    """The processes of one host that have one attempt left.

    Args:
        live: the processes that the host has at hand, by pid.
        attempts: how many owners may die of a process.
    """

    def __init__(self, live: Mapping[str, Any], attempts: int) -> None:
        self._live = live
        self._deaths = max(1, attempts - 1)
        self._noted: dict[str, int] = {}
        """Where in its life each is, as the number of a checkpoint."""

    def suspects(self, record: Record, owner: str) -> bool:
        """Whether a process has one attempt left, once it is had by ``owner``."""
        died = record.owner not in (None, owner)  # whoever has it now is dead, if it can be had
        return record.attempts + died >= self._deaths

    def refuse(self, record: Record, owner: str) -> None:
        """Pass unless the process has one attempt left.

        Raises:
            OwnedError: it is to be had by itself.
        """
        if self.suspects(record, owner):
            raise OwnedError(f"of process {record.pid} programs have died: it is had by itself", owner)

    def refuse_two(self, record: Record, owner: str) -> None:
        """Pass unless the process has one attempt left, and so has another one that takes steps here now.

        Raises:
            OwnedError: it has to wait until the other one got on.
        """
        if not self.suspects(record, owner):
            return
        others = [pid for pid in list(self._noted) if pid != record.pid and self._is_one(pid)]
        if others:
            raise OwnedError(
                f"of process {record.pid} and of {others[0]}, which runs here, programs have died: one at a time", owner
            )

    def note(self, row: Record) -> None:
        """Remember a process that is taken over, as it is in ``row``."""
        if row.attempts >= self._deaths:
            self._noted[row.pid] = row.seq

    def _is_one(self, pid: str) -> bool:
        process = self._live.get(pid)
        if process is None or process._life.tenure.seq > self._noted[pid]:
            del self._noted[pid]
            return False
        return is_active(process)

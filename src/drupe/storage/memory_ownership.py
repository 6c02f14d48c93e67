"""Owners in memory: what a memory store does for joining, leaving, claiming and giving back."""

from collections.abc import Callable, Sequence

from drupe.core.record import Claimed, Fence, Record
from drupe.errors import DuplicateProcessError
from drupe.interfaces.ambient import Clock
from drupe.storage import memory_inbox, rule
from drupe.storage.memory_inbox import Write
from drupe.storage.memory_state import Kept, MemoryState


class Ownership:
    """Who holds what in a memory store.

    Args:
        state: what the store holds.
        clock: where lease times come from.
    """

    def __init__(self, state: MemoryState, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def join(self, owner: str, lease: float) -> Write[None]:
        """See `Store.join`."""
        if owner in self._state.owners:
            raise DuplicateProcessError(f"an owner {owner} is there already: each worker needs a name of its own")
        yield
        self._lease(owner, lease)

    def renew(self, owner: str, lease: float) -> Write[None]:
        """See `Store.renew`."""
        self.check_joined(owner)
        yield
        self._lease(owner, lease)

    def leave(self, owner: str) -> Write[None]:
        """See `Store.leave`."""
        yield
        self.forget(owner, rule.released)

    def claim(self, pid: str, owner: str, dead: frozenset[str]) -> Write[Record]:
        """See `Store.claim`."""
        kept = self._state.processes.get(pid)
        if kept is None:
            raise rule.unknown(pid)
        rule.check_claimable(kept.row)
        self.check_joined(owner)
        if not self._is_to_be_had(kept, owner, dead):
            raise rule.owned(kept.row)
        yield
        return self._take(kept, owner)

    def claim_many(self, pids: Sequence[str], owner: str, dead: frozenset[str]) -> Write[list[Claimed]]:
        """See `Store.claim_many`."""
        self.check_joined(owner)
        found = [self._state.processes[pid] for pid in dict.fromkeys(pids) if pid in self._state.processes]
        found = [kept for kept in found if rule.goes_on(kept.row) and kept.row.owner != owner]
        yield
        return [self._claimed(kept, owner) for kept in found if self._is_to_be_had(kept, owner, dead)]

    def release(self, fence: Fence) -> Write[None]:
        """See `Store.release`."""
        kept = self._state.processes.get(fence.pid)
        if kept is None or kept.row.epoch != fence.epoch:
            raise rule.fenced(fence, None if kept is None else kept.row)
        yield
        kept.row = rule.released(kept.row)

    # --- who is there ----------------------------------------------------------------------------------------

    def is_alive(self, owner: str) -> bool:
        """Tell whether the lease of an owner runs."""
        boot, until = self._state.owners.get(owner, ("", 0.0))
        return boot == self._clock.boot() and self._clock.steady() < until

    def forget(self, owner: str, leave: Callable[[Record], Record]) -> None:
        """Have an owner gone; ``leave`` gets what becomes of a row that it held."""
        self._state.owners.pop(owner, None)
        for kept in self._state.processes.values():
            if kept.row.owner == owner:
                kept.row = leave(kept.row)

    def check_held(self, fence: Fence) -> None:
        """Pass if an epoch holds.

        Raises:
            FencedError: it does not.
        """
        kept = self._state.processes.get(fence.pid)
        if kept is None or kept.row.epoch != fence.epoch or kept.row.owner is None:
            raise rule.fenced(fence, None if kept is None else kept.row)

    def check_joined(self, owner: str) -> None:
        """Pass if an owner is there.

        Raises:
            FencedError: it has not joined.
        """
        if owner not in self._state.owners:
            raise rule.not_joined(owner)

    # --- pieces ------------------------------------------------------------------------------------------------

    def _lease(self, owner: str, lease: float) -> None:
        self._state.owners[owner] = self._clock.boot(), self._clock.steady() + lease

    def _is_to_be_had(self, kept: Kept, owner: str, dead: frozenset[str]) -> bool:
        holder = kept.row.owner
        return holder in (None, owner) or holder in dead or not self.is_alive(holder)

    def _claimed(self, kept: Kept, owner: str) -> Claimed:
        row = self._take(kept, owner)
        orders = memory_inbox.pending(self._state.letters, row.pid.__eq__)
        return Claimed(row, kept.checkpoints[row.seq], kept.inputs, tuple(orders))

    def _take(self, kept: Kept, owner: str) -> Record:
        holder = kept.row.owner
        if holder is not None and holder != owner:
            self.forget(holder, rule.bereaved)
        kept.row = rule.claimed(kept.row, owner)
        return kept.row

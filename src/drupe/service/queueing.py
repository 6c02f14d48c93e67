"""Putting a process in the store before anybody runs it: from then on all can see it, and ask something of it.

It is made here, at whoever hands it in, for the workers of one queue, and its task says that it is there. A task is a hint,
and may be lost: what has lain in a queue for a while is looked for by its workers like anything that nobody holds, and so is
what something was asked of.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from drupe.engine.child import Origin
from drupe.engine.process import Process
from drupe.errors import ChildMismatchError, InvalidStateError, StoreError, UnknownProcessError
from drupe.interfaces.ambient import Clock, Ids
from drupe.interfaces.store import Store
from drupe.runtime.probe import quiet
from drupe.service.stored import StoredHost

BACKUP: Final = 10.0
"""Seconds that a process waits for whoever takes its task, before the workers of its queue look for it themselves."""


class Queueing:
    """Keeps processes in a store for whoever takes their tasks.

    Args:
        store: where; open.
        clock: time.
        ids: makes pids.
    """

    def __init__(self, store: Store, *, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._host = StoredHost(store, "", clock=clock, ids=ids, probe=quiet)

    async def put(self, process_class: type[Process], inputs: Mapping[str, Any], *, pid: str, queue: str) -> bool:
        """Create a process that is held by nobody, for a queue; False: there is one of its pid, which is left as it is.

        Raises:
            InputError: the inputs do not fit.
            UnsavableError: an input could not be read again; names the path.
            Exception: what `on_create` raised.
            StoreError: it could not be written.
        """
        process = process_class(inputs, pid=pid, origin=Origin(self._host))
        birth, _ = self._host.birth(process)
        birth = msgspec.structs.replace(birth, owner=None, parked=True, wake_at=birth.created + BACKUP, queue=queue)
        try:
            (row,) = await self._store.create([birth])
        except ChildMismatchError:  # of other inputs, or of defaults that are other ones each time: the worker can tell
            return False
        return row.epoch == 0 and row.created == birth.created


async def withdraw(store: Store, pid: str) -> None:
    """Delete a process that nobody has held so far; one that somebody has, or had, stays."""
    try:
        await store.delete(pid, untouched=True)
    except (InvalidStateError, UnknownProcessError):
        pass
    except StoreError as error:
        error.add_note(f"process {pid} stays in the store, and nobody is to run it")
        raise

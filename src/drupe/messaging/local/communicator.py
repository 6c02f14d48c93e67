"""The communicator of several interpreters on one machine, with no server to start."""

from pathlib import Path

from drupe.interfaces.ambient import Clock, Ids
from drupe.interfaces.hints import Hints
from drupe.interfaces.task_queue import TaskQueue
from drupe.messaging.hinted import hinted
from drupe.messaging.local.mesh import LocalLink
from drupe.messaging.local.place import Place
from drupe.messaging.participant import Participant
from drupe.runtime.ids import RandomIds


class LocalCommunicator(Participant):
    """A communicator among those of one folder.

    RPCs and broadcasts go from process to process. Tasks are as durable, and reach as far, as the queue that is passed in:
    with a `MemoryTaskQueue` they stay inside one interpreter and end with it.

    Args:
        folder: where they meet; made when it is not there, and nobody else's.
        tasks: where tasks lie.
        hints: tell when tasks come from elsewhere than this folder; None leaves it to looking.
        clock: says when an RPC is too late to be begun.
        ids: makes identifiers.
    """

    def __init__(
        self,
        folder: Path,
        tasks: TaskQueue,
        *,
        hints: Hints | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        ids = ids or RandomIds()
        address = ids.pid()[-16:]  # the random end; short, because the path of a socket is
        sources = None if hints is None else hinted(hints, tasks, address)
        super().__init__(LocalLink(Place(folder), address), tasks, sources=sources, clock=clock, ids=ids)

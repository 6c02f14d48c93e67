"""What queues of tasks in every database have in common: how a task is read that lies there."""

import logging
from typing import Final

from drupe.core.message import Task, decode_message
from drupe.errors import MessageError
from drupe.interfaces.task_queue import Taken

_LOG: Final = logging.getLogger("drupe.storage")


def read_task(id: str, body: bytes, attempt: int) -> Taken | None:
    """Get a task; one that is damaged stays held, so that it is in nobody's way and can be looked at."""
    try:
        task = decode_message(body)
    except MessageError as error:
        _LOG.error("task %s is left aside: it cannot be read: %s", id, error)
        return None
    if not isinstance(task, Task):
        _LOG.error("task %s is left aside: it is another message", id)
        return None
    return Taken(task, attempt)

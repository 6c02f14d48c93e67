"""What an owner answers when it is called by its name: that it will look, or how far a process is.

It is called on the communicator's thread, so it answers also while a step blocks the processes' loop.
"""

import asyncio
from typing import Any

from drupe.core.message import LookRequest, StatusRequest, read_request
from drupe.errors import MessageError
from drupe.service.runner import Runner


class Desk:
    """The callback of an owner's RPCs: subscribe it under ``runner.owner``.

    Args:
        runner: who is asked.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def __call__(self, body: Any) -> Any:
        """Answer a call.

        Returns:
            To a look True, once it has looked: each order to the process was answered, or kept until the running step
            ends. To a status the body of a `drupe.core.status.Progress`.

        Raises:
            MessageError: it asks for something else.
        """
        request = read_request(body)
        match request:
            case LookRequest(pid=pid):
                await asyncio.wrap_future(self._runner.attend(pid))
                return True
            case StatusRequest(pid=pid):
                return self._runner.progress(pid).as_body()
            case _:
                raise MessageError(
                    f"{body['verb']}: an owner is asked to look, or for a status; orders are in the store"
                )

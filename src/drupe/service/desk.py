"""What an owner answers when it is called by its name: that it will look, or how far a process is.

It is called on the communicator's thread, so it answers also while a step blocks the processes' loop.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from drupe.core.message import AttendanceRequest, LookRequest, RepertoireRequest, StatusRequest, read_request
from drupe.errors import MessageError
from drupe.service.account import Account

if TYPE_CHECKING:
    from concurrent.futures import Future


class Desk:
    """The callback of an owner's RPCs: subscribe it under the owner's name.

    Args:
        attend: looks for orders to a process, by default to any; see `Runner.attend`.
        account: tells how far a process is, who answers, and what classes it can run.
    """

    def __init__(self, attend: Callable[[str | None], "Future[None]"], account: Account) -> None:
        self._attend = attend
        self._account = account

    async def __call__(self, body: Any) -> Any:
        """Answer a call.

        Returns:
            To a look True, once it has looked: each order to the process was answered, or kept until the running step
            ends. To all else the body of what `drupe.core.status` has for it: a `Progress`, an `Attendance`, a `Repertoire`.

        Raises:
            MessageError: it asks for something else.
        """
        request = read_request(body)
        match request:
            case LookRequest(pid=pid):
                await asyncio.wrap_future(self._attend(pid))
                return True
            case StatusRequest(pid=pid):
                return self._account.progress(pid).as_body()
            case AttendanceRequest():
                return self._account.attendance().as_body()
            case RepertoireRequest(kinds=kinds):
                return self._account.repertoire(kinds).as_body()
            case _:
                raise MessageError(
                    f"{body['verb']}: an owner is asked to look, or for a status; orders are in the store"
                )

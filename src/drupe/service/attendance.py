"""Who runs processes of a store: whoever has joined it, and what each says of itself."""

import asyncio
from typing import Any, Final

import msgspec

from drupe.core.message import AttendanceRequest, request_body
from drupe.core.record import Owner
from drupe.core.status import Attendance
from drupe.errors import CommunicationError, MessageError, RemoteError
from drupe.interfaces.communicator import Communicator
from drupe.interfaces.store import Store

DEADLINE: Final = 2.0
"""Seconds that each has to answer."""


class Sighting(msgspec.Struct, frozen=True):
    """Somebody who runs processes.

    Attributes:
        owner: what the store knows.
        said: what it says of itself; None if it does not answer, as nobody does who runs processes for itself alone.
    """

    owner: Owner
    said: Attendance | None

    def as_json(self) -> dict[str, Any]:
        """Get it in values that JSON has."""
        owner: dict[str, Any] = msgspec.to_builtins(self.owner)
        return {**owner, "answered": self.said is not None, **({} if self.said is None else self.said.as_body())}


async def attending(store: Store, communicator: Communicator, *, deadline: float = DEADLINE) -> list[Sighting]:
    """Get everybody who has joined a store, asked all at once; who is silent is among them."""

    async def ask(owner: Owner) -> Sighting:
        try:
            body = await communicator.rpc_send(owner.name, request_body(AttendanceRequest()), deadline=deadline)
            return Sighting(owner, Attendance.of_body(body))
        except (CommunicationError, MessageError, RemoteError):  # also one that is too old to know what is asked
            return Sighting(owner, None)

    return list(await asyncio.gather(*map(ask, await store.owners())))

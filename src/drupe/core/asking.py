"""From what is asked of a process to the order that lies in a store, and back.

A message carries the same request; an order is the one that counts.
"""

from typing import TypeAlias

from drupe.core.codec import CODEC
from drupe.core.message import KillRequest, PauseRequest, PlayRequest, SignalRequest, read_request, request_body
from drupe.core.order import Order
from drupe.errors import CodecError, MessageError

Asked: TypeAlias = PauseRequest | PlayRequest | KillRequest | SignalRequest
"""What a process may be asked for."""


def order_of(request: Asked, *, id: str, pid: str, at: float) -> Order:
    """Get the order that asks a process for something.

    Raises:
        MessageError: a field has a value that no receiver would take.
        UnsavableError: the receiver could not read what a signal carries; names the path.
    """
    body = request_body(request)
    name = request.name if isinstance(request, SignalRequest) else None
    return Order(id=id, pid=pid, verb=body["verb"], name=name, body=CODEC.encode(body, path=""), at=at)


def request_of(order: Order) -> Asked:
    """Get what an order asks for.

    Raises:
        MessageError: it cannot be read here: it is something else, damaged, or holds a type that is not registered.
    """
    try:
        request = read_request(CODEC.decode(order.body))
    except CodecError as error:
        raise MessageError(f"the order {order.id} to {order.pid} cannot be read here: {error}") from error
    if not isinstance(request, Asked):
        raise MessageError(f"the order {order.id} asks for {order.verb!r}, which no process does")
    return request

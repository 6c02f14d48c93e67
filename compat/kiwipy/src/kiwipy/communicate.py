"""A communicator for an address."""

from typing import Any

from kiwipy.communications import Communicator

__all__ = ("connect",)

DEFAULT_COMM_URI = "amqp://guest:guest@127.0.0.1/"


def connect(uri: str = DEFAULT_COMM_URI, **kwargs: Any) -> Communicator:
    """Connect to the server at ``uri``.

    Args:
        uri: an AMQP address.
        kwargs: those of `kiwipy.rmq.connect`.

    Raises:
        ValueError: there is no communicator for such an address.
    """
    if uri.startswith("amqp"):
        from kiwipy import rmq  # what needs no broker shall not load its libraries

        return rmq.connect(connection_params=uri, **kwargs)
    raise ValueError(f"Uknown communicator uri '{uri}'")

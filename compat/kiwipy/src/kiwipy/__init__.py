"""Tasks, calls and broadcasts between programs: the import name kiwipy, on top of drupe."""

import logging

from kiwipy import communicate, communications, exceptions, filters, futures, local, utils  # noqa: F401 (names too)
from kiwipy.communicate import connect
from kiwipy.communications import Communicator, CommunicatorHelper
from kiwipy.exceptions import (
    CommunicatorClosed,
    DeliveryFailed,
    DuplicateSubscriberIdentifier,
    InvalidStateError,
    QueueEmpty,
    RemoteException,
    TaskRejected,
    TimeoutError,
    UnroutableError,
)
from kiwipy.filters import BroadcastFilter
from kiwipy.futures import CancelledError, Future, as_completed, capture_exceptions, chain, copy_future, wait
from kiwipy.local import LocalCommunicator
from kiwipy.utils import EventHelper

__version__ = "0.9.1"

__all__ = (
    "BroadcastFilter",
    "CancelledError",
    "Communicator",
    "CommunicatorClosed",
    "CommunicatorHelper",
    "DeliveryFailed",
    "DuplicateSubscriberIdentifier",
    "EventHelper",
    "Future",
    "InvalidStateError",
    "LocalCommunicator",
    "QueueEmpty",
    "RemoteException",
    "TaskRejected",
    "TimeoutError",
    "UnroutableError",
    "as_completed",
    "capture_exceptions",
    "chain",
    "connect",
    "copy_future",
    "wait",
)


class NullHandler(logging.NullHandler):
    """Keeps an application that sets up no logging from being told about it."""


logging.getLogger("kiwipy").addHandler(NullHandler())

"""What goes wrong between a sender and a receiver."""

import concurrent.futures

__all__ = (
    "CommunicatorClosed",
    "DeliveryFailed",
    "DuplicateSubscriberIdentifier",
    "InvalidStateError",
    "QueueEmpty",
    "RemoteException",
    "TaskRejected",
    "TimeoutError",
    "UnroutableError",
)


class RemoteException(Exception):
    """What the other side raised; its text is all that crosses the wire."""


class DeliveryFailed(Exception):
    """A message did not reach where it was sent."""


class UnroutableError(DeliveryFailed):
    """A message had nowhere to go: nobody answers to that name."""


class TaskRejected(Exception):
    """A subscriber does not take a task: raised by it, the task goes to another one."""


class QueueEmpty(Exception):
    """There is no task in the queue."""


class DuplicateSubscriberIdentifier(Exception):
    """An identifier is taken by another subscriber."""


class CommunicatorClosed(Exception):
    """A communicator was asked for something after it was closed."""


class InvalidStateError(Exception):
    """Something was asked of an object that is past it, for example to process a task a second time."""


TimeoutError = concurrent.futures.TimeoutError

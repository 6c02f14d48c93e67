"""Which broadcasts a subscriber hears."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ("BroadcastFilter",)

_Check: TypeAlias = Callable[[Any], Any]


class BroadcastFilter:
    """A subscriber to broadcasts that hands on those with a wanted subject and a wanted sender.

    Several filters of one kind are alternatives. A message that has no subject, or no sender, passes that kind.
    Text stands for a pattern that what it is compared with begins with, where ``.`` is a dot and ``*`` is anything;
    a compiled pattern is matched at the beginning; any other value is compared.

    Args:
        subscriber: called with what passes, as ``(communicator, body, sender, subject, correlation_id)``.
        subject: the first wanted subject; all by default.
        sender: the first wanted sender; all by default.
    """

    def __init__(self, subscriber: Callable[..., Any], subject: Any = None, sender: Any = None) -> None:
        self._subscriber = subscriber
        self._subject_filters: list[_Check] = []
        self._sender_filters: list[_Check] = []
        if subject is not None:
            self.add_subject_filter(subject)
        if sender is not None:
            self.add_sender_filter(sender)

    @property
    def __name__(self) -> str:
        return "BroadcastFilter"

    def __call__(
        self, communicator: Any, body: Any, sender: Any = None, subject: Any = None, correlation_id: Any = None
    ) -> Any:
        """Hand the message on, and what the subscriber returns back; ``None`` for a message that does not pass."""
        if self.is_filtered(sender, subject):
            return None
        return self._subscriber(communicator, body, sender, subject, correlation_id)

    def is_filtered(self, sender: Any, subject: Any) -> bool:
        """Tell whether a message from ``sender`` on ``subject`` is kept back."""
        return _stops(self._subject_filters, subject) or _stops(self._sender_filters, sender)

    def add_subject_filter(self, subject_filter: Any) -> None:
        """Let messages on this subject pass too."""
        self._subject_filters.append(_check_of(subject_filter))

    def add_sender_filter(self, sender_filter: Any) -> None:
        """Let messages from this sender pass too."""
        self._sender_filters.append(_check_of(sender_filter))


def _stops(checks: list[_Check], value: Any) -> bool:
    if value is None or not checks:
        return False
    for check in checks:  # noqa: SIM110 (every message comes by here, once for every subscriber)
        if check(value):
            return False
    return True


def _check_of(wanted: Any) -> _Check:
    if isinstance(wanted, str):
        return re.compile(wanted.replace(".", "[.]").replace("*", ".*")).match
    if isinstance(wanted, re.Pattern):
        return wanted.match
    return lambda value: value == wanted

"""Who is called, by identifier: what all communicators do alike."""

import uuid
from typing import Any

from kiwipy import exceptions


def add(subscribers: dict[Any, Any], subscriber: Any, identifier: Any, kind: str) -> Any:
    """Add one; returns its identifier, which is made up when there is none.

    Raises:
        DuplicateSubscriberIdentifier: the identifier is taken.
    """
    identifier = identifier or uuid.uuid4().hex
    if identifier in subscribers:
        raise exceptions.DuplicateSubscriberIdentifier(f"{kind} identifier '{identifier}'")
    subscribers[identifier] = subscriber
    return identifier


def remove(subscribers: dict[Any, Any], identifier: Any, text: str) -> None:
    """Take one out; raises `ValueError` with ``text``, in which ``{}`` is the identifier, when it is not there."""
    try:
        del subscribers[identifier]
    except KeyError as error:
        raise ValueError(text.format(identifier)) from error

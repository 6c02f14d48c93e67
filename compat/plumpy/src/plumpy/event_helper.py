"""Listeners of one type, told of events by the name of a method, and saved with the process."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plumpy import persistence

if TYPE_CHECKING:
    from plumpy.process_listener import ProcessListener

_LOGGER = logging.getLogger(__name__)


@persistence.auto_persist("_listeners", "_listener_type")
class EventHelper(persistence.Savable):
    """A set of listeners.

    Args:
        listener_type: what each of them is an instance of.
    """

    def __init__(self, listener_type: "type[ProcessListener]") -> None:
        assert listener_type is not None, "Must provide valid listener type"
        self._listener_type = listener_type
        self._listeners: set[ProcessListener] = set()

    def add_listener(self, listener: "ProcessListener") -> None:
        """Tell ``listener`` too; raises `AssertionError` when it is not of the type."""
        assert isinstance(listener, self._listener_type), "Listener is not of right type"
        self._listeners.add(listener)

    def remove_listener(self, listener: "ProcessListener") -> None:
        """Tell ``listener`` no more; it need not be one."""
        self._listeners.discard(listener)

    def remove_all_listeners(self) -> None:
        """Tell nobody."""
        self._listeners.clear()

    @property
    def listeners(self) -> "set[ProcessListener]":
        """Who is told."""
        return self._listeners

    def fire_event(self, event_function: Callable[..., Any] | None, *args: Any, **kwargs: Any) -> None:
        """Call the method of this name of each listener; what it raises is logged.

        Raises:
            ValueError: there is no method.
        """
        if event_function is None:
            raise ValueError("Must provide valid event method")
        if not self._listeners:
            return
        for listener in list(self._listeners):  # it may change meanwhile
            try:
                getattr(listener, event_function.__name__)(*args, **kwargs)
            except Exception:
                _LOGGER.exception("Listener '%s' produced an exception:", listener)

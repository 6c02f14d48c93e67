"""Listeners of one type, told of events by the name of a method."""

import logging
from collections.abc import Callable
from typing import Any

__all__ = ("EventHelper",)

_LOGGER = logging.getLogger(__name__)


class EventHelper:
    """A set of listeners.

    Args:
        listener_type: what each of them is an instance of.
    """

    def __init__(self, listener_type: type) -> None:
        assert listener_type is not None, "Must provide valid listener type"
        self._listener_type = listener_type
        self._listeners: set[Any] = set()

    @property
    def listeners(self) -> set[Any]:
        """Who is told."""
        return self._listeners

    def add_listener(self, listener: Any) -> None:
        """Tell ``listener`` too."""
        assert isinstance(listener, self._listener_type), "Listener is not of right type"
        self._listeners.add(listener)

    def remove_listener(self, listener: Any) -> None:
        """Tell ``listener`` no more; it need not be one."""
        self._listeners.discard(listener)

    def remove_all_listeners(self) -> None:
        """Tell nobody."""
        self._listeners.clear()

    def fire_event(self, event_function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call each listener's method of the function's name; what one raises is logged, and the next one is called."""
        if event_function is None:
            raise ValueError("Must provide valid event method")
        for listener in tuple(self._listeners):  # one may take itself out when it is called
            try:
                getattr(listener, event_function.__name__)(*args, **kwargs)
            except Exception:
                _LOGGER.exception("Listener %s produced an exception", listener)

"""A check that a method that is meant to be extended was not replaced.

The object counts: `call_with_super_check` adds one, the base's method, marked by `super_check`, takes one away.
Who overrides the method without calling the base's leaves the count too high.
"""

from collections.abc import Callable
from typing import Any

__all__ = ["call_with_super_check", "super_check"]


def super_check(wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a method as one that every method that overrides it has to call. It returns None."""
    name = wrapped.__name__

    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        assert getattr(self, "_called", 0) >= 1, f"The function '{name}' was not called through call_with_super_check"
        wrapped(self, *args, **kwargs)
        self._called -= 1

    checked.plain = wrapped  # type: ignore[attr-defined]
    checked.__name__ = name
    checked.__doc__ = wrapped.__doc__
    return checked


def is_own(method: Any, function: Any) -> bool:
    """Whether a bound method is this very function, so that nobody overrode it and nothing need be checked."""
    return getattr(method, "__func__", None) is function


def call_with_super_check(wrapped: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Call a bound method; raises `AssertionError` when it did not reach the marked one."""
    self = wrapped.__self__  # type: ignore[attr-defined]  # a bound method has it
    before = self._called = getattr(self, "_called", 0)
    plain = getattr(getattr(wrapped, "__func__", None), "plain", None)
    if plain is not None:  # it is the marked one: there is nothing to check
        plain(self, *args, **kwargs)
        return
    self._called = before + 1
    wrapped(*args, **kwargs)
    assert self._called == before, (
        f"Base '{wrapped.__name__}' was not called from '{self.__class__}'\nHint: Did you forget to call the super?"
    )

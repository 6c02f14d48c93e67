"""Marks for methods, and a value that stands for none."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def protected(check: bool = False) -> Callable[[F], F]:
    """Get a decorator for methods that only methods of the same object may call.

    Args:
        check: raise `RuntimeError` when somebody else calls; else the decorator is a mark for readers.
    """

    def decorate(func: F) -> F:
        _refuse_other_than_methods(func, "Protected", "protected")
        if not check or inspect.currentframe() is None:
            return func

        @functools.wraps(func)
        def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
            caller = inspect.stack()[1].frame.f_locals
            if caller.get("self") is not self:
                raise RuntimeError(f"Cannot access protected function {func.__name__} from outside class hierarchy")
            return func(self, *args, **kwargs)

        return guarded  # type: ignore[return-value]

    return decorate


def override(check: bool = False) -> Callable[[F], F]:
    """Get a decorator for methods that replace one of a base class.

    Args:
        check: raise `RuntimeError` at the call when no base class has such a method; else a mark for readers.
    """

    def decorate(func: F) -> F:
        _refuse_other_than_methods(func, "Override", "override")
        if not check:
            return func

        @functools.wraps(func)
        def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not hasattr(super(self.__class__, self), func.__name__):
                raise RuntimeError(f"Function {func} does not override a superclass method")
            return func(self, *args, **kwargs)

        return guarded  # type: ignore[return-value]

    return decorate


def _refuse_other_than_methods(func: Any, title: str, name: str) -> None:
    if isinstance(func, property):
        raise RuntimeError(f"{title} must go after @property decorator")
    if not inspect.getfullargspec(func).args:
        raise RuntimeError(f"Can only use the {name} decorator on member functions")


class __NULL:
    """Equal to every other of its kind."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, self.__class__)

    __hash__ = None  # type: ignore[assignment]  # as of every class that says what is equal


NULL = __NULL()

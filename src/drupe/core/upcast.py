"""Bringing what an older version of a process class saved up to the version of today, one version at a time.

An upcast is a function of the class that takes the saved state of one version, as plain data, and
returns that of the next. It sees data only: no instance exists yet when it runs.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from drupe.errors import DefinitionError, NewerVersionError, UpcastError

State: TypeAlias = dict[str, Any]
"""What was saved: ``inputs``, ``outputs``, ``ctx``, ``fields``, ``stage``, ``cursor``."""


class Upcast(msgspec.Struct, frozen=True):
    """A function of a class that brings its saved state from one version to the next; called with the state alone."""

    from_version: int
    function: Callable[[State], State]

    def __call__(self, state: State) -> State:
        """Get the state of the next version."""
        return self.function(state)


def upcast(*, from_version: int) -> Callable[[Callable[[State], State]], Upcast]:
    """Mark a function in the body of a process class as the upcast from this version to the next.

    ::

        version = 2


        @upcast(from_version=1)
        @staticmethod
        def use_bohr(state):
            state["inputs"]["volume"] *= BOHR**3
            return state

    Raises:
        DefinitionError: the version is not a whole number above zero, or what is marked cannot be called with the state.
    """
    if type(from_version) is not int or from_version < 1:
        raise DefinitionError(f"@upcast(from_version={from_version!r}): a version is a whole number above zero")

    def mark(function: Callable[[State], State]) -> Upcast:
        if not callable(function):  # a class method, for one
            raise DefinitionError(
                f"@upcast(from_version={from_version}): {function!r} is not a function of the saved state"
            )
        return Upcast(from_version, function)

    return mark


def upcasts_of(cls: type) -> dict[int, Callable[[State], State]]:
    """Get the upcasts of a class by the version they start from, inherited ones included.

    As with any attribute of a class, one of the same name in a subclass takes the place of the inherited one.

    Raises:
        DefinitionError: two of them start from the same version.
    """
    attributes: dict[str, tuple[type, Any]] = {}
    for owner in reversed(cls.__mro__):
        attributes.update({name: (owner, value) for name, value in vars(owner).items()})
    found: dict[int, Callable[[State], State]] = {}
    labels: dict[int, str] = {}
    for name, (owner, value) in attributes.items():
        if isinstance(value, Upcast):
            version, label = value.from_version, f"{owner.__qualname__}.{name}"
            if version in found:
                raise DefinitionError(
                    f"two upcasts from version {version}: {labels[version]} and {label}; keep one of them"
                )
            found[version], labels[version] = value, label
    return found


def migrate(
    state: State, *, saved_version: int, version: int, upcasts: Mapping[int, Callable[[State], State]]
) -> State:
    """Get the saved state as ``version`` of the class would have saved it.

    The state that is given may be changed on the way.

    Raises:
        NewerVersionError: it is of a newer version than the class.
        UpcastError: an upcast is missing, or one failed.
    """
    if saved_version > version:
        raise NewerVersionError(
            f"saved by version {saved_version} of the class, and the code here is version {version}; "
            "run newer code, nothing is brought down"
        )
    for step in range(saved_version, version):
        if step not in upcasts:
            raise UpcastError(
                f"saved by version {saved_version}, the code here is version {version}, and no upcast leads from version "
                f"{step} to {step + 1}; add one to the class: @upcast(from_version={step})"
            )
        state = _take(state, step, upcasts[step])
    return state


def _take(state: State, step: int, function: Callable[[State], State]) -> State:
    try:
        after = function(state)
    except Exception as error:
        raise UpcastError(f"the upcast from version {step} failed: {type(error).__name__}: {error}") from error
    if type(after) is not dict:
        raise UpcastError(
            f"the upcast from version {step} returned {type(after).__name__}, not the state; end it with `return state`"
        )
    return after

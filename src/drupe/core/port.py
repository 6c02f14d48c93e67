"""One named place for a value: what may be put there, and what is there if nothing is.

A port judges single values and knows neither its neighbours nor its process. It answers with
an `Issue`, never by raising: who asked decides what to do about it.
"""

import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypedDict, Unpack

from drupe.core.issue import Issue, Path, Review, ValidType, absent, brief, issue, misfit, type_names
from drupe.errors import SpecError

Validator: TypeAlias = Callable[[Any], str | None] | Callable[[Any, Any], str | None]
"""Takes the value, or the value and the port; gives the complaint, or None."""


class Unspecified(Enum):
    """The type of `UNSPECIFIED`: an enum, since copies of it must be it."""

    UNSPECIFIED = "unspecified"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return self.name


UNSPECIFIED: Final = Unspecified.UNSPECIFIED
"""Stands where no value was given; None is a value."""


class Edition:
    """How often anything about any port has changed.

    Declaring happens when classes are defined, judging when processes run: so one count for all is enough to know
    that what was worked out before is stale.
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


EDITION: Final = Edition()


class PortOptions(TypedDict, total=False):
    """What can be said about any port."""

    valid_type: ValidType
    help: str | None
    required: bool
    validator: Validator | None


class InputOptions(PortOptions, total=False):
    """What can be said about an input port."""

    default: Any


class Outlook(NamedTuple):
    """What is known of a port before any value comes.

    Attributes:
        passes: values of these types are right, and need not be shown to the port.
        constant: what is kept whenever none is given, if that is right and always the same; else `UNSPECIFIED`.
        optional: whether it is all right to keep nothing if none is given.
    """

    passes: Any
    constant: Any
    optional: bool


class Port:
    """A named place for a value.

    Attributes:
        name: the last part of its dotted path.
        help: what the value is for.
        required: whether it is an issue that nothing is given.
        default: what is taken if nothing is given; a callable is called anew each time. `UNSPECIFIED` for none.
    """

    default: Any = UNSPECIFIED
    _valid_type: ValidType = None
    _validator: Validator | None = None
    _takes_port = False

    def __init__(
        self,
        name: str,
        *,
        valid_type: ValidType = None,
        help: str | None = None,
        required: bool = True,
        validator: Validator | None = None,
    ) -> None:
        self.name = name
        self.help = help
        self.required = required
        self.valid_type = valid_type
        self.validator = validator

    @property
    def valid_type(self) -> ValidType:
        """The type or types that a value may have; None for any.

        Raises:
            SpecError: when set to what `isinstance` does not take.
        """
        return self._valid_type

    @valid_type.setter
    def valid_type(self, valid_type: ValidType) -> None:
        self._set_valid_type(valid_type)

    def _set_valid_type(self, valid_type: Any) -> None:
        try:
            isinstance(UNSPECIFIED, () if valid_type is None else valid_type)
        except TypeError as error:
            message = f"port {self.name!r}: valid_type is a type, a tuple of types or None, not {brief(valid_type)}"
            raise SpecError(message) from error
        self._valid_type = valid_type

    @property
    def validator(self) -> Validator | None:
        """A last word on values of a valid type.

        Raises:
            SpecError: when set to what takes neither a value nor a value and a port.
        """
        return self._validator

    @validator.setter
    def validator(self, validator: Validator | None) -> None:
        self._takes_port = validator is not None and _takes_two(validator, self.name)
        self._validator = validator

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        EDITION.number += 1

    def has_default(self) -> bool:
        """Whether there is a value to take if none is given."""
        return self.default is not UNSPECIFIED

    def needs_value(self) -> bool:
        """Whether it is an issue that nothing is given."""
        return self.required and not self.has_default()

    def fill(self) -> Any:
        """A value for where none was given: the default, or `UNSPECIFIED`."""
        if not self.has_default():
            return UNSPECIFIED
        return self.default() if callable(self.default) else self.default

    def validate(self, value: Any, path: Path = ()) -> Issue | None:
        """What is wrong with a value, or None; `path` is where the port is."""
        if value is UNSPECIFIED:
            return self.absent((*path, self.name)) if self.needs_value() else None
        types: Any = self._valid_type
        if types is not None and not isinstance(value, types):
            return self.misfit((*path, self.name), value)
        return None if self._validator is None else self.ask_validator(value, (*path, self.name))

    # What follows is asked by `validate`, which alone decides in which order. A kind of port that says the same
    # in other words overrides it.

    def absent(self, here: Path) -> Issue | None:
        """What is said when a required value was not given."""
        return absent(here, self._valid_type, self.help)

    def misfit(self, here: Path, value: Any) -> Issue | None:
        """What is said of a value that is not of the valid type."""
        return misfit(here, value, self._valid_type)

    def ask_validator(self, value: Any, here: Path) -> Issue | None:
        """What the validator says of a value of the valid type, if there is one."""
        if self._validator is None:
            return None
        arguments = (value, self) if self._takes_port else (value,)
        try:
            complaint: Any = self._validator(*arguments)
        except Exception as error:
            error.add_note(f"raised by the validator of {issue(here, brief(value))}")
            raise
        if complaint is None:
            return None
        if not isinstance(complaint, str):
            message = f"validator of {self.name!r} gives a complaint as text or None, not {brief(complaint)}"
            raise SpecError(message)
        return issue(here, complaint)

    def admit(self, value: Any, path: Path, review: Review) -> Any:
        """What is to be kept for a value: itself, or the default; what is wrong with it goes to the review."""
        if review.filling and value is UNSPECIFIED:
            value = self.fill()
        if (found := self.validate(value, path)) is not None:
            review.issues.append(found)
        return value

    def outlook(self) -> Outlook:
        """What is known before any value comes, as long as the edition stays the same."""
        if type(self).validate is not Port.validate or type(self).admit is not Port.admit:
            return Outlook((), UNSPECIFIED, optional=False)
        passes: Any = object if self._valid_type is None else self._valid_type
        if self._validator is not None:
            passes = ()
        if not self.has_default():
            return Outlook(passes, UNSPECIFIED, optional=not self.required)
        settled = not callable(self.default) and isinstance(self.default, passes)
        return Outlook(passes, self.default if settled else UNSPECIFIED, optional=False)

    def restore(self, saved: Any) -> Any:
        """What was kept, from what was saved of it; nothing is filled in or checked."""
        return saved

    def get_description(self) -> dict[str, Any]:
        """What is declared, in values that JSON has."""
        description: dict[str, Any] = {
            "name": self.name,
            "required": self.required,
            "valid_type": None if self.valid_type is None else type_names(self.valid_type),
            "help": self.help,
        }
        if self.has_default():
            description["default"] = _describe_default(self.default)
        return description

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {type_names(self.valid_type)}>"


class InputPort(Port):
    """A place for a value that a process is given. With a default it is not required."""

    def __init__(self, name: str, *, default: Any = UNSPECIFIED, **options: Unpack[PortOptions]) -> None:
        if default is not UNSPECIFIED:
            options["required"] = False
        super().__init__(name, **options)
        if default is not UNSPECIFIED and not callable(default):  # what a callable gives is judged when it is called
            found = self.validate(default)
            if found is not None:
                message = f"port {name!r}: its default does not fit: {found.message}"
                raise SpecError(message)
        self.default = default


class OutputPort(Port):
    """A place for a value that a process gives."""


def _takes_two(validator: Validator, name: str) -> bool:
    """Whether a validator is to be given the port as well as the value."""
    try:
        signature = inspect.signature(validator)
    except ValueError:  # a builtin that does not tell
        return False
    except TypeError as error:
        message = f"port {name!r}: {brief(validator)} is no validator, it cannot be called"
        raise SpecError(message) from error
    for arguments in ((None, None), (None,)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return len(arguments) == 2
    message = f"port {name!r}: a validator takes the value, or the value and the port, not {signature}"
    raise SpecError(message)


def _describe_default(default: Any) -> str | int | float | bool | None:
    if default is None or isinstance(default, str | int | float | bool):
        return default
    return f"{getattr(default, '__qualname__', brief(default))}()" if callable(default) else brief(default)

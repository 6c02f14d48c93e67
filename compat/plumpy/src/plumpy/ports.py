"""Ports: named places for values, alone or in namespaces.

They are drupe's ports (`drupe.core.port`, `drupe.core.namespace`), with the words and the leniency of those that programs
were written for: nothing is judged when it is declared, and of many values the first that is wrong is told.
"""

import inspect
import json
import logging
import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Self

from drupe.core.namespace import PortNamespace as NamespaceOfPorts
from drupe.core.port import UNSPECIFIED as NOTHING
from drupe.core.port import Port as AnyPort
from plumpy.utils import AttributesFrozendict, is_mutable_property, type_check

__all__ = ["UNSPECIFIED", "InputPort", "OutputPort", "Port", "PortNamespace", "PortValidationError"]

_LOGGER = logging.getLogger(__name__)

UNSPECIFIED = ()
"""Stands where no value is given. It is an empty tuple, and compared by identity."""

VALIDATOR_SIGNATURE_DEPRECATION_WARNING = """the validator `{}` has a signature that only takes a single argument.
    This has been deprecated and the new signature is `validator(value, port)` where the `port` argument will be the
    port instance to which the validator has been assigned."""

VALIDATOR_TYPE = Callable[[Any, "Port"], str | None]


class PortValidationError(Exception):
    """A value does not fit its port.

    Args:
        message: what is wrong.
        port: where, as dotted names.
    """

    def __init__(self, message: str, port: str) -> None:
        super().__init__(f"Error occurred validating port '{port}': {message}")
        self._message = message
        self._port = port

    @property
    def message(self) -> str:
        """What is wrong."""
        return self._message

    @property
    def port(self) -> str:
        """Where, as dotted names."""
        return self._port


_judge: Any = AnyPort.validate


class _Hidden:
    """What drupe's ports have all, and of these only some."""

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, port: Any, kind: type) -> Any:
        if port is None:
            return self
        raise AttributeError(f"{kind.__name__!r} object has no attribute {self._name!r}")


class Port(AnyPort):
    """A named place for a value.

    Args:
        name: its name.
        valid_type: the type, or types, that a value may have; None for any.
        help: what the value is for.
        required: whether it is an error that none is given.
        validator: takes the value and the port and gives the complaint, or None. One that takes only the value is
            called too, with a warning.
    """

    default: Any = _Hidden()
    has_default: Any = _Hidden()
    __repr__ = object.__repr__

    def __init__(
        self,
        name: str,
        valid_type: Any = None,
        help: str | None = None,
        required: bool = True,
        validator: VALIDATOR_TYPE | None = None,
    ) -> None:
        self._name = name  # the base's constructor would judge what is declared
        self._valid_type = valid_type
        self._help = help
        self._required = required
        self._validator = validator

    def __str__(self) -> str:
        return json.dumps(self.get_description())

    def get_description(self) -> dict[str, Any]:
        """Get what is declared, as text by name."""
        description = {"name": f"{self.name}", "required": str(self.required)}
        if self.valid_type:
            description["valid_type"] = f"{self.valid_type}"
        if self.help:
            description["help"] = f"{self.help.strip()}"
        return description

    @property
    def name(self) -> str:  # type: ignore[override]  # it could never be set
        """Its name."""
        return self._name

    @property
    def valid_type(self) -> Any:
        """The type, or types, that a value may have; None for any."""
        return self._valid_type

    @valid_type.setter
    def valid_type(self, valid_type: Any) -> None:
        self._valid_type = valid_type

    @property
    def help(self) -> str | None:
        """What the value is for."""
        return self._help

    @help.setter
    def help(self, help: str | None) -> None:
        self._help = help

    @property
    def required(self) -> bool:
        """Whether it is an error that no value is given."""
        return self._required

    @required.setter
    def required(self, required: bool) -> None:
        self._required = required

    @property
    def validator(self) -> Any:
        """Has the last word on values of a valid type."""
        return self._validator

    @validator.setter
    def validator(self, validator: Any) -> None:
        self._validator = validator

    def validate(self, value: Any, breadcrumbs: Sequence[str] = ()) -> PortValidationError | None:  # type: ignore[override]
        """Get what is wrong with a value, or None.

        Args:
            value: the value, or `UNSPECIFIED`.
            breadcrumbs: the names of the namespaces that the port is in.
        """
        found: Any = _judge(self, NOTHING if value is UNSPECIFIED else value, breadcrumbs)
        return found  # type: ignore[no-any-return]

    def fill(self) -> Any:
        """Get what is taken if no value is given: nothing."""
        return NOTHING

    def needs_value(self) -> bool:
        """Whether it is an error that no value is given."""
        return self._required

    def absent(self, here: Sequence[str]) -> Any:
        """Get the error of a value that was not given."""
        return _error(f"required value was not provided for '{self.name}'", here)

    def misfit(self, here: Sequence[str], value: Any) -> Any:
        """Get the error of a value of another type."""
        message = f"value '{self.name}' is not of the right type. Got '{type(value)}', expected '{self._valid_type}'"
        return _error(message, here)

    def ask_validator(self, value: Any, here: Sequence[str]) -> Any:
        """Get the error that the validator finds, or None."""
        message = _ask(self.validator, value, self)
        if message is None:
            return None
        assert isinstance(message, str), "Validator returned non string type"
        return _error(message, here)


class InputPort(Port):
    """A place for a value that a process is given; with a default it is not required.

    Args:
        name: its name.
        valid_type: as of `Port`.
        help: as of `Port`.
        default: the value if none is given; what can be called is called each time.
        required: as of `Port`.
        validator: as of `Port`.

    Raises:
        ValueError: the default does not fit.
    """

    @staticmethod
    def required_override(required: bool, default: Any) -> bool:
        """Get whether a value is required, knowing the default."""
        return required if default is UNSPECIFIED else False

    def __init__(
        self,
        name: str,
        valid_type: Any = None,
        help: str | None = None,
        default: Any = UNSPECIFIED,
        required: bool = True,
        validator: VALIDATOR_TYPE | None = None,
    ) -> None:
        needed = InputPort.required_override(required, default)
        super().__init__(name, valid_type=valid_type, help=help, required=needed, validator=validator)
        if required is not needed:
            _LOGGER.debug(
                "the required attribute for the input port '%s' was overridden because a default was specified", name
            )
        if default is not UNSPECIFIED and not callable(default):  # what a callable gives is judged when it is used
            error = self.validate(default)
            if error:
                raise ValueError(f"Invalid default value: {error.message}")
        self._default = default

    def has_default(self) -> bool:
        """Whether there is a default."""
        return self._default is not UNSPECIFIED

    def fill(self) -> Any:
        """Get the value that is taken if none is given."""
        return AnyPort.fill(self)

    @property
    def default(self) -> Any:
        """The value if none is given; raises `RuntimeError` when there is none."""
        if not self.has_default():
            raise RuntimeError("No default")
        return self._default

    @default.setter
    def default(self, default: Any) -> None:
        self._default = default

    def get_description(self) -> dict[str, str]:
        """Get what is declared, as text by name."""
        description = super().get_description()
        if self.has_default():
            description["default"] = f"{self.default}"
        return description


class OutputPort(Port):
    """A place for a value that a process gives."""


class PortNamespace(NamespaceOfPorts, Port):
    """Ports by name, some of which may be namespaces again.

    Args:
        name: its name.
        help: as of `Port`.
        required: whether it is an error that no value at all is given.
        validator: as of `Port`; it is given all values.
        valid_type: of values for which no port is declared. Setting it makes the namespace dynamic.
        default: the values if none are given.
        dynamic: whether values are taken for which no port is declared.
        populate_defaults: whether defaults are filled in even when nothing is given for the namespace.
    """

    NAMESPACE_SEPARATOR = "."

    def __init__(
        self,
        name: str = "",
        help: str | None = None,
        required: bool = True,
        validator: VALIDATOR_TYPE | None = None,
        valid_type: Any = None,
        default: Any = UNSPECIFIED,
        dynamic: bool = False,
        populate_defaults: bool = True,
    ) -> None:
        Port.__init__(self, name=name, help=help, required=required, validator=validator, valid_type=valid_type)
        self._ports: Any = {}
        self.default = default
        self.populate_defaults = populate_defaults
        self.valid_type = valid_type
        if valid_type is None:
            self.dynamic = dynamic

    def __str__(self) -> str:
        return json.dumps(self.get_description(), sort_keys=True, indent=4)

    __repr__ = object.__repr__

    def __setitem__(self, key: str, port: Any) -> None:
        if not isinstance(port, Port):
            raise TypeError("port needs to be an instance of Port")
        super().__setitem__(key, port)

    def __contains__(self, key: object) -> bool:
        return key in self._ports

    @property
    def ports(self) -> dict[str, Any]:
        """The ports by name."""
        return self._ports  # type: ignore[no-any-return]

    def has_default(self) -> bool:
        """Whether there are values to take if none are given."""
        return self._default is not UNSPECIFIED

    @property
    def default(self) -> Any:
        """The values if none are given, or `UNSPECIFIED`."""
        return self._default

    @default.setter
    def default(self, default: Any) -> None:
        self._default = default

    @property
    def dynamic(self) -> bool:
        """Whether values are taken for which no port is declared."""
        return self._dynamic

    @dynamic.setter
    def dynamic(self, dynamic: bool) -> None:
        self._dynamic = dynamic

    @property
    def valid_type(self) -> Any:
        """The type, or types, of values for which no port is declared; setting one makes the namespace dynamic."""
        return self._valid_type

    @valid_type.setter
    def valid_type(self, valid_type: Any) -> None:
        if valid_type is not None:
            self.dynamic = True
        self._valid_type = valid_type

    @property
    def populate_defaults(self) -> bool:
        """Whether defaults are filled in even when nothing is given for the namespace."""
        return self._populate_defaults

    @populate_defaults.setter
    def populate_defaults(self, populate_defaults: bool) -> None:
        self._populate_defaults = populate_defaults

    def get_description(self) -> dict[str, dict[str, Any]]:
        """Get what is declared, of the namespace as ``_attrs`` and of each port by name."""
        own = {
            "default": self.default,
            "dynamic": self.dynamic,
            "valid_type": str(self.valid_type),
            "required": str(self.required),
            "help": self.help,
        }
        return {"_attrs": own} | {name: port.get_description() for name, port in self._ports.items()}

    # --- dotted names -------------------------------------------------------------------------------------------

    def get_port(self, name: str, create_dynamically: bool = False) -> Any:
        """Get a port by its dotted name; raises `ValueError` when there is none.

        Args:
            name: the name.
            create_dynamically: has no effect, and is warned of.
        """
        if create_dynamically:
            warnings.warn(
                "the `create_dynamically` argument is deprecated and ignored; dynamic runtime outputs should be "
                "emitted through `Process.out`",
                DeprecationWarning,
                stacklevel=2,
            )
        first, rest = self.split(name)
        if first not in self:
            raise ValueError(f"port '{first}' does not exist in port namespace '{self.name}'")
        found: Any = self[first]
        return found if rest is None else found.get_port(rest)

    def create_port_namespace(self, name: str, **kwargs: Any) -> "PortNamespace":
        """Get the namespace of a dotted name, with all on the way to it made where they are missing.

        Args:
            name: the name.
            kwargs: options of the last one, if it is made.

        Raises:
            ValueError: a port that is no namespace is in the way.
        """
        found: Any = super().create_port_namespace(name, **kwargs)
        return found  # type: ignore[no-any-return]

    def split(self, name: Any) -> tuple[str, str | None]:
        """Get the first part of a dotted name, and the rest, if there is any; raises `ValueError` for what is no name."""
        if not isinstance(name, str):
            raise ValueError(f"name has to be a string type, not {type(name)}")
        if not name:
            raise ValueError("name cannot be an empty string")
        first, separator, rest = name.partition(self.NAMESPACE_SEPARATOR)
        return first, rest if separator else None

    def nested(self, name: str) -> "PortNamespace":
        """Get the namespace of this name; raises `ValueError` when it is a port."""
        found: Any = self[name]
        if not isinstance(found, PortNamespace):
            raise ValueError(f"the name '{name}' in '{self.name}' already contains a Port")
        return found

    # --- taking over --------------------------------------------------------------------------------------------

    def absorb(  # type: ignore[override]  # it takes lists of names only
        self,
        port_namespace: "PortNamespace",
        exclude: Sequence[str] | None = None,
        include: Sequence[str] | None = None,
        namespace_options: dict[str, Any] | None = None,
    ) -> list[str]:
        """Take over copies of another namespace's ports, and its own options, and get the names taken.

        Args:
            port_namespace: the other one.
            exclude: dotted names not to take.
            include: dotted names to take, and no others.
            namespace_options: options that go before those of the other one.

        Raises:
            ValueError: the arguments contradict each other, or an option is none of a namespace.
        """
        if not isinstance(port_namespace, PortNamespace):
            raise ValueError("port_namespace has to be an instance of PortNamespace")
        if exclude is not None and include is not None:
            raise ValueError("exclude and include are mutually exclusive")
        for rules in (exclude, include):
            if rules is not None:
                type_check(rules, Sequence)
        self._take_options(port_namespace, {} if namespace_options is None else namespace_options)
        chosen: Any = _Choice(port_namespace, exclude, include)
        return self.absorb_ports(port_namespace, chosen)

    def emptied(self) -> Self:
        """Get a copy without the ports, which has taken over the options, as any namespace that absorbs another one has."""
        twin = super().emptied()
        twin._take_options(self, {})
        return twin

    def _take_options(self, other: "PortNamespace", options: dict[str, Any]) -> None:
        for name in _OPTIONS:
            setattr(self, name, options.pop(name, getattr(other, name)))
        if options:
            raise ValueError(f"the namespace_options {list(options.keys())}, is not a supported PortNamespace property")

    @staticmethod
    def strip_namespace(namespace: str, separator: str, rules: Sequence[str] | None = None) -> list[str] | None:
        """Get those of the dotted names that are within a namespace, without its name; None of None."""
        if rules is None:
            return None
        prefix = f"{namespace}{separator}"
        return [rule.removeprefix(prefix) for rule in rules if rule.startswith(prefix)]

    def project(self, port_values: Mapping[str, Any]) -> dict[str, Any]:
        """Get those of the values for which a port is declared."""
        return {
            name: self._ports[name].project(value) if isinstance(value, PortNamespace) else value
            for name, value in port_values.items()
            if name in self.ports
        }

    # --- values -------------------------------------------------------------------------------------------------

    def pre_process(self, port_values: MutableMapping[str, Any]) -> AttributesFrozendict:
        """Get the values with defaults filled in; ``port_values`` itself is filled too."""
        port: Any
        for name, port in self._ports.items():
            nested = isinstance(port, PortNamespace)
            if name in port_values:
                value = port_values[name]
            elif nested and not port.populate_defaults:
                continue
            elif port.has_default():
                value = port.default() if callable(port.default) else port.default
            elif nested and port.ports:
                value = {}
            else:
                continue
            port_values[name] = port.pre_process(value) if nested else value
        return AttributesFrozendict(port_values)

    def validate(  # type: ignore[override]  # as that of `Port`
        self, port_values: Any = None, breadcrumbs: Sequence[str] = ()
    ) -> PortValidationError | None:
        """Get what is wrong with values first, or None.

        Args:
            port_values: the values by name.
            breadcrumbs: the names of the namespaces that this one is in.
        """
        looked_into = self.required and (self._ports or self.validator is not None)
        if not port_values:
            if not looked_into:
                return None
            port_values = {}
        here = (*breadcrumbs, self.name)
        if type(port_values) is not dict and not isinstance(port_values, Mapping):
            message = f"specified value is of type {type(port_values)} which is not sub class of `Mapping`"
            return _error(message, here)
        values = dict(port_values)
        if not values and not looked_into:
            return None
        left = values.copy()  # the declared ports take theirs out of it
        error = self.validate_ports(left, here) or self.validate_dynamic_ports(left, breadcrumbs)
        if error or self.validator is None:
            return error
        complaint = _ask(self.validator, values, self)
        if complaint is None:
            return None
        assert isinstance(complaint, str), f"Validator returned something other than None or str: '{type(complaint)}'"
        return _error(complaint, here)

    def validate_ports(
        self, port_values: MutableMapping[str, Any], breadcrumbs: Sequence[str]
    ) -> PortValidationError | None:
        """Get what is wrong first with values of declared ports; they are taken out of ``port_values``.

        Args:
            port_values: the values by name.
            breadcrumbs: the names of this namespace and of those that it is in.
        """
        for name, port in self._ports.items():
            error: PortValidationError | None = port.validate(port_values.pop(name, UNSPECIFIED), breadcrumbs)
            if error:
                return error
        return None

    def validate_dynamic_ports(
        self, port_values: MutableMapping[str, Any], breadcrumbs: Sequence[str] = ()
    ) -> PortValidationError | None:
        """Get what is wrong first with values for which no port is declared.

        Args:
            port_values: the values by name, which may be nested.
            breadcrumbs: the names of the namespaces that this one is in.
        """
        if port_values and not self.dynamic:
            message = f"Unexpected ports {port_values}, for a non dynamic namespace"
            return _error(message, (*breadcrumbs, self.name))
        if self.valid_type is None:
            return None
        if isinstance(port_values, dict):
            for key, value in port_values.items():
                error = self.validate_dynamic_ports(value, (*breadcrumbs, self.name, key))
                if error is not None:
                    return error
        elif not isinstance(port_values, self.valid_type):
            message = f"Invalid type {type(port_values)} for dynamic port value: expected {self.valid_type}"
            return _error(message, breadcrumbs)
        return None


class _Choice:
    """A choice among the ports of a namespace: as `drupe.core.expose.Selection`, with the rules of `PortNamespace.absorb`.

    Args:
        source: the namespace.
        exclude: dotted names not to take.
        include: dotted names to take, and no others; empty is the same as None.
    """

    def __init__(self, source: Any, exclude: Any, include: Any) -> None:
        self._source, self._exclude, self._include = source, exclude, include

    def takes(self, name: str) -> bool:
        """Whether a port is taken, or a namespace, be it in part."""
        if self._exclude and name in self._exclude:
            return False
        if not self._include:
            return True
        if isinstance(self._source[name], PortNamespace):
            return any(rule.startswith(name) for rule in self._include)
        return name in self._include

    def within(self, name: str) -> "_Choice":
        """Get the choice among the ports of a namespace within."""
        strip, separator = self._source.strip_namespace, self._source.NAMESPACE_SEPARATOR
        return _Choice(self._source[name], strip(name, separator, self._exclude), strip(name, separator, self._include))


def breadcrumbs_to_port(breadcrumbs: Sequence[str]) -> str:
    """Get names as one dotted name."""
    return PortNamespace.NAMESPACE_SEPARATOR.join(breadcrumbs)


def _error(message: str, here: Sequence[str]) -> PortValidationError:
    return PortValidationError(message, breadcrumbs_to_port(here))


def _ask(validator: Any, value: Any, port: Port) -> Any:
    if len(inspect.getfullargspec(validator).args) == 1:
        warnings.warn(VALIDATOR_SIGNATURE_DEPRECATION_WARNING.format(validator.__name__), stacklevel=2)
        return validator(value)
    return validator(value, port)


_OPTIONS = tuple(name for name in dir(PortNamespace) if is_mutable_property(PortNamespace, name))
"""What a namespace takes over of another one; `valid_type` comes after `dynamic`, which it sets."""

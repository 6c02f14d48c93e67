"""A port that holds ports: nesting, dotted names, dynamic values, and taking over what others declare.

All declarations are mutable until the last moment, so nothing about them is remembered
elsewhere: values are judged by one walk over the ports as they are now. Every port enters
through `__setitem__`.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Self, Unpack

from drupe.core.attributes import FrozenAttributes
from drupe.core.expose import Selection
from drupe.core.issue import SEPARATOR, Issue, Path, Review, alternatives, brief, issue, misfit, unknown
from drupe.core.port import EDITION, UNSPECIFIED, Outlook, Port, PortOptions
from drupe.core.validate import Plan
from drupe.errors import SpecError

_NOTHING = FrozenAttributes()
_MAPPING = (dict, Mapping)  # the answer for a dictionary is three times as fast as that of the abstract class


class NamespaceOptions(PortOptions, total=False):
    """What can be said about a namespace."""

    default: Any
    dynamic: bool
    populate_defaults: bool


class PortNamespace(MutableMapping[str, Port], Port):
    """Ports by name, some of which are namespaces again.

    A required namespace is judged whether or not it is given. One that is not required is left empty if nothing is
    given for it and defaults alone would not do.

    Attributes:
        dynamic: whether values are taken for which no port is declared. Setting `valid_type`, the type of such values,
            makes the namespace dynamic.
        populate_defaults: whether defaults are filled in even if nothing at all is given for the namespace.
    """

    _plan: Plan | None = None

    def __init__(
        self,
        name: str = "",
        *,
        default: Any = UNSPECIFIED,
        dynamic: bool = False,
        populate_defaults: bool = True,
        **options: Unpack[PortOptions],
    ) -> None:
        self._ports: dict[str, Port] = {}
        self.default = default
        self.dynamic = dynamic
        self.populate_defaults = populate_defaults
        super().__init__(name, **options)

    # --- a mapping of ports ---------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Port:
        return self._ports[name]

    def __setitem__(self, name: str, port: Any) -> None:
        if not isinstance(port, Port):
            message = f"{name!r}: only a port can be put into a namespace, not {brief(port)}"
            raise TypeError(message)
        self._ports[name] = port
        EDITION.number += 1

    def __delitem__(self, name: str) -> None:
        del self._ports[name]
        EDITION.number += 1

    def __iter__(self) -> Iterator[str]:
        return iter(self._ports)

    def __len__(self) -> int:
        return len(self._ports)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {', '.join(self._ports)}{'…' if self.dynamic else ''}>"

    def _set_valid_type(self, valid_type: Any) -> None:
        super()._set_valid_type(valid_type)
        self.dynamic = self.dynamic or valid_type is not None

    # --- dotted names ---------------------------------------------------------------------------------------

    def get_port(self, name: str) -> Port:
        """The port of a dotted name.

        Raises:
            SpecError: there is none.
        """
        first, rest = self.split(name)
        port = self._ports.get(first)
        if port is None:
            message = f"no port {first!r} in namespace {self.name!r}; {alternatives(first, self)}"
            raise SpecError(message)
        return port if rest is None else self.nested(first).get_port(rest)

    def create_port_namespace(self, name: str, **options: Any) -> "PortNamespace":
        """The namespace of a dotted name, with all on the way to it, made where they are missing.

        The options are those of the last one, if it is made.

        Raises:
            SpecError: a port that is no namespace is in the way.
        """
        first, rest = self.split(name)
        if first not in self:
            self[first] = type(self)(first, **(options if rest is None else {}))
        namespace = self.nested(first)
        return namespace if rest is None else namespace.create_port_namespace(rest, **options)

    def create_port(self, name: str, kind: type[Port], **options: Any) -> Port:
        """A new port of a dotted name, with the namespaces on the way to it; it replaces one of the same name.

        Raises:
            SpecError: a port that is no namespace is in the way.
        """
        _, rest = self.split(name)
        parents, _, last = name.rpartition(SEPARATOR)
        namespace = self if rest is None else self.create_port_namespace(parents)
        namespace[last] = port = kind(last, **options)
        return port

    def split(self, name: Any) -> tuple[str, str | None]:
        """The first part of a dotted name, and the rest, if there is any; what is no name is refused here.

        Raises:
            SpecError: it is none.
        """
        if not isinstance(name, str) or not all(name.split(SEPARATOR)):
            message = f"a port is named by text, with dots between the names of namespaces, not by {brief(name)}"
            raise SpecError(message)
        first, dot, rest = name.partition(SEPARATOR)
        return first, rest if dot else None

    def nested(self, name: str) -> "PortNamespace":
        """The namespace of this name; a port in its place is refused here.

        Raises:
            SpecError: there is one.
        """
        port = self[name]
        if not isinstance(port, PortNamespace):
            message = f"{name!r} in namespace {self.name!r} is a port, not a namespace"
            raise SpecError(message)
        return port

    # --- taking over ----------------------------------------------------------------------------------------

    def absorb(
        self,
        namespace: "PortNamespace",
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
        namespace_options: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Take over copies of another namespace's ports and its own options, and give the names taken.

        Ports of the same name are replaced. Dotted names choose within nested namespaces.
        `namespace_options` go before the options of the other namespace.

        Raises:
            SpecError: both `exclude` and `include` are given, or an option is none of a namespace; nothing is changed.
        """
        chosen = Selection.of(exclude, include)
        overriding = dict(namespace_options or {})
        for option in overriding.keys() - set(_OPTIONS):
            message = f"{option!r} is no option of a namespace; {alternatives(option, _OPTIONS)}"
            raise SpecError(message)
        for option in _OPTIONS:
            setattr(self, option, getattr(namespace, option))
        for option in sorted(overriding, key=_OPTIONS.index):
            setattr(self, option, overriding[option])
        return self.absorb_ports(namespace, chosen)

    def absorb_ports(self, namespace: "PortNamespace", chosen: Selection) -> list[str]:
        """Take over copies of those ports of another namespace that are chosen, and give their names."""
        names = [name for name in namespace if chosen.takes(name)]
        for name in names:
            port = namespace[name]
            if isinstance(port, PortNamespace):
                self[name] = emptied = port.emptied()
                emptied.absorb_ports(port, chosen.within(name))
            else:
                self[name] = copy.deepcopy(port)
        return names

    def emptied(self) -> Self:
        """A copy without the ports."""
        twin = copy.copy(self)
        twin._ports = {}
        return twin

    # --- values ---------------------------------------------------------------------------------------------

    def prepare(self, given: Mapping[str, Any]) -> tuple[FrozenAttributes, list[Issue]]:
        """What a process is to be given: read-only, defaults filled in; and all that is wrong with it."""
        if not given and (plan := self._current_plan()).settled and self._validator is None:
            return plan.constants, []
        review = Review(filling=True)
        return self.admit(given, (), review), review.issues

    def check(self, values: Any) -> list[Issue]:
        """All that is wrong with the values as they are."""
        review = Review(filling=False)
        self.admit(values, (), review)
        return review.issues

    def check_at(self, name: str, value: Any) -> tuple[list[Issue], bool]:
        """All that is wrong with one value under a dotted name, and whether it is a dynamic one: no port is declared."""
        review = Review(filling=False)
        dynamic = self._check_at(name, value, (), review)
        return review.issues, dynamic

    def validate(self, value: Any = UNSPECIFIED, path: Path = ()) -> Issue | None:
        review = Review(filling=False)
        self.admit(value, path, review)
        return review.issues[0] if review.issues else None

    def admit(self, value: Any, path: Path, review: Review) -> Any:
        if not isinstance(value, _MAPPING):
            return self._admit_other(value, path, review)
        if not value and not self._asks(review):
            return _NOTHING
        here, found = (*path, self.name), len(review.issues)
        kept, surplus = self._current_plan().judge(value, here, review)
        if surplus:
            self._admit_extras(kept, here, review)
        frozen = FrozenAttributes(kept)
        # A validator of many values relies on each of them being right.
        if self._validator is not None and len(review.issues) == found and (kept or self.required):
            review.issues.extend(filter(None, [self.ask_validator(frozen, here)]))
        return frozen

    def _admit_other(self, value: Any, path: Path, review: Review) -> Any:
        if value is not UNSPECIFIED:
            review.issues.append(misfit((*path, self.name), value, Mapping))
            return value
        if not (review.filling and self.populate_defaults):
            if not self.has_default():
                PortNamespace.admit(self, {}, path, Review(filling=False, issues=review.issues))
            return UNSPECIFIED
        default = self.fill()
        return PortNamespace.admit(self, {} if default is UNSPECIFIED else default, path, review)

    def outlook(self) -> Outlook:
        return Outlook((), self._constant(), optional=False)

    def needs_value(self) -> bool:
        return self.required and not self.has_default() and self._lacks()

    def restore(self, saved: Any) -> Any:
        if not isinstance(saved, _MAPPING):  # it was saved when this was no namespace yet
            return saved
        kept = dict(saved)
        for name in saved:
            if name in self._ports:
                kept[name] = self._ports[name].restore(saved[name])
            elif self._valid_type is not None:
                kept[name] = self._admit_dynamic(saved[name], (), Review(filling=False))
        return FrozenAttributes(kept)

    def project(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values for which a port is declared."""
        return {
            name: port.project(value) if isinstance(port, PortNamespace) and isinstance(value, Mapping) else value
            for name, value in values.items()
            if (port := self._ports.get(name)) is not None
        }

    def get_description(self) -> dict[str, Any]:
        options = {"dynamic": self.dynamic, "populate_defaults": self.populate_defaults}
        ports = {name: port.get_description() for name, port in self._ports.items()}
        return super().get_description() | options | {"ports": ports}

    def _constant(self) -> Any:
        """What is kept if nothing is given, if that is always the same; else `UNSPECIFIED`."""
        if self.has_default() or not self.populate_defaults or type(self).admit is not PortNamespace.admit:
            return UNSPECIFIED
        if not self._asks(Review(filling=True)):
            return _NOTHING
        plan = self._current_plan()
        return plan.constants if plan.settled and self._validator is None else UNSPECIFIED

    def _asks(self, review: Review) -> bool:
        """Whether the ports have to be looked at although nothing is given."""
        return self.required or (review.filling and not self._lacks())

    def _lacks(self) -> bool:
        return any(port.needs_value() for port in self._ports.values())

    def _current_plan(self) -> Plan:
        plan = self._plan
        if plan is None or plan.edition != EDITION.number:
            plan = Plan.of(self._ports, EDITION.number)
            object.__setattr__(self, "_plan", plan)  # not a change of what is declared
        return plan

    def _admit_extras(self, kept: dict[Any, Any], here: Path, review: Review) -> None:
        for name, value in kept.items():
            if name in self._ports:
                continue
            if not isinstance(name, str):
                review.issues.append(issue(here, f"the name of a value is text, not {brief(name)}"))
            elif not self.dynamic:
                review.issues.append(unknown((*here, name), self))
            elif self._valid_type is not None:
                kept[name] = self._admit_dynamic(value, (*here, name), review)

    def _admit_dynamic(self, value: Any, here: Path, review: Review) -> Any:
        """A dynamic value is one of the valid type, or a mapping of such: a namespace that nobody declared."""
        types: Any = self._valid_type
        if isinstance(value, types):
            return value
        if isinstance(value, Mapping):
            return FrozenAttributes(
                (name, self._admit_dynamic(each, (*here, str(name)), review)) for name, each in value.items()
            )
        review.issues.append(misfit(here, value, types))
        return value

    def _check_at(self, name: str, value: Any, path: Path, review: Review) -> bool:
        here = (*path, self.name)
        first, _, rest = name.partition(SEPARATOR)
        port = self._ports.get(first)
        if port is None:
            self._admit_extras({name: value}, here, review)  # what is nested below is as free as this is
            return True
        if isinstance(port, PortNamespace) and rest:
            return port._check_at(rest, value, here, review)
        if rest:
            review.issues.append(issue((*here, first), f"is a port, not a namespace: it has no {rest!r} within"))
        else:
            port.admit(value, here, review)
        return False


_OPTIONS = ("valid_type", "dynamic", "default", "help", "populate_defaults", "required", "validator")
"""What `absorb` takes over of the namespace itself; `valid_type` comes first, since it sets `dynamic`."""

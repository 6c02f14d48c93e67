"""Which ports a process takes over from another, and how their values are found again.

Dotted names are the only thing known here: ports are copied by the namespace that absorbs
them, and a spec remembers for each class which names it took over, and where to.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeAlias

import msgspec

from drupe.core.attributes import Attributes, thaw
from drupe.core.issue import SEPARATOR
from drupe.errors import SpecError

Exposed: TypeAlias = dict[str | None, dict[type, list[str]]]
"""By namespace (None: the top) and class: the names that were taken over."""


class Selection(msgspec.Struct, frozen=True):
    """A choice among dotted names: all but the excluded ones, or only the included ones.

    Naming a namespace names everything within.

    Raises:
        SpecError: when names are excluded and included at once.
    """

    exclude: tuple[str, ...] | None = None
    include: tuple[str, ...] | None = None

    @classmethod
    def of(cls, exclude: Iterable[str] | None, include: Iterable[str] | None) -> Self:
        """The choice of these names."""
        for names in (exclude, include):
            if isinstance(names, str):  # it would be taken letter by letter
                message = f"exclude and include are lists of names; write [{names!r}]"
                raise SpecError(message)
        if exclude is not None and include is not None:
            message = "names can be excluded or included, not both at once"
            raise SpecError(message)
        return cls(None if exclude is None else tuple(exclude), None if include is None else tuple(include))

    def takes(self, name: str) -> bool:
        """Whether the port or namespace of this name is taken, be it in part."""
        if self.exclude is not None:
            return name not in self.exclude
        return self.include is None or any(_leads(name, rule) for rule in self.include)

    def within(self, name: str) -> Self:
        """The choice among the names in the namespace of this name."""
        include = None if self.include is None or name in self.include else _below(name, self.include)
        return type(self)(None if self.exclude is None else _below(name, self.exclude), include)


def remember(exposed: Exposed, namespace: str | None, process_class: type, names: Iterable[str]) -> None:
    """Note that these names of a class were taken over; those noted before stay."""
    noted = exposed.setdefault(namespace, {}).setdefault(process_class, [])
    noted += [name for name in names if name not in noted]


def exposed_inputs(
    exposed: Exposed, process_class: type, inputs: Mapping[str, Any], namespace: str | None, *, agglomerate: bool
) -> Attributes:
    """The inputs for a process of the class, out of those given to who exposed its ports.

    With `agglomerate` also what was exposed further up on the way to `namespace`; the deepest wins.

    Raises:
        SpecError: no port of the class was exposed there.
    """
    found = Attributes()
    for level, names in _levels(exposed, process_class, namespace, agglomerate=agglomerate):
        values = _descend(inputs, level)
        found.update({name: values[name] for name in names if name in values})
    return thaw(found)


def exposed_outputs(
    exposed: Exposed, process_class: type, outputs: Mapping[str, Any], namespace: str | None, *, agglomerate: bool
) -> dict[str, Any]:
    """The outputs of a process of the class, by the dotted names under which its ports were exposed.

    With `agglomerate` also what was exposed further up on the way to `namespace`; each output goes to the deepest.

    Raises:
        SpecError: no port of the class was exposed there.
    """
    places: dict[str, str] = {}
    for level, names in _levels(exposed, process_class, namespace, agglomerate=agglomerate):
        places |= {name: name if level is None else f"{level}{SEPARATOR}{name}" for name in names if name in outputs}
    return {place: outputs[name] for name, place in places.items()}


def _levels(
    exposed: Exposed, process_class: type, namespace: str | None, *, agglomerate: bool
) -> list[tuple[str | None, list[str]]]:
    """What was exposed of the class at each level, from the top down."""
    namespaces: list[str | None] = [namespace]
    if agglomerate and namespace is not None:
        parts = namespace.split(SEPARATOR)
        namespaces = [None, *(SEPARATOR.join(parts[: depth + 1]) for depth in range(len(parts)))]
    levels = [(level, exposed[level][process_class]) for level in namespaces if process_class in exposed.get(level, {})]
    if not levels:
        place = "" if namespace is None else f" in namespace {namespace!r}"
        message = f"no port of {process_class.__qualname__} was exposed{place}"
        raise SpecError(message)
    return levels


def _descend(values: Mapping[str, Any], namespace: str | None) -> Mapping[str, Any]:
    for name in () if namespace is None else namespace.split(SEPARATOR):
        values = values.get(name, {})
    return values


def _leads(name: str, rule: str) -> bool:
    return rule == name or rule.startswith(f"{name}{SEPARATOR}")


def _below(name: str, rules: Iterable[str]) -> tuple[str, ...]:
    prefix = f"{name}{SEPARATOR}"
    return tuple(rule.removeprefix(prefix) for rule in rules if rule.startswith(prefix))

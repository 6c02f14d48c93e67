"""Judging many values at once, at the price of a look at each.

What can be known before any value comes is worked out once and kept in a `Plan`. A value of
which that says enough is not shown to its port; every other goes through `Port.admit`, which
alone decides. So a plan never has an opinion of its own, and is thrown away as soon as
anything is declared anew.
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from drupe.core.attributes import FrozenAttributes
from drupe.core.issue import Path, Review
from drupe.core.port import UNSPECIFIED, Port


class Plan(msgspec.Struct, frozen=True):
    """What is known of all ports of a namespace, of one edition of what is declared.

    Attributes:
        edition: the edition that this is known of.
        constants: what is filled in before anything else.
        settled: whether that is all there is to be done if nothing is given.
    """

    edition: int
    constants: FrozenAttributes
    settled: bool
    _entries: tuple[tuple[str, Any, Any, bool, Port], ...]

    @classmethod
    def of(cls, ports: Mapping[str, Port], edition: int) -> Self:
        """The plan for these ports."""
        entries = tuple((name, *port.outlook(), port) for name, port in ports.items())
        constants = {name: constant for name, _, constant, _, _ in entries if constant is not UNSPECIFIED}
        settled = all(optional or name in constants for name, _, _, optional, _ in entries)
        return cls(edition, FrozenAttributes(constants), settled, entries)

    def judge(self, given: Mapping[str, Any], here: Path, review: Review) -> tuple[dict[str, Any], int]:
        """What is to be kept, and how many of it have no port and were not judged; what is wrong goes to the review."""
        kept = {**self.constants, **given} if review.filling else dict(given)
        absent = 0
        for name, passes, constant, optional, port in self._entries:
            value = kept.get(name, UNSPECIFIED)
            if value is UNSPECIFIED:
                if optional and name not in kept:
                    absent += 1
                    continue
            elif value is constant or isinstance(value, passes):
                continue
            value = port.admit(value, here, review)
            if value is not UNSPECIFIED:
                kept[name] = value
            else:
                absent += 1
                kept.pop(name, None)  # somebody may have given what stands for nothing
        return kept, len(kept) + absent - len(self._entries)

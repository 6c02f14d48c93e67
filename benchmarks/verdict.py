"""From figures to ratios, and whether what is wanted was reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from measure import Figures, SideError
from rows import Row


@dataclass(frozen=True)
class Result:
    """One row, measured."""

    row: Row
    sides: Mapping[str, Figures | SideError]

    def median(self, side: str) -> float | None:
        """Get what a side takes for a unit of work, in seconds or bytes; None where it is not there or failed."""
        found = self.sides.get(side)
        return found.median(self.row.clock) if isinstance(found, Figures) else None

    def times(self, side: str, other: str) -> float | None:
        """Get how many times as long ``side`` takes as ``other``; a ratio of medians."""
        left, right = self.median(side), self.median(other)
        return left / right if left is not None and right is not None else None

    def noise(self) -> float:
        """Get the widest spread among the sides."""
        spreads = [side.spread(self.row.clock) for side in self.sides.values() if isinstance(side, Figures)]
        return max(spreads, default=0.0)

    def reached(self) -> bool | None:
        """Tell whether the target was reached; None where there is none, or nothing to compare with."""
        target = self.row.target
        drupe = self.median("drupe")
        if target is None:
            return None
        if drupe is None:
            return False
        match target.kind:
            case "works":
                return True
            case "at most":
                return drupe <= target.value
            case "at most of floor":
                found = self.times("drupe", "floor")
                return None if found is None else found <= target.value
            case "times other":
                found = self.times(self.row.other, "drupe")
                return None if found is None else found >= target.value

    def as_json(self) -> dict[str, Any]:
        """Get everything, the single runs too."""
        target = self.row.target
        return {
            "group": self.row.group,
            "name": self.row.name,
            "clock": self.row.clock,
            "sides": {
                name: {
                    "wall": list(side.wall),
                    "cpu": list(side.cpu),
                    "bytes": list(side.bytes),
                    "median": side.median(self.row.clock),
                }
                if isinstance(side, Figures)
                else {"failed": str(side)}
                for name, side in self.sides.items()
            },
            "drupe/floor": self.times("drupe", "floor"),
            "other": self.row.other,
            "other/drupe": self.times(self.row.other, "drupe"),
            "noise": self.noise(),
            "target": None if target is None else {"kind": target.kind, "value": target.value},
            "reached": self.reached(),
        }

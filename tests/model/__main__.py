"""Search the model of ownership completely, and show what happens when a part of the protocol is taken out.

    make model                                          # or
    python -m tests.model                               # two and three workers, then each part taken out
    python -m tests.model --workers 2 --kills 3         # one size only
    python -m tests.model --without fencing             # one part taken out, with the trace that breaks a promise

The exit code is 1 when the protocol breaks a promise, or when taking a part out breaks none.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import fields

from tests.model.protocol import DEAD, FROZEN, MUTATIONS, NOBODY, Ownership, Size, State
from tests.model.search import Found, Search

SIZES = (
    Size(kills=2, losses=2),
    Size(steps=3, kills=3, duplicates=2, losses=0),
    Size(workers=3, kills=2, freezes=2, duplicates=0, losses=0),
)
SMALL = Size(kills=1)


def told(found: Found[State]) -> list[str]:
    """Get the trace of a search in words, a line for each move; nothing if no promise is broken."""
    lines = [f"{number:>4}  {_words(what):<52}{_row(state)}" for number, (what, state) in enumerate(found.trace, 1)]
    return [*lines, f"   => {found.broken}"] if found.broken else []


def _words(what: tuple[str | int, ...]) -> str:
    name, *rest = what
    if rest:
        return " ".join(["ABCDEFGH"[int(rest[0])], str(name), *map(str, rest[1:])])
    return str(name)


def _row(state: State) -> str:
    row = state.row
    if row is None:
        return "no row"
    who = {NOBODY: "nobody", DEAD: "one who is dead"}.get(row.owner) or "ABCDEFGH"[row.owner]
    frozen = ", frozen" if row.owner >= 0 and state.workers[row.owner].status == FROZEN else ""
    return f"epoch {row.epoch}, checkpoint {row.seq}, " + ("ended" if row.over else f"owner {who}{frozen}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, print, and get the exit code."""
    options = _parser().parse_args(arguments)
    given = {name: value for name in _names() if (value := getattr(options, name)) is not None}
    if options.without is not None:
        return _without(options.without, Size(**given) if given else SMALL)
    right = True
    for size in [Size(**given)] if given else SIZES:
        right &= _whole(size)
    for part in () if given else MUTATIONS:
        right &= _without(part, SMALL) == 0
    return 0 if right else 1


def _whole(size: Size) -> bool:
    found = _searched(size, "")
    print(
        "\n".join(told(found)) or "   => no promise is broken, and the end can be reached from every state", flush=True
    )
    return not found.broken


def _without(part: str, size: Size) -> int:
    print(f"without {part}: {MUTATIONS[part]}")
    found = _searched(size, part)
    print("\n".join(told(found)) or "   => nothing is broken: it is not needed?", flush=True)
    return 0 if found.broken else 1


def _searched(size: Size, without: str) -> Found[State]:
    print(", ".join(f"{getattr(size, name)} {name}" for name in _names()), flush=True)
    start = time.perf_counter()
    found = Search(Ownership(size, without)).run()
    print(f"      {found.states:,} states, {found.moves:,} moves, {time.perf_counter() - start:.1f} s", flush=True)
    return found


def _names() -> list[str]:
    return [field.name for field in fields(Size)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="model", description=(__doc__ or "").split("\n", 1)[0])
    for name in _names():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"default {getattr(Size(), name)}")
    parser.add_argument("--without", choices=MUTATIONS, metavar="PART", help=", ".join(MUTATIONS))
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

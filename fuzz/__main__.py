"""Feed every decoder with input that is nearly right, for a while, and see that it only ever says what it may say.

    make fuzz SECONDS=60 SEED=1                        # or
    python -m fuzz --seconds 60 --seed 1 message seal  # some decoders only
    python -m fuzz --replay build/fuzz/…               # one input that was kept

Whatever else than its typed error a decoder raises is a failure: its input is kept in `build/fuzz`, and the exit code is 1.
So is memory that grows, and an input that takes longer than a second.
"""

import argparse
import gc
import hashlib
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random, SystemRandom
from typing import Final

from fuzz.inputs import Inputs
from fuzz.targets import Target, targets

KEPT: Final = Path("build/fuzz")
SLOW: Final = 1.0
GROWTH: Final = 32 * 1024 * 1024
_SLICE: Final = 2000


class Run:
    """What became of one decoder."""

    def __init__(self, target: Target, chance: Random) -> None:
        self.target = target
        self.tried = self.read = 0
        self.seconds = self.slowest = 0.0
        self.refused: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._inputs = Inputs(target.samples, chance)
        self._seen: set[str] = set()

    def go(self, number: int) -> None:
        """Try some inputs."""
        start = time.perf_counter()
        for _ in range(number):
            self._try(self._inputs.next())
        self.seconds += time.perf_counter() - start

    def _try(self, data: bytes) -> None:
        self.tried += 1
        start = time.perf_counter()
        outcome = self.outcome(data)
        spent = time.perf_counter() - start
        self.slowest = max(self.slowest, spent)
        if spent > SLOW:
            self._fail(data, f"slow: {spent:.1f} s")
        if outcome not in self._seen and len(self._seen) < 10_000:
            self._seen.add(outcome)
            self._inputs.keep(data)

    def outcome(self, data: bytes) -> str:
        """Read an input, and get what came of it in words that are the same for what is alike."""
        try:
            found = self.target.read(data)
        except self.target.refusal as error:
            self.refused[type(error).__name__] += 1
            return re.sub(r"\d+|'[^']*'|\"[^\"]*\"", "", str(error))[:120]
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            what = f"{type(error).__module__}.{type(error).__qualname__}: {error}"[:200]
            self._fail(data, what)
            return what
        self.read += 1
        return f"read a {type(found).__name__}"

    def _fail(self, data: bytes, what: str) -> None:
        kind = re.sub(r"\d+", "N", what)[:100]
        if not self.failed[kind]:
            KEPT.mkdir(parents=True, exist_ok=True)
            name = f"{self.target.name.replace(' ', '-')}-{hashlib.sha256(data).hexdigest()[:12]}"
            (KEPT / name).write_bytes(data)
            print(f"{self.target.name}: {what}\n    python -m fuzz --replay {KEPT / name}", file=sys.stderr)
        self.failed[kind] += 1


def resident() -> int:
    """Get the bytes of memory that this program has now; 0 where nobody says."""
    gc.collect()
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096
    except OSError:
        return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Feed, print, and get the exit code."""
    found = {target.name: target for target in targets()}
    options = _parser(list(found)).parse_args(arguments)
    if options.replay is not None:
        return _replay(options.replay, found)
    seed = SystemRandom().randrange(10**9) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    runs = [Run(found[name], Random(f"{seed} {name}")) for name in options.targets or found]
    for run in runs:
        run.go(_SLICE)
    warm, until = resident(), time.monotonic() + options.seconds
    while time.monotonic() < until:
        for run in runs:
            run.go(_SLICE)
    grown = resident() - warm
    _print(runs)
    print(f"memory {'+' if grown >= 0 else ''}{grown / 1024 / 1024:.1f} MB")
    return 1 if grown > GROWTH or any(run.failed for run in runs) else 0


def _print(runs: Sequence[Run]) -> None:
    print(f"{'decoder':<16}{'tried':>12}{'per second':>12}{'read':>12}{'slowest':>10}  refused")
    for run in runs:
        refused = ", ".join(f"{name} {count}" for name, count in run.refused.most_common())
        rate, slowest = run.tried / run.seconds, f"{run.slowest * 1000:.0f} ms"
        print(f"{run.target.name:<16}{run.tried:>12,}{rate:>12,.0f}{run.read:>12,}{slowest:>10}  {refused}")
        for what, count in run.failed.most_common():
            print(f"    FAILED {count}x {what}")
    print(f"{sum(run.tried for run in runs):,} inputs, {sum(sum(run.failed.values()) for run in runs)} failures")


def _replay(path: Path, found: dict[str, Target]) -> int:
    target = found[path.name.rpartition("-")[0].replace("-", " ")]
    try:
        print(f"read: {target.read(path.read_bytes())!r:.200}")
    except target.refusal as error:
        print(f"refused: {error}")
    return 0


def _parser(names: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fuzz", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("targets", nargs="*", metavar="DECODER", help=f"all by default: {', '.join(names)}")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument("--seed", type=int, help="repeats a run; by default a new one")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try one input that was kept")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

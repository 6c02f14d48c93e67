"""What is shown while processes run: a few lines that are redrawn on a terminal, a line for each event elsewhere.

Both hear of events after they were committed, on the loop's thread, and keep what they show themselves: the thread
that redraws never touches a process.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from drupe.cli.pid import name, short
from drupe.core.lifecycle import TERMINAL, State
from drupe.engine.listener import ProcessListener
from drupe.runtime.clock import tick

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

ROWS: Final = 10
"""So many processes are shown at most."""


class Sight(NamedTuple):
    """A living process as it was last heard of."""

    pid: str
    kind: str
    state: State
    doing: str | None
    since: float
    paused: bool = False


class _Watch(ProcessListener):
    """Turns the events of processes into sights; each is handed on once."""

    def __init__(self, seen: Callable[[Sight], None]) -> None:
        self._seen = seen

    def on_process_running(self, process: Any) -> None:
        self._tell(process)

    def on_process_waiting(self, process: Any) -> None:
        self._tell(process)

    def on_process_paused(self, process: Any) -> None:
        self._tell(process)

    def on_process_played(self, process: Any) -> None:
        self._tell(process)

    def on_process_finished(self, process: Any, outputs: Any) -> None:
        self._tell(process)

    def on_process_excepted(self, process: Any, reason: str) -> None:
        self._tell(process)

    def on_process_killed(self, process: Any, msg: str | None) -> None:
        self._tell(process)

    def _tell(self, process: Any) -> None:
        doing = process.status or process.stage.label()
        self._seen(Sight(process.pid, name(process.kind), process.state, doing, tick(), process.paused))


class Lines:
    """A line for each change of state; steps alone are too many for lines.

    Those of one turn of the loop are written together: a worker may have thousands a second.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self.listener = _Watch(self._seen)
        self._write = write
        self._waiting: list[str] = []
        self._last: dict[str, tuple[State, bool]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._last.clear()

    def _seen(self, sight: Sight) -> None:
        if self._last.get(sight.pid) == (sight.state, sight.paused):
            return
        if sight.state is State.RUNNING and not sight.paused:
            self._last[sight.pid] = (sight.state, sight.paused)
        else:  # whoever rests may do so for long, and be parked; nothing of it is kept
            self._last.pop(sight.pid, None)
        words = [sight.kind, short(sight.pid), "paused" if sight.paused else str(sight.state)]
        self._waiting.append("  ".join([*words, *([sight.doing.splitlines()[0]] if sight.doing else [])]))
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_soon(self._flush)
            except RuntimeError:  # somebody asked for something where no loop runs
                self._flush()

    def _flush(self) -> None:
        if self._waiting:
            lines, self._waiting = "\n".join(self._waiting), []
            self._write(lines)


class Screen:
    """What runs now, what has ended, redrawn several times a second until it is over; then it is gone."""

    def __init__(self, console: "Console") -> None:
        from rich.live import Live

        self.listener = _Watch(self._seen)
        self.message: str | None = None
        """A line below, for as long as it is shown."""
        self._living: dict[str, Sight] = {}
        self._ended: Counter[State] = Counter()
        self._begun = tick()
        self._live = Live(self, console=console, refresh_per_second=12, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _seen(self, sight: Sight) -> None:
        if sight.state in TERMINAL:
            self._ended[sight.state] += 1
            self._living.pop(sight.pid, None)
        else:
            self._living[sight.pid] = sight

    def _sights(self) -> list[Sight]:
        return list(self._living.values())  # one call that no other thread gets into

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        from drupe.cli.appearance import COLOUR, SIGN, lasting, state_text

        now = tick()
        living = sorted(self._sights(), key=lambda sight: (sight.state is not State.RUNNING, sight.since))
        rows = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for sight in living[:ROWS]:
            runs = sight.state is State.RUNNING and not sight.paused
            rows.add_row(
                Spinner("dots", style=COLOUR[State.RUNNING]) if runs else Text(SIGN[sight.state], COLOUR[sight.state]),
                Text(sight.kind, "bold"),
                Text(short(sight.pid), "bright_black"),
                Text("paused" if sight.paused else str(sight.state), COLOUR[sight.state]),
                Text(sight.doing or "", overflow="ellipsis", no_wrap=True),
                Text(lasting(now - sight.since), "bright_black"),
            )
        yield rows
        parts = [state_text(state).append(f" {count}") for state, count in sorted(self._ended.items())]
        if len(living) > ROWS:
            parts.insert(0, Text(f"and {len(living) - ROWS} more", "bright_black"))
        parts.append(Text(lasting(now - self._begun), "bright_black"))
        yield Text("  ").join(parts)
        if self.message is not None:
            yield Text(self.message, "yellow")

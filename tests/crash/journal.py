"""Which steps were begun, in which interpreter, and what was committed when it started."""

from dataclasses import dataclass

from drupe.core.record import Query


@dataclass(frozen=True)
class Start:
    """A step began: which, of which process, from which checkpoint."""

    pid: str
    step: str
    origin: int


@dataclass(frozen=True)
class Interpreter:
    """An interpreter started and found each process to have entered its stage at a checkpoint."""

    found: dict[str, int]


class Journal:
    """A side list that no crash takes back."""

    def __init__(self):
        self.entries = []

    def step(self, process, name):
        self.entries.append(Start(process.pid, name, process._life.tenure.origin))

    async def interpreter(self, store):
        rows = (await store.list(Query(limit=10_000))).records
        self.entries.append(Interpreter({row.pid: entered(await store.history(row.pid)) for row in rows}))

    def clear(self):
        self.entries.clear()

    def starts(self):
        return {entry for entry in self.entries if isinstance(entry, Start)}

    def check(self, undisturbed):
        """No committed step runs again, none runs twice in one interpreter, and none is another than undisturbed."""
        found, seen = {}, set()
        for entry in self.entries:
            if isinstance(entry, Interpreter):
                found, seen = entry.found, set()
            else:
                assert entry.origin >= found.get(entry.pid, 0), f"{entry} was committed: {found[entry.pid]}"
                assert entry not in seen, f"{entry} twice in one interpreter"
                seen.add(entry)
        assert self.starts() == undisturbed


def entered(history):
    """Number of the checkpoint at which a process entered the stage it is in."""
    return max(event.seq for event in history if event.event not in ("paused", "played"))


JOURNAL = Journal()

"""The same with the real thing: a program that is sent SIGKILL at the n-th place, on a file, again and again."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from drupe.storage.sqlite import SqliteStore
from drupe.testing.crash import World, undisturbed
from tests.crash.journal import JOURNAL
from tests.crash.test_everywhere import PLAYS

ROOT = Path(__file__).parents[2]

VICTIM = """
import asyncio, logging, os, signal, sys, threading
from pathlib import Path

from drupe.service.presence import Presence
from drupe.service.runner import Runner
from drupe.storage.sqlite import SqliteStore
from tests.crash.journal import JOURNAL, Start
from tests.crash.test_everywhere import PLAYS

AT, LOCK, hits = int(os.environ.get("KILL_AT", 0)), threading.Lock(), 0

def probe(place):
    global hits
    with LOCK:
        hits += 1
        if hits == AT:
            os.kill(os.getpid(), signal.SIGKILL)

class Printed(list):
    def append(self, entry):
        if isinstance(entry, Start):
            os.write(1, f"{entry.pid} {entry.step} {entry.origin}\\n".encode())

async def main(play, folder):
    store = SqliteStore(Path(folder, "store.db"), durability="process", probe=probe)
    async with Runner(store, presence=Presence(Path(folder, "presence")), probe=probe) as runner:
        await PLAYS[play](runner)

JOURNAL.entries = Printed()
asyncio.run(main(*sys.argv[1:]))
"""


def run(play, folder, at=0):
    """Run the victim; its exit status, and the starts it printed."""
    found = subprocess.run(
        [sys.executable, "-c", VICTIM, play, str(folder)],
        env={**os.environ, "KILL_AT": str(at), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return found.returncode, [tuple(line.split()) for line in found.stdout.splitlines()]


def without_times(picture):
    return {pid: (found.row, found.contents, found.history) for pid, found in picture.items()}


@pytest.mark.untraced
@pytest.mark.slow
@pytest.mark.parametrize(("play", "first", "then"), [("family", 3, 37), ("nested", 20, 29), ("unlucky", 31, 23)])
def test_a_program_that_is_killed_again_and_again_comes_to_the_undisturbed_end(play, first, then, tmp_path):
    """Each interpreter is killed a little after it took over, at another place each time, until one comes to the end."""
    JOURNAL.clear()
    expected = undisturbed(World, PLAYS[play])
    steps = {(start.pid, start.step, str(start.origin)) for start in JOURNAL.starts()}
    starts, kills = [], 0
    for at in itertools.count(first, then):
        status, begun = run(play, tmp_path, at)
        assert len(begun) == len(set(begun)), "a step began twice in one interpreter"
        starts.append(begun)
        if status == 0:
            break
        assert status == -9
        kills += 1
    assert kills >= 3
    found = World(lambda probe: SqliteStore(tmp_path / "store.db", probe=probe)).picture()
    assert without_times(found) == without_times(expected)
    assert {start for begun in starts for start in begun} == steps
    # What a step left committed is not begun again: each process goes forward only.
    for pid in found:
        origins = [int(origin) for begun in starts for who, _, origin in begun if who == pid]
        assert origins == sorted(origins)

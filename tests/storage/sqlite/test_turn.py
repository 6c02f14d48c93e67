"""Writers take turns, and nothing depends on it: whoever dies, is stopped or knows nothing of turns holds nobody up for long."""

import asyncio
import os
import signal
import threading

import pytest

from drupe.core.record import birth_record
from drupe.errors import StoreError
from drupe.storage.sqlite import SqliteStore, turn
from drupe.storage.sqlite.turn import Turn
from drupe.testing.communicator_contract_case import soon
from drupe.testing.store_case import LEASE, ME, birth, step

# A program that has the turn, though it writes nothing, until it is told to end; it may fork another that does nothing.
HOLDS = """
import os, sys
from pathlib import Path
from drupe.storage.sqlite.turn import Turn
turn = Turn(Path(sys.argv[1]))
turn.open()
with turn:
    if "fork" not in sys.argv or os.fork():
        print("held" if turn._taken() else "not held", flush=True)
    sys.stdin.readline()
print("ended", flush=True)
sys.stdin.readline()
"""


def said(program):
    return program.stdout.readline().strip()


def tell(program, line):
    program.stdin.write(line + "\n")


@pytest.fixture
async def store(path):
    store = SqliteStore(path)
    await store.open()
    await store.join(ME, lease=LEASE)
    await store.create([birth()])
    yield store
    await store.close()


@pytest.fixture
def patient(monkeypatch):
    """No turn is done without."""
    monkeypatch.setattr(turn, "_PATIENCE", 3600.0)


@pytest.fixture
def holder(program, path, store):
    """A program that has the turn."""
    holder = program(HOLDS, path)
    assert said(holder) == "held"
    return holder


@pytest.fixture
def tries(monkeypatch):
    """Counts how often a turn was not to be had."""
    counted, taken = threading.Semaphore(0), Turn._taken

    def count(self):
        has = taken(self)
        if not has:
            counted.release()
        return has

    monkeypatch.setattr(Turn, "_taken", count)
    return counted


async def waiting(tries):
    """Return when somebody has asked for a turn some times, in vain."""
    for _ in range(3):
        assert await asyncio.to_thread(tries.acquire, timeout=30.0)


async def test_a_writer_waits_until_the_turn_of_another_has_ended(store, holder, tries, patient):
    saving = store.save(step(birth_record(birth())))
    await waiting(tries)
    assert not saving.done()
    assert (await store.record("p1")).seq == 1  # who reads takes no turn
    tell(holder, "end")
    assert said(holder) == "ended"
    await soon(saving)
    assert (await store.record("p1")).seq == 2


async def test_the_turn_of_a_program_that_is_killed_has_ended(store, holder, tries, patient):
    saving = store.save(step(birth_record(birth())))
    await waiting(tries)
    holder.send_signal(signal.SIGKILL)
    await soon(saving)


async def test_what_a_program_has_forked_does_not_go_on_with_its_turn(store, program, path, tries, patient):
    holder = program(HOLDS, path, "fork")
    assert said(holder) == "held"
    saving = store.save(step(birth_record(birth())))
    await waiting(tries)
    holder.send_signal(signal.SIGKILL)
    await soon(saving)


async def test_a_program_that_is_stopped_holds_nobody_up_for_long(store, holder, tries, monkeypatch):
    monkeypatch.setattr(turn, "_PATIENCE", 0.01)
    holder.send_signal(signal.SIGSTOP)
    await soon(store.save(step(birth_record(birth()))))
    assert tries.acquire(blocking=False)


async def test_a_turn_ends_with_each_commit_also_with_one_that_fails(store, program, path):
    row = await store.record("p1")
    # By what nobody has foreseen, and then once more alone.
    with pytest.raises(StoreError, match="nothing was written"):
        await store.save(step(row, statements=("not one",)))
    await store.save(step(row))
    other = program(HOLDS, path)
    assert said(other) == "held"


async def test_who_cannot_have_the_file_does_without(path):
    path.with_name("store.db-turn").mkdir()
    store = SqliteStore(path)
    await store.open()
    await store.join(ME, lease=LEASE)
    await store.create([birth()])
    await store.save(step(birth_record(birth())))
    await store.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_what_root_makes_is_whose_the_store_is(path):
    path.touch()
    os.chown(path, 65534, 65534)
    turn = Turn(path)
    turn.open()
    made = path.with_name("store.db-turn").stat()
    assert (made.st_uid, made.st_gid) == (65534, 65534)
    turn.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_what_lies_there_already_is_not_given_away(path, tmp_path, link):
    path.touch()
    os.chown(path, 65534, 65534)
    of_root = tmp_path / "of-root"
    of_root.touch()
    link(of_root, path.with_name("store.db-turn"))
    turn = Turn(path)
    turn.open()
    assert of_root.stat().st_uid == 0
    with turn:
        assert not of_root.read_bytes()
    turn.close()

"""Whoever holds its file lock lives; whoever's file is there and free is dead."""

import fcntl
import os
import signal
import stat
import threading

import pytest

from drupe.errors import DuplicateProcessError
from drupe.service.presence import Presence

HOLDS = """
import sys
from pathlib import Path
from drupe.service.presence import Presence

presence = Presence(Path(sys.argv[1]))
presence.announce("other")
print("here", flush=True)
sys.stdin.read()
"""

FORKS = """
import multiprocessing, os, sys
from pathlib import Path
from drupe.service.presence import Presence

def live(presence):
    presence.withdraw("other")  # as an exception would have it that leads out of the runner
    print(os.getpid(), presence.is_dead("other"), flush=True)
    sys.stdin.close()
    os.read(0, 1)

presence = Presence(Path(sys.argv[1]))
presence.announce("other")
if sys.argv[2] == "os":
    if os.fork() == 0:
        live(presence)
        os._exit(0)
else:
    multiprocessing.get_context("fork").Process(target=live, args=[presence]).start()
os.read(0, 1)
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "presence"


def test_an_owner_is_dead_once_its_program_was_killed(folder, program):
    other = program(HOLDS, folder)
    assert other.stdout.readline() == "here\n"
    presence = Presence(folder)
    assert not presence.is_dead("other")
    other.kill()
    other.wait()
    assert presence.is_dead("other")
    assert presence.is_dead("other"), "whoever asks later learns the same"
    assert Presence(folder).is_dead("other")


@pytest.mark.parametrize("how", ["os", "multiprocessing"])
def test_what_an_owner_has_forked_does_not_live_in_its_place(folder, program, how):
    """The lock belongs to the open file, which the child inherits: it made its dead parent look alive."""
    other = program(FORKS, folder, how)
    child, parent_is_dead = other.stdout.readline().split()
    presence = Presence(folder)
    try:
        assert parent_is_dead == "False"
        assert not presence.is_dead("other"), "what the child closes stays locked by its parent"
        assert presence.known() == {"other"}
        other.kill()
        other.wait()
        assert presence.is_dead("other")
        assert presence.forget("other")
        os.kill(int(child), 0)  # it was there all the time
    finally:
        os.kill(int(child), signal.SIGKILL)


def test_of_somebody_without_a_file_nothing_is_known(folder):
    presence = Presence(folder)
    assert not presence.is_dead("stranger")
    presence.announce("me")
    assert not presence.is_dead("stranger")
    presence.withdraw("me")


def test_nobody_takes_itself_for_dead(folder):
    presence = Presence(folder)
    presence.announce("me")
    assert not presence.is_dead("me")
    assert not Presence(folder).is_dead("me")
    presence.withdraw("me")


def test_whoever_withdraws_leaves_no_file(folder):
    presence = Presence(folder)
    presence.announce("me")
    presence.withdraw("me")
    presence.withdraw("me")
    assert list(folder.iterdir()) == []
    assert not presence.is_dead("me")


def test_two_who_ask_at_once_learn_the_same(folder, program):
    """One that looked while another one was looking took the dead for living, and left its processes alone."""
    other = program(HOLDS, folder)
    other.stdout.readline()
    other.kill()
    other.wait()
    with (folder / "other.lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as a peer does that looks at this moment
        assert Presence(folder).is_dead("other")


def test_the_folder_is_its_owners_only(folder):
    presence = Presence(folder)
    presence.announce("me")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    presence.withdraw("me")


@pytest.mark.parametrize("links", [True, False])
def test_nobody_sees_the_file_of_a_new_owner_before_it_is_locked(folder, monkeypatch, links):
    """A peer that looked in between took the new owner for dead, and what it had just claimed away from it."""
    lock, seen = fcntl.flock, []

    def look(file, how):
        seen.append(Presence(folder).known())
        lock(file, how)

    def refuse(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("drupe.service.presence.fcntl.flock", look)
    if not links:
        monkeypatch.setattr("drupe.service.presence.os.link", refuse)
    presence = Presence(folder)
    presence.announce("me")
    monkeypatch.undo()

    assert seen == [set()]
    assert [path.name for path in folder.iterdir()] == ["me.lock"]
    assert not Presence(folder).is_dead("me")
    presence.withdraw("me")


def dead(folder, program, name="other"):
    """Have somebody die."""
    found = program(HOLDS.replace('"other"', repr(name)), folder)
    assert found.stdout.readline() == "here\n"
    found.kill()
    found.wait()


def test_a_second_one_of_a_name_is_refused_as_long_as_the_first_lives(folder, monkeypatch):
    monkeypatch.setattr("drupe.service.presence._TRIES", 2)
    presence = Presence(folder)
    presence.announce("me")
    with pytest.raises(DuplicateProcessError, match="me is there already"):
        Presence(folder).announce("me")
    presence.withdraw("me")
    other = Presence(folder)
    other.announce("me")
    other.withdraw("me")
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_a_new_owner_takes_over_the_file_of_a_dead_one_of_its_name(folder, program):
    dead(folder, program)
    presence = Presence(folder)
    presence.announce("other")

    assert not Presence(folder).is_dead("other")
    assert not Presence(folder).forget("other")
    assert (folder / "other.lock").exists()
    presence.withdraw("other")


@pytest.mark.slow
def test_the_file_of_a_dead_owner_is_taken_away_once_and_that_of_a_living_one_never(folder, program):
    dead(folder, program)
    presence = Presence(folder)
    presence.announce("me")
    with (folder / "other.lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as a peer does that looks at this moment
        assert not presence.forget("other")
    assert presence.forget("other")
    assert not presence.forget("other")
    assert not presence.is_dead("other")
    assert not presence.forget("me")
    assert not Presence(folder).forget("me")
    assert presence.known() == {"me"}
    presence.withdraw("me")


def test_what_somebody_left_behind_who_died_in_the_middle_is_taken_away(folder):
    folder.mkdir()
    (folder / "half.17.new").touch()
    presence = Presence(folder)
    assert presence.known() == set()
    presence.tidy()

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_new_owner_whose_file_is_taken_away_too_early_makes_another(folder, monkeypatch, when):
    """Before it is locked it looks like one that somebody left behind."""
    lock, tidied = fcntl.flock, []

    def tidy(file, how):
        if not tidied:
            tidied.append(True)
            if when == "after":
                lock(file, how)
                for draft in folder.glob("*.new"):
                    draft.unlink()
                return
            Presence(folder).tidy()
        lock(file, how)

    monkeypatch.setattr("drupe.service.presence.fcntl.flock", tidy)
    presence = Presence(folder)
    presence.announce("me")
    monkeypatch.undo()

    assert tidied
    assert not Presence(folder).is_dead("me")
    presence.withdraw("me")
    assert list(folder.iterdir()) == []


def test_a_name_that_leads_to_another_file_by_now_says_nothing(folder, monkeypatch):
    """Its owner left in good order while a peer looked, and one of the same name came."""
    presence, lock = Presence(folder), fcntl.flock
    presence.announce("me")

    def leave(file, how):
        monkeypatch.undo()
        presence.withdraw("me")
        presence.announce("me")
        lock(file, how)

    monkeypatch.setattr("drupe.service.presence.fcntl.flock", leave)
    assert not Presence(folder).is_dead("me")
    assert presence.known() == {"me"}
    presence.withdraw("me")


def test_owners_that_come_and_go_are_never_taken_for_dead(folder):
    """One thread has them come and go, another one looks, and takes away what it finds dead."""
    over, wrong = threading.Event(), []
    folder.mkdir()

    def watch():
        peer = Presence(folder)
        while not over.is_set():
            peer.tidy()
            for owner in peer.known():
                if peer.is_dead(owner):
                    wrong.append(owner)
                if peer.forget(owner):
                    wrong.append(owner)

    watcher = threading.Thread(target=watch)
    watcher.start()
    presence = Presence(folder)
    for number in range(300):
        owner = f"owner-{number % 3}"
        presence.announce(owner)
        assert os.path.samestat((folder / f"{owner}.lock").stat(), os.fstat(presence._held[owner].fileno()))
        presence.withdraw(owner)
    over.set()
    watcher.join()

    assert wrong == []

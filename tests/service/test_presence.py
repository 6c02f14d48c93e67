"""Whoever holds its file lock lives; whoever's file is there and free is dead."""

import fcntl
import stat

import pytest

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

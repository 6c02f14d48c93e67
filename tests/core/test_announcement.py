"""What everybody hears of a process, and how it is told in a message."""

import pytest

from drupe.core import announcement
from drupe.core.lifecycle import State
from drupe.core.record import Birth, Change
from drupe.errors import MessageError

BIRTH = Birth(
    pid="p1", kind="flows:Double", version=1, inputs=b"", digest=b"", body=b"", created=1000.0, parent=None, owner="me"
)
CHANGE = Change(
    pid="p1",
    epoch=1,
    seq=7,
    at=1001.0,
    was=State.RUNNING,
    state=State.WAITING,
    body=b"",
    event="waiting",
    paused=True,
    status="for rain",
)


def test_it_says_where_the_process_is_and_survives_a_message():
    told = announcement.of_change(CHANGE, "flows:Double")

    assert told.as_body() == {
        "pid": "p1",
        "kind": "flows:Double",
        "state": "waiting",
        "paused": True,
        "seq": 7,
        "at": 1001.0,
        "status": "for rain",
    }
    assert announcement.read(told.as_body()) == told


def test_a_birth_is_the_first_one():
    told = announcement.of_birth(BIRTH)

    assert (told.state, told.seq, told.at, told.paused) == (State.CREATED, 1, 1000.0, False)


def test_the_subject_has_both_states():
    assert announcement.subject(State.RUNNING, State.WAITING) == "state_changed.running.waiting"
    assert announcement.subject(None, State.CREATED) == "state_changed.none.created"


@pytest.mark.parametrize("body", [None, "state_changed", {}, {"pid": "../p"}, {"pid": "p1", "kind": "no class"}])
def test_what_is_none_is_refused(body):
    with pytest.raises(MessageError, match="announcement"):
        announcement.read(body)

"""What a store keeps, as values."""

import re

import pytest

from drupe.core.lifecycle import TERMINAL, State
from drupe.core.record import PID_PATTERN, Birth, Change, Checkpoint, Event, as_json, birth_record

BIRTH = Birth(
    pid="p", kind="m:C", version=2, inputs=b"i", digest=b"d", body=b"b", created=1.0, parent="q", generation=3
)


@pytest.mark.parametrize(("owner", "epoch"), [(None, 0), ("me", 1)])
def test_a_new_process_starts_with_checkpoint_one_and_belongs_to_whom_its_birth_says(owner, epoch):
    row = birth_record(Birth(**{**{name: getattr(BIRTH, name) for name in BIRTH.__struct_fields__}, "owner": owner}))
    assert (row.seq, row.epoch, row.owner, row.state, row.attempts) == (1, epoch, owner, State.CREATED, 0)
    assert (row.parent, row.generation, row.version, row.paused, row.status) == ("q", 3, 2, False, None)
    assert row.created == row.updated == 1.0


@pytest.mark.parametrize("state", State)
def test_a_change_is_terminal_when_its_state_is(state):
    change = Change(pid="p", epoch=1, seq=2, at=0.0, was=State.RUNNING, state=state, body=b"", event="e")
    assert change.terminal is (state in TERMINAL)


def test_records_for_people_have_no_bytes():
    assert as_json(Checkpoint(pid="p", seq=1, at=2.0, body=b"secret")) == {"pid": "p", "seq": 1, "at": 2.0}
    assert as_json(Event(seq=1, at=2.0, event="step", state=State.RUNNING))["detail"] is None
    assert "digest" not in as_json(birth_record(BIRTH))


def test_nobody_can_change_a_record():
    with pytest.raises(AttributeError):
        BIRTH.pid = "other"


@pytest.mark.parametrize("pid", ["a", "0189-AB_c", "x" * 64])
def test_a_pid_is_made_of_letters_digits_dashes_and_underscores(pid):
    assert re.fullmatch(PID_PATTERN, pid)


@pytest.mark.parametrize("pid", ["", "a b", "../a", "ä", "x" * 65, "a\n"])
def test_anything_else_is_no_pid(pid):
    assert not re.fullmatch(PID_PATTERN, pid)

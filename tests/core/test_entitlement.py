"""What a role lets its holder send: the table as data, and everything that is not in it."""

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.announcement import WORK
from drupe.core.entitlement import BY_FORM, BY_VERB, NEWS, check, needed
from drupe.core.message import (
    AttendanceRequest,
    Broadcast,
    Message,
    RepertoireRequest,
    Reply,
    Request,
    Rpc,
    StatusRequest,
    Task,
    encode_message,
    open_message,
    request_body,
)
from drupe.core.role import Role
from drupe.errors import NotEntitledError

READ, CONTROL, LAUNCH = Role


def test_every_request_has_a_row() -> None:
    assert {request.__struct_config__.tag for request in typing.get_args(Request)} == set(BY_VERB)


def test_every_form_has_a_row() -> None:
    assert {form.__struct_config__.tag for form in typing.get_args(Message)} == set(BY_FORM)


@pytest.mark.parametrize("message", [Task(id="1", queue="q"), Rpc(id="1", recipient="p"), Broadcast(), Reply(id="1")])
def test_a_message_whose_body_is_packed_takes_no_less(message: Message) -> None:
    assert needed(open_message(encode_message(message))) is needed(message)


def test_no_role_comes_before_one_that_it_includes() -> None:
    assert [role.word for role in sorted(Role)] == ["read", "control", "launch"]


@pytest.mark.parametrize(
    ("message", "role"),
    [
        (Rpc(id="1", recipient="p", body=request_body(StatusRequest(pid="p"))), READ),
        (Rpc(id="1", recipient="p", body=request_body(AttendanceRequest())), READ),
        (Rpc(id="1", recipient="p", body=request_body(RepertoireRequest(kinds=[]))), READ),
        (Rpc(id="1", recipient="p", body={"verb": "kill"}), CONTROL),
        (Rpc(id="1", recipient="p", body={"verb": "signal"}), CONTROL),
        (Rpc(id="1", recipient="p", body={"verb": "launch"}), LAUNCH),
        (Rpc(id="1", recipient="p", body={"verb": "explode"}), CONTROL),
        (Rpc(id="1", recipient="p", body={"verb": ["status"]}), CONTROL),
        (Rpc(id="1", recipient="p", body="status"), CONTROL),
        (Rpc(id="1", recipient="p"), CONTROL),
        (Task(id="1", queue="q", body={"verb": "status"}), LAUNCH),
        (Task(id="1", queue="q"), LAUNCH),
        (Broadcast(subject=f"{NEWS}running.waiting"), READ),
        (Broadcast(subject=NEWS[:-1]), CONTROL),
        (Broadcast(subject=WORK), READ),
        (Broadcast(subject="intent", body={"verb": "status"}), CONTROL),
        (Broadcast(), CONTROL),
    ],
)
def test_what_is_sent_takes_a_role_and_no_lesser_one(message: Message, role: Role) -> None:
    assert needed(message) is role
    for held in Role:
        if held >= role:
            check(message, held)
        else:
            with pytest.raises(NotEntitledError, match=f"takes a key with the role '{role.word}'"):
                check(message, held)


@given(body=st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.dictionaries(st.text(), inner)))
def test_nothing_but_asking_and_hinting_is_open_to_who_may_only_read(body: object) -> None:
    asks = isinstance(body, dict) and body.get("verb") in ("status", "look")

    assert (needed(Rpc(id="1", recipient="p", body=body)) is READ) == asks

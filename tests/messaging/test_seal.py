"""What is sealed comes out as it went in, for its place, in its time, once; nothing else comes out at all."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.key import Key, KeyRing
from drupe.core.message import MAX_FRAME, Broadcast, decode_message, encode_message
from drupe.core.role import Role
from drupe.errors import MessageError, NotEntitledError, SealError
from drupe.messaging.envelope import Lane, Place
from drupe.messaging.seal import LIFETIME, ONCE, OVERHEAD, SKEW, Seal
from drupe.testing import ManualClock

READ, CONTROL, LAUNCH = Role
KEYS = [Key(bytes([number]) * 32, role) for number, role in enumerate(Role, 1)]
CALL = Place(Lane.CALL, "p")
PLACES = [Place(lane, name) for lane in Lane for name in ("", "a", "b", "ab")]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def seal(clock):
    """Makes the seals of participants whose clocks agree."""
    return lambda keys=KEYS, scope="world", **given: Seal(KeyRing(keys), scope, clock=clock, **given)


@given(st.binary(max_size=300), st.sampled_from(PLACES), st.sampled_from(Role))
def test_what_is_sealed_comes_out_with_the_key_that_suffices(data, place, role):
    clock = ManualClock()
    sender, receiver = (Seal(KeyRing(KEYS), "world", clock=clock) for _ in range(2))

    sealed = sender.wrap(data, place, role=role)

    assert len(sealed) == len(data) + OVERHEAD
    assert receiver.unwrap(sealed, place) == (data, KEYS[role - 1])


def test_an_answer_bears_the_key_of_what_it_answers(seal):
    asked = seal(KEYS[:1]).wrap(b"how are you", CALL, role=READ)
    worker = seal()
    _, key = worker.unwrap(asked, CALL)

    answer = worker.wrap(b"well", Place(Lane.REPLY, "me"), role=LAUNCH, key=key)

    assert seal(KEYS[:1]).unwrap(answer, Place(Lane.REPLY, "me")) == (b"well", KEYS[0])


def test_what_takes_a_stronger_key_than_there_is_is_not_sealed(seal):
    with pytest.raises(NotEntitledError, match="'launch'"):
        seal(KEYS[:2]).wrap(b"", Place(Lane.TASK, "q"), role=LAUNCH)


@pytest.mark.parametrize(("meant", "found"), list(itertools.permutations(PLACES, 2)))
def test_what_is_sent_on_to_another_place_is_refused(seal, meant, found):
    sealed = seal().wrap(b"body", meant, role=READ)

    with pytest.raises(SealError, match="sent on from another place"):
        seal().unwrap(sealed, found)


def test_what_is_sent_on_to_another_world_is_refused(seal):
    sealed = seal(scope="this").wrap(b"body", Place(Lane.CALL, "world"), role=READ)

    for scope, name in (("that", "world"), ("thisworld", ""), ("", "thisworld")):
        with pytest.raises(SealError, match="another place"):
            seal(scope=scope).unwrap(sealed, Place(Lane.CALL, name))


@given(st.data())
def test_no_bit_of_it_can_be_changed(data):
    clock = ManualClock()
    sender, receiver = (Seal(KeyRing(KEYS), "world", clock=clock) for _ in range(2))
    sealed = bytearray(sender.wrap(b"a body of some length", CALL, role=READ))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(SealError):
        receiver.unwrap(bytes(sealed), CALL)


def test_nothing_can_be_cut_off_or_put_behind_it(seal):
    sealed = seal().wrap(b"body", CALL, role=READ)
    receiver = seal()

    for changed in (*(sealed[:length] for length in range(len(sealed))), sealed + b"\0"):
        with pytest.raises(SealError):
            receiver.unwrap(changed, CALL)


def test_the_role_that_counts_is_the_one_that_the_receiver_knows(seal):
    promoted = Key(KEYS[0].secret, LAUNCH)

    sealed = seal([promoted]).wrap(b"", Place(Lane.TASK, "q"), role=LAUNCH)

    assert seal().unwrap(sealed, Place(Lane.TASK, "q")).key.role is READ


def test_a_key_that_is_not_known_is_refused(seal):
    sealed = seal([Key(b"s" * 32, LAUNCH)]).wrap(b"body", CALL, role=READ)

    with pytest.raises(SealError, match="is not known here"):
        seal().unwrap(sealed, CALL)


@pytest.mark.parametrize("data", [b"", b"\xc1", encode_message(Broadcast(body="x" * 100)), b"\xc1" * 200])
def test_what_bears_no_seal_is_refused(seal, data):
    with pytest.raises(SealError, match=r"no seal|version 193"):
        seal().unwrap(data, CALL)


def test_what_is_sealed_is_never_taken_for_a_bare_message(seal):
    with pytest.raises(MessageError):
        decode_message(seal().wrap(encode_message(Broadcast()), CALL, role=READ))


def test_what_is_too_large_is_refused_before_it_is_looked_at(seal):
    place = Place(Lane.TASK, "q")
    fitting = seal().wrap(bytes(MAX_FRAME), place, role=LAUNCH)
    assert len(seal().unwrap(fitting, place).data) == MAX_FRAME

    with pytest.raises(SealError, match="the limit is"):
        seal().unwrap(fitting + b"\0", place)


# --- time --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lane", Lane)
def test_it_holds_for_its_time_and_no_longer(seal, clock, lane):
    receiver, sealed = seal(), seal().wrap(b"", Place(lane), role=LAUNCH)

    clock.advance(LIFETIME[lane] + SKEW)
    receiver.unwrap(sealed, Place(lane))
    clock.advance(0.001)
    with pytest.raises(SealError, match="too old"):
        seal().unwrap(sealed, Place(lane))


def test_calls_and_broadcasts_hold_for_a_minute_at_most_and_tasks_for_days():
    assert {lane for lane in Lane if LIFETIME[lane] <= 60} == ONCE == {Lane.CALL, Lane.NEWS}
    assert LIFETIME[Lane.TASK] >= 7 * 24 * 3600


@pytest.mark.parametrize("offset", [-SKEW, SKEW])
def test_clocks_may_differ_a_little(offset):
    there, here = ManualClock(now=1e9 + offset), ManualClock(now=1e9)
    receiver = Seal(KeyRing(KEYS), "world", clock=here)

    receiver.unwrap(Seal(KeyRing(KEYS), "world", clock=there).wrap(b"", CALL, role=READ), CALL)


def test_what_comes_from_the_future_is_refused(seal, clock):
    future = ManualClock(now=clock.now() + SKEW + 0.1)
    sealed = Seal(KeyRing(KEYS), "world", clock=future).wrap(b"", CALL, role=READ)

    with pytest.raises(SealError, match="from the future"):
        seal().unwrap(sealed, CALL)


def test_nobody_may_say_that_it_holds_for_longer(seal, monkeypatch):
    monkeypatch.setattr("drupe.messaging.seal.LIFETIME", {Lane.CALL: 3600})
    sealed = seal().wrap(b"", CALL, role=READ)
    monkeypatch.undo()

    with pytest.raises(SealError, match="too old"):
        seal().unwrap(sealed, CALL)


# --- once --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lane", sorted(ONCE))
def test_a_call_or_broadcast_is_taken_once(seal, lane):
    receiver, sealed = seal(), seal().wrap(b"", Place(lane), role=READ)
    receiver.unwrap(sealed, Place(lane))

    with pytest.raises(SealError, match="came before") as refused:
        receiver.unwrap(sealed, Place(lane))

    assert refused.value.repeated
    assert (
        receiver.unwrap(seal().wrap(b"", Place(lane), role=READ), Place(lane)).data == b""
    )  # said again, not repeated


def test_a_task_may_come_again_for_its_id_is_what_makes_it_one(seal, clock):
    place = Place(Lane.TASK, "q")
    receiver, sealed = seal(), seal().wrap(b"launch", place, role=LAUNCH)

    for _ in range(3):
        clock.advance(24 * 3600)
        assert receiver.unwrap(sealed, place).data == b"launch"


def test_what_somebody_took_before_the_receiver_began_is_not_taken_again(seal, clock):
    sealed = seal().wrap(b"kill", CALL, role=CONTROL)
    clock.advance(SKEW + 2)

    with pytest.raises(SealError, match="older than what is remembered"):
        seal().unwrap(sealed, CALL)


def test_in_a_flood_by_one_key_the_memory_is_bounded_and_others_are_heard(seal, clock):
    receiver, reader, controller = seal(capacity=100), seal(KEYS[:1]), seal(KEYS[1:2])
    flood = [reader.wrap(b"", CALL, role=READ) for _ in range(1000)]
    taken = 0
    for sealed in flood:
        try:
            receiver.unwrap(sealed, CALL)
            taken += 1
        except SealError:
            pass
    assert taken == 101

    assert receiver.unwrap(controller.wrap(b"kill", CALL, role=CONTROL), CALL).data == b"kill"
    for sealed in flood:
        with pytest.raises(SealError):
            receiver.unwrap(sealed, CALL)
    clock.advance(1)
    assert receiver.unwrap(reader.wrap(b"again", CALL, role=READ), CALL).data == b"again"


# --- forgery -----------------------------------------------------------------------------------------------


def forgeries(sealed, chance):
    """Without end, what somebody can try who sees a sealed message and has no key."""
    while True:
        forged = bytearray(sealed)
        for _ in range(chance.randint(1, 3)):
            forged[chance.randrange(len(forged))] ^= 1 << chance.randrange(8)
        if forged != sealed:
            yield bytes(forged)
        yield sealed[:38] + chance.randbytes(32) + sealed[70:]  # another signature


@pytest.mark.untraced
@pytest.mark.slow
def test_of_many_forged_messages_none_is_taken(seal):
    receiver, chance = seal(), random.Random(3)
    sealed = seal().wrap(encode_message(Broadcast(body="x" * 50)), CALL, role=READ)
    taken = 0
    for forged in itertools.islice(forgeries(sealed, chance), 1_000_000):
        try:
            receiver.unwrap(forged, CALL)
            taken += 1
        except SealError:
            pass

    assert taken == 0
    assert receiver.unwrap(sealed, CALL)  # and none of them has used it up

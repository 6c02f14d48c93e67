"""Keys and rings: which of them seals, and that no secret is shown."""

import pytest

from drupe.core.key import Key, KeyRing
from drupe.core.role import Role
from drupe.errors import NotEntitledError

READ, CONTROL, LAUNCH = Role
SECRETS = [bytes([number]) * 32 for number in range(10)]


def test_a_key_is_known_by_a_hash_of_its_secret():
    one, same, other = Key(SECRETS[1], READ), Key(SECRETS[1], LAUNCH), Key(SECRETS[2], READ)

    assert one.id == same.id != other.id
    assert bytes.fromhex(one.name) == one.id
    assert one.id not in SECRETS[1]


def test_a_key_does_not_show_its_secret():
    assert repr(Key(b"k" * 32, READ, 5.0)) == f"Key({Key(b'k' * 32, READ).name}, read, since=5.0)"


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_secret_of_another_length_is_refused(length):
    with pytest.raises(ValueError, match="32 bytes"):
        Key(bytes(length), READ)


def test_of_the_keys_that_suffice_the_weakest_seals():
    read, control, launch = keys = [Key(secret, role) for secret, role in zip(SECRETS[:3], Role, strict=True)]
    ring = KeyRing(keys)

    assert [ring.sealing(role, now=0.0) for role in Role] == [read, control, launch]
    assert KeyRing([launch, control]).sealing(READ, now=0.0) is control
    assert KeyRing([launch]).sealing(READ, now=0.0) is launch


def test_of_the_keys_of_a_role_the_newest_seals_whose_time_has_come():
    first, second, third = [Key(SECRETS[number], CONTROL, since=float(number)) for number in (1, 2, 3)]
    ring = KeyRing([third, first, second])

    assert [ring.sealing(CONTROL, now) for now in (1.0, 1.9, 2.0, 100.0)] == [first, first, second, third]
    assert {*ring} == {first, second, third} == {ring.find(key.id) for key in ring}
    assert ring.sealing_all(2.5) == {second}


def test_of_two_that_begin_together_the_later_one_seals():
    ring = KeyRing([Key(SECRETS[1], READ, 1.0), second := Key(SECRETS[2], READ, 1.0)])

    assert ring.sealing(READ, now=1.0) is second


def test_what_no_key_suffices_for_is_refused():
    ring = KeyRing([Key(SECRETS[1], READ), Key(SECRETS[2], LAUNCH, since=10.0)])

    with pytest.raises(NotEntitledError, match="the role 'control', and there is none here"):
        ring.sealing(CONTROL, now=9.9)
    assert ring.sealing_all(9.9) == {ring.find(Key(SECRETS[1], READ).id)}
    assert KeyRing([]).sealing_all(0.0) == set()


def test_a_key_that_is_not_there_is_not_found():
    assert KeyRing([Key(SECRETS[1], READ)]).find(Key(SECRETS[2], READ).id) is None

"""What happens to a run is drawn from its seed, and happens to somebody to whom it can."""

from random import Random

from chaos.faults import drawn, next_to

COUNTS = {"kills": 5, "freezes": 3, "drains": 2, "restarts": 4}


def test_one_seed_draws_the_same_faults_again_in_order_and_in_time():
    one, two = (drawn(Random(7), 10, workers=3, servers=1, lease=2, counts=COUNTS) for _ in range(2))

    assert one == two == sorted(one)
    assert [sum(fault.kind == kind for fault in one) for kind in ("kill", "freeze", "drain", "restart")] == [5, 3, 2, 4]
    assert all(0 < fault.at < 10 for fault in one)
    assert all((fault.length > 2) is (fault.kind == "freeze") for fault in one)


def test_each_server_is_restarted_as_often_as_was_asked_for():
    found = drawn(Random(7), 10, workers=3, servers=2, lease=2, counts=COUNTS)

    assert sorted(fault.whom for fault in found if fault.kind == "restart") == [0] * 4 + [1] * 4


def test_nothing_is_restarted_where_nothing_was_started():
    assert not any(f.kind == "restart" for f in drawn(Random(7), 10, workers=3, servers=0, lease=2, counts=COUNTS))


def test_a_fault_goes_to_the_next_one_that_can_have_it():
    assert next_to(1, [True, False, False]) == 0
    assert next_to(1, [True, True, False]) == 1
    assert next_to(2, [False, False, False]) is None

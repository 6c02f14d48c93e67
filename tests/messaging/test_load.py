"""Nobody gets so much of us that nothing is left for others."""

from drupe.messaging.load import Load


def test_calls_are_taken_up_to_a_number_for_each_participant():
    load = Load(calls=2)

    assert [load.begin("a", 10), load.begin("a", 10), load.begin("a", 10)] == [True, True, False]
    assert load.begin("b", 10)
    load.end("a", 10)
    assert load.begin("a", 10)
    assert not load.begin("a", 10)


def test_calls_are_taken_up_to_a_size_and_one_however_large():
    load = Load(size=100)

    assert load.begin("a", 1000)
    assert not load.begin("a", 1)
    load.end("a", 1000)
    assert [load.begin("a", 60), load.begin("a", 40), load.begin("a", 1)] == [True, True, False]


def test_what_is_ended_is_forgotten():
    load = Load()
    for address in ("a", "a", "b"):
        load.begin(address, 5)
    for address in ("a", "a", "b"):
        load.end(address, 5)

    assert not load._begun


def test_many_participants_together_have_a_share_too():
    load = Load(calls=2, shares=2)

    assert [load.begin(address, 1) for address in "aabb"] == [True] * 4
    assert not load.begin("c", 1)
    load.end("a", 1)
    assert load.begin("c", 1)


class Time:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def begun(load, address, number):
    """How many of so many calls are taken, each of which is ended at once."""
    taken = 0
    for _ in range(number):
        if load.begin(address, 1):
            load.end(address, 1)
            taken += 1
    return taken


def test_calls_are_taken_up_to_a_rate_for_each_participant():
    time = Time()
    load = Load(rate=10, tick=time)

    assert begun(load, "a", 20) == 10
    assert begun(load, "b", 5) == 5
    time.now = 0.3
    assert begun(load, "a", 20) == 3
    time.now = 60.0
    assert begun(load, "a", 20) == 10


def test_participants_that_call_no_more_are_forgotten():
    time = Time()
    load = Load(tick=time)
    for number in range(5000):
        time.now = float(number)
        assert begun(load, str(number), 1) == 1

    assert len(load._due) <= 1025

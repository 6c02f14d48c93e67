"""Of many processes that nobody holds, workers are told of a few; none that comes later is left out for good."""

import asyncio

from drupe.core.lifecycle import State
from drupe.core.message import ContinueRequest, read_request
from drupe.core.record import Birth, birth_record
from drupe.service.telling import Telling


class Broker:
    """Takes tasks, and says that it has them when it is let."""

    def __init__(self):
        self.told, self.queues = [], []
        self.open = asyncio.Event()

    async def task_send(self, body, *, queue, no_reply):
        assert no_reply
        self.queues.append(queue)
        request = read_request(body)
        assert isinstance(request, ContinueRequest)
        self.told.append(request.pid)
        await self.open.wait()


def row(pid, **given):
    birth = Birth(pid=pid, kind="a:B", version=1, inputs=b"", digest=b"", body=b"", created=1.0, **given)
    return birth_record(birth)


async def test_of_many_a_few_are_told_of_and_the_last_when_there_is_room():
    broker = Broker()
    telling = Telling(broker, lambda _: None)
    telling.go_on([row(f"p{number}", owner=None) for number in range(50)])
    await asyncio.sleep(0)
    assert broker.told == [f"p{number}" for number in range(8)]
    telling.go_on([row("later", owner=None)])
    broker.open.set()
    await telling.close()
    assert broker.told == [*(f"p{number}" for number in range(8)), "later"]


async def test_workers_of_each_queue_are_told_of_what_is_theirs():
    broker = Broker()
    telling = Telling(broker, lambda _: None)
    telling.go_on([row(f"p{number}", owner=None) for number in range(8)])
    telling.go_on([row(f"{queue}{number}", owner=None, queue=queue) for number in range(9) for queue in "ab"])
    broker.open.set()
    await telling.close()
    assert sorted(broker.told) == sorted([*(f"p{number}" for number in range(8)), "a8", "b8"])
    assert sorted(broker.queues) == ["a", "b", *["tasks"] * 8]


async def test_who_comes_alone_is_told_of():
    broker = Broker()
    broker.open.set()
    telling = Telling(broker, lambda _: None)
    for number in range(20):
        telling.go_on([row(f"p{number}", owner=None)])
        while telling._tasks:
            await asyncio.wait(telling._tasks)
    assert broker.told == [f"p{number}" for number in range(20)]
    await telling.close()


async def test_what_is_held_or_over_is_not_told_of():
    broker = Broker()
    telling = Telling(broker, lambda _: None)
    assert row("p", owner=None).state is State.CREATED
    telling.go_on([row("held", owner="somebody")])
    await telling.close()
    assert broker.told == []

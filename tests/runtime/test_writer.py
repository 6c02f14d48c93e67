"""One thread, many askers: each gets its own answer on its own loop, whatever happens to the others."""

import asyncio
import threading
from functools import partial
from itertools import count

import pytest

from drupe.runtime.writer import Writer


class Echo:
    """Answers each request with itself; an exception among them is answered, a `Death` raised."""

    def __init__(self):
        self.batches = []
        self.threads = set()
        self.ended = 0
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Event()

    def begin(self):
        self.threads.add(threading.current_thread())

    def answer(self, batch):
        self.batches.append(list(batch))
        self.arrived.set()
        assert self.gate.wait(20)
        for request in batch:
            if isinstance(request, Death):
                raise request
        return batch

    def end(self):
        self.ended += 1


class Death(BaseException):
    pass


class ClosedError(Exception):
    pass


@pytest.fixture
def work():
    return Echo()


@pytest.fixture
async def writer(work):
    writer = Writer(work, name="echo", closed=ClosedError, batch=10)
    await writer.start()
    yield writer
    work.gate.set()
    await writer.close()


async def held(work, writer):
    """Keep the thread in a first batch."""
    work.gate.clear()
    work.arrived.clear()
    first = writer.put("first")
    await asyncio.get_running_loop().run_in_executor(None, work.arrived.wait)
    return first


async def test_each_request_gets_its_own_answer(writer):
    assert await asyncio.gather(*(writer.put(n) for n in range(100))) == list(range(100))


async def test_what_gathers_meanwhile_is_one_batch_in_order(work, writer):
    await held(work, writer)
    asked = [writer.put(n) for n in range(8)]
    work.gate.set()
    await asyncio.gather(*asked)
    assert work.batches == [["first"], list(range(8))]


async def test_no_batch_is_larger_than_the_limit(work, writer):
    await held(work, writer)
    asked = [writer.put(n) for n in range(25)]
    work.gate.set()
    await asyncio.gather(*asked)
    assert [len(batch) for batch in work.batches] == [1, 10, 10, 5]


@pytest.mark.parametrize(("seconds", "sizes"), [(0.0, [1, 100, 50, 50]), (1.0, [1, 200])])
async def test_of_many_only_half_are_taken_if_that_pays(work, monkeypatch, seconds, sizes):
    monkeypatch.setattr("drupe.runtime.writer.tick", partial(next, count(step=seconds)))
    writer = Writer(work, name="echo", closed=ClosedError, halving=True)
    await writer.start()
    await held(work, writer)
    asked = [writer.put(n) for n in range(200)]
    work.gate.set()
    assert await asyncio.gather(*asked) == list(range(200))
    await writer.close()
    assert [len(batch) for batch in work.batches] == sizes


async def test_an_answer_that_is_an_exception_is_raised(writer):
    good, bad = writer.put(1), writer.put(ValueError("no"))
    assert await good == 1
    with pytest.raises(ValueError, match="no"):
        await bad


async def test_all_work_is_done_on_one_thread_of_its_own(work, writer):
    await writer.start()
    await writer.put(1)
    (thread,) = work.threads
    assert thread is not threading.current_thread()
    assert (thread.name, thread.daemon) == ("echo", True)
    await writer.close()
    assert not thread.is_alive()


async def test_answers_come_to_the_loop_that_asked(writer):
    async def ask(number):
        loop = asyncio.get_running_loop()
        future = writer.put(number)
        assert future.get_loop() is loop
        seen = []
        future.add_done_callback(lambda _: seen.append(threading.current_thread()))
        assert await future == number
        assert seen == [threading.current_thread()]

    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(None, lambda n=n: asyncio.run(ask(n))) for n in range(3)), ask(9))


async def test_a_loop_that_was_closed_meanwhile_disturbs_nobody(work, writer):
    await held(work, writer)

    async def ask():
        writer.put("lost")

    await asyncio.get_running_loop().run_in_executor(None, lambda: asyncio.run(ask()))
    mine = writer.put("mine")
    work.gate.set()
    assert await mine == "mine"
    assert work.batches[-1] == ["lost", "mine"]


async def test_who_is_cancelled_disturbs_nobody(work, writer):
    await held(work, writer)
    gone, mine = writer.put("gone"), writer.put("mine")
    gone.cancel()
    work.gate.set()
    assert await mine == "mine"
    assert gone.cancelled()
    assert work.batches[-1] == ["gone", "mine"]


async def test_what_was_asked_before_closing_is_answered_and_nothing_after(work, writer):
    await held(work, writer)
    asked = [writer.put(n) for n in range(30)]
    closing = asyncio.ensure_future(writer.close())
    await asyncio.sleep(0)
    work.gate.set()
    await closing
    assert [future.result() for future in asked] == list(range(30))
    with pytest.raises(ClosedError):
        await writer.put("late")
    assert work.ended == 1


async def test_who_asks_while_it_closes_is_answered_or_refused_but_never_left(work, writer):
    """The race: a request that is put behind the mark of the end, by another thread."""
    await held(work, writer)
    closing = asyncio.ensure_future(writer.close())
    await asyncio.sleep(0)
    late = [writer.put(n) for n in range(30)]
    work.gate.set()
    await closing
    answers = await asyncio.wait_for(asyncio.gather(*late, return_exceptions=True), 20)
    assert all(answer == n or isinstance(answer, ClosedError) for n, answer in enumerate(answers))


async def test_before_the_start_everything_is_refused(work):
    writer = Writer(work, name="echo", closed=ClosedError)
    with pytest.raises(ClosedError):
        await writer.put(1)
    await writer.close()
    assert work.batches == []


async def test_a_work_that_cannot_begin_does_not_start(work):
    failures = iter([OSError("no disk")])

    def begin():
        for failure in failures:
            raise failure

    work.begin = begin
    writer = Writer(work, name="echo", closed=ClosedError)
    with pytest.raises(OSError, match="no disk"):
        await writer.start()
    assert work.ended == 1
    with pytest.raises(ClosedError):
        await writer.put(1)
    await writer.start()  # what was wrong has been put right
    assert await writer.put(1) == 1
    await writer.close()


async def test_when_the_thread_dies_all_are_told_and_so_is_everybody_later(work, writer):
    first = await held(work, writer)
    death = Death("crash")
    asked = [writer.put(1), writer.put(death), *(writer.put(n) for n in range(20))]
    work.gate.set()
    assert await first == "first"
    answers = await asyncio.gather(*asked, writer.put("late"), return_exceptions=True)
    assert answers == [death] * len(answers)
    with pytest.raises(Death):
        await writer.put("later")
    assert len(work.batches) == 2
    await writer.close()
    assert work.ended == 1


async def test_a_closed_one_can_be_started_again(work, writer):
    for number in range(3):
        assert await writer.put(number) == number
        await writer.close()
        await writer.start()
    assert len(work.threads) == 4


async def test_starting_at_once_from_two_tasks_starts_one_thread(work):
    writer = Writer(work, name="echo", closed=ClosedError)
    await asyncio.gather(writer.start(), writer.start())
    assert await writer.put(1) == 1
    assert len(work.threads) == 1
    await writer.close()

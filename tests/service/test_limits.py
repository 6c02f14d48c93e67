"""What cannot be saved ends the process, with its path; and what was good before stays what is there."""

import pytest

from drupe.core.command import Continue, Stop, Wait
from drupe.core.lifecycle import State
from drupe.core.outline import while_
from drupe.core.record import Retention
from drupe.core.snapshot import Snapshot
from drupe.engine.field import field
from drupe.engine.process import Process
from drupe.engine.workchain import ToContext, WorkChain
from drupe.errors import TooLargeError, UnsavableError
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from tests.service.samples import Asking, Sum, reached

LIMIT = 80_000


class Keeps(WorkChain):
    """Keeps what is good in its first step, and what `bad` makes in its second."""

    bad = None
    kept = field("")

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("good", valid_type=int)
        spec.outline(cls.good, cls.worse)

    def good(self):
        self.ctx.good = [1, 2]
        self.kept = "kept"
        self.out("good", 1)

    def worse(self):
        self.ctx.more = 3
        return self.bad()


def ctx_unsavable(self):
    self.ctx.structure = {"cells": [1, object()]}


def argument_unsavable(self):
    return Continue(self.good, 1, object())


def function_unsavable(self):
    return Continue(lambda: 1)


def data_unsavable(self):
    return Wait(self.good, data=object())


def result_unsavable(self):
    return object()


def undeclared(self):
    self.new = 1


def text_unsavable(self):
    self.ctx.text = "a lone surrogate \udc80"


def ctx_too_large(self):
    self.ctx.large = "x" * LIMIT


def child_too_large(self):
    return ToContext(sum=self.submit(Sum, numbers=[1] * LIMIT))


async def awaited_child_too_large(self):
    await self.submit(Sum, numbers=[1] * LIMIT)


def executed_child_too_large(self):
    Sum({"numbers": [1] * LIMIT}).execute()


def child_unsavable(self):
    self.submit(Sum, numbers=[object()])


def error_too_large(self):
    raise ValueError("x" * LIMIT)


def error_unsavable(self):
    raise ValueError("a lone surrogate \udc80")


@pytest.mark.parametrize(
    ("bad", "kind", "text"),
    [
        (ctx_unsavable, UnsavableError, r"ctx\.structure\.cells\[1\]"),
        (argument_unsavable, UnsavableError, r"stage\.args\[1\]"),
        (function_unsavable, UnsavableError, r"stage\.fn"),
        (data_unsavable, UnsavableError, r"stage\.data"),
        (result_unsavable, UnsavableError, r"stage\.result"),
        (undeclared, UnsavableError, r"new = field\(\)"),
        (text_unsavable, UnsavableError, r"ctx\.text"),
        (ctx_too_large, TooLargeError, r"its checkpoint would have 8\d,\d\d\d bytes"),
        (child_too_large, TooLargeError, r"its inputs would have 8\d,\d\d\d bytes"),
        (awaited_child_too_large, TooLargeError, r"its inputs would have 8\d,\d\d\d bytes"),
        (executed_child_too_large, TooLargeError, r"its inputs would have 8\d,\d\d\d bytes"),
        (child_unsavable, UnsavableError, r"inputs\.numbers\[0\]"),
        (error_too_large, ValueError, "xxx"),
        (error_unsavable, ValueError, "a lone surrogate"),
    ],
)
async def test_what_cannot_be_saved_ends_the_process_with_its_last_good_contents(bad, kind, text, monkeypatch):
    """Every way of a bad step leads to EXCEPTED, with an error that tells where; the store keeps what was good."""
    monkeypatch.setattr(Keeps, "bad", bad)
    async with Runner(MemoryStore(max_bytes=LIMIT)) as runner:
        process = await runner.launch(Keeps)
        with pytest.raises(kind, match=text):
            await process
        record = await runner.store.record(process.pid)
        assert (record.state, record.owner) == (State.EXCEPTED, None)
        loaded = await runner.load(process.pid)
        assert loaded.ctx == {"good": [1, 2]}
        assert loaded.kept == "kept"
        assert loaded.outputs == {"good": 1}
        assert loaded.exception().kind.endswith(kind.__name__)
        last = Snapshot.decode((await runner.store.checkpoint(process.pid)).body)
        assert last.contents()["stood"]["state"] == "running"
        assert [event.event for event in await runner.store.history(process.pid)][-2:] == ["step", "excepted"]


@pytest.mark.parametrize("numbers", [[1] * LIMIT, [object()]])
async def test_a_process_that_cannot_be_saved_is_not_created(numbers):
    async with Runner(MemoryStore(max_bytes=LIMIT)) as runner:
        with pytest.raises((TooLargeError, UnsavableError), match="inputs"):
            await runner.create(Sum, {"numbers": numbers}, pid="bad")
        assert runner.living() == []


async def test_a_store_goes_on_after_what_it_refused():
    async with Runner(MemoryStore(max_bytes=LIMIT)) as runner:
        with pytest.raises(TooLargeError):
            await runner.launch(Sum, numbers=[1] * LIMIT)
        assert await (await runner.launch(Sum, numbers=[1])) == {"total": 1}


@pytest.mark.parametrize("status", ["x" * LIMIT, "a lone surrogate \udc80"])
async def test_a_status_that_is_too_long_or_no_text_does_not_end_a_process(status):
    """It is for people, so it is made legible; also the failure of a process that had set it can be saved."""

    class Says(Process):
        def run(self):
            self.set_status(status)
            return Continue(self.fail_now)

        def fail_now(self):
            raise ValueError("mine")

    async with Runner(MemoryStore(max_bytes=LIMIT)) as runner:
        process = await runner.launch(Says)
        with pytest.raises(ValueError, match="mine"):
            await process
        record = await runner.store.record(process.pid)
        assert record.state is State.EXCEPTED
        assert record.status[:5] == status[:5]
        assert len(record.status) < LIMIT


@pytest.mark.parametrize("verb", ["pause", "kill"])
@pytest.mark.parametrize("reason", ["x" * 2 * LIMIT, "a lone surrogate \udc80"])
async def test_a_reason_that_is_too_long_or_no_text_does_not_make_a_process_fail(verb, reason):
    async with Runner(MemoryStore(max_bytes=LIMIT)) as runner:
        process = await runner.launch(Asking)
        await reached(process, State.WAITING)
        assert await getattr(process, verb)(reason)
        record = await runner.store.record(process.pid)
        assert (record.state, record.paused) == ((State.WAITING, True) if verb == "pause" else (State.KILLED, False))


# --- retention -----------------------------------------------------------------------------------------------


class Counting(WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("until", valid_type=int)
        spec.outline(cls.zero, while_(cls.more)(cls.count), cls.rest, cls.end)

    def zero(self):
        self.ctx.n = 0

    def more(self):
        return self.ctx.n < self.inputs.until

    def count(self):
        self.ctx.n += 1

    def rest(self):
        return Wait()

    def end(self):
        return Stop(self.ctx.n)


@pytest.mark.parametrize(
    ("retention", "living", "ended"),
    [(Retention(), 10, 1), (Retention(living=3, ended=2), 3, 2), (Retention(living=None, ended=None), 24, 26)],
)
async def test_the_last_checkpoints_are_kept_and_any_of_them_can_be_looked_at(retention, living, ended):
    async with Runner(MemoryStore(retention=retention)) as runner:
        process = await runner.launch(Counting, until=20)
        await reached(process, State.WAITING)
        kept = await runner.store.checkpoints(process.pid)
        assert len(kept) == living
        for seq in kept[1 if len(kept) == 24 else 0 :]:
            looked_at = await runner.load(process.pid, seq)
            assert (await runner.store.record(process.pid)).owner == runner.owner
            assert looked_at.ctx.get("n", 0) == min(max(seq - 3, 0), 20)
        process.resume()
        await process
        assert process.result() == 20
        kept = await runner.store.checkpoints(process.pid)
        assert len(kept) == ended
        assert kept[-1] == (await runner.store.record(process.pid)).seq
        assert len(await runner.store.history(process.pid)) == kept[-1]  # history is kept whole

"""Orders that lie in the store are carried out by whoever holds the process: answered, once, in their order."""

import asyncio
import threading

import pytest

from drupe import Continue, Process, State, Wait, field
from drupe.core.asking import order_of
from drupe.core.lifecycle import TERMINAL
from drupe.core.message import KillRequest, PauseRequest, PlayRequest, SignalRequest
from drupe.core.order import Order, Outcome
from drupe.core.record import Change
from drupe.core.snapshot import Snapshot
from drupe.errors import FencedError, KilledError, StoreUnavailableError
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.testing.clock import ManualClock, SequentialIds
from drupe.testing.host_case import HeldSaves, settle
from drupe.testing.probe import Recorder
from tests.service.samples import Gate, reached, until

PAUSE, PLAY, KILL = PauseRequest(reason="for tea"), PlayRequest(), KillRequest(reason="enough")
QUICKLY = 0.005
"""Seconds between two looks into the store, in tests of those."""


class Listening(Process):
    """Writes down what it hears, until it hears the last."""

    heard = field(factory=list)

    def run(self):
        return Wait(self.hear, "for news", signal="news")

    def hear(self, payload):
        self.heard = [*self.heard, payload]
        return None if payload == "last" else Wait(self.hear, "for more news", signal="news")


class Stepping(Process):
    """Two steps; the first one waits at a gate."""

    count = field(0)

    async def run(self):
        self.count += 1
        await self.gate.pass_through()
        return Continue(self.after)

    def after(self):
        return "over"


class Desk:
    """Writes orders as a controller would, to processes that a runner holds."""

    def __init__(self, **given):
        self.recorder = Recorder()
        self.state, self.clock, self.ids = MemoryState(), ManualClock(), SequentialIds(1000)
        self.runner = self.another(ids=SequentialIds(), **given)
        self.store = self.runner.store

    def another(self, *, poll=None, **given):
        store = MemoryStore(self.state, clock=self.clock, probe=self.recorder)
        return Runner(store, poll=poll, clock=self.clock, probe=self.recorder, **given)

    def order(self, process, request):
        return order_of(request, id=self.ids.pid(), pid=process.pid, at=self.clock.now())

    async def ask(self, process, *requests, hint=True):
        """Get the ids of new orders, given that the runner was told of them."""
        orders = [self.order(process, request) for request in requests]
        await self.store.ask(orders)
        if hint:
            self.runner.attend(process.pid)
        return [order.id for order in orders]

    async def outcomes(self, ids):
        return [(await self.store.receipt(id)).outcome for id in ids]

    async def settled(self, ids):
        """Get what became of orders, once each is answered and their processes were told."""
        while Outcome.REQUESTED in (found := await self.outcomes(ids)):  # noqa: ASYNC110 (the store tells nobody)
            await asyncio.sleep(0)
        await settle()
        return found

    async def refusals(self, ids):
        return [(await self.store.receipt(id)).detail for id in ids]

    async def events(self, process):
        return [event.event for event in await self.store.history(process.pid)]


class Held(Gate):
    """What one method of a store answers, until it is let on: read before, or asked after (``first``)."""

    def __init__(self, store, name, *, first=False):
        super().__init__()
        method = getattr(store, name)

        async def held(*arguments):
            if first:
                await self.pass_through()
            answer = await method(*arguments)
            if not first:
                await self.pass_through()
            return answer

        setattr(store, name, held)


@pytest.fixture
async def desk():
    desk = Desk()
    async with desk.runner:
        yield desk


async def waiting(desk, process_class=Listening):
    process = await desk.runner.launch(process_class)
    await reached(process, State.WAITING)
    await settle()
    return process


async def inside(desk):
    """A process whose step waits at its gate."""
    process = await desk.runner.launch(type("Gated", (Stepping,), {"gate": Gate()}))
    await process.gate.reached.wait()
    return process


YES, NO, LATER = Outcome.APPLIED, Outcome.REFUSED, Outcome.REQUESTED


# --- pause, play, kill ---------------------------------------------------------------------------------------


async def test_a_pause_is_answered_by_the_change_that_brings_it_about(desk):
    process = await waiting(desk)
    ids = await desk.ask(process, PAUSE)
    assert await desk.settled(ids) == [YES]
    row = await desk.store.record(process.pid)
    assert (row.paused, row.status, process.paused) == (True, "for tea", True)
    assert "host.answer" not in desk.recorder.places


async def test_a_kill_is_answered_by_the_change_that_brings_it_about(desk):
    process = await waiting(desk)
    ids = await desk.ask(process, KILL)
    assert await desk.settled(ids) == [YES]
    assert process.killed_msg() == "enough"
    assert "host.answer" not in desk.recorder.places


async def test_what_is_so_already_is_answered_beside(desk):
    process = await waiting(desk)
    ids = await desk.ask(process, PLAY, PAUSE, PAUSE)
    assert await desk.settled(ids) == [YES] * 3
    assert (await desk.events(process)).count("paused") == 1
    assert desk.recorder.count("host.answer") == desk.recorder.count("host.answered") == 2


async def test_orders_are_carried_out_in_their_order(desk):
    process = await waiting(desk)
    ids = await desk.ask(process, PAUSE, PLAY, PAUSE, PLAY, PAUSE)
    assert await desk.settled(ids) == [YES] * 5
    assert (await desk.events(process))[3:] == ["paused", "played"] * 2 + ["paused"]
    assert process.paused


async def test_what_the_program_itself_asked_for_before_comes_before(desk):
    process = await waiting(desk)
    saves, reads = HeldSaves(desk.store), Held(desk.store, "orders")
    ids = await desk.ask(process, PAUSE)
    await reads.reached.wait()
    saves.hold()
    reads.open.set()
    pause, play = process.pause(), process.play()
    pause.add_done_callback(lambda _: saves.hold())
    await saves.reached.wait()
    saves.release()
    await pause
    await saves.reached.wait()
    assert await desk.outcomes(ids) == [LATER]  # the pause that is there is not the one that was ordered
    saves.release()
    assert await play
    assert await desk.settled(ids) == [YES]
    assert (await desk.events(process))[3:] == ["paused", "played", "paused"]


async def test_a_list_that_is_older_than_an_answer_does_nothing_again(desk):
    class Ending(Stepping):
        gate = Gate()

        async def run(self):
            await self.gate.pass_through()
            return Wait()

    process = await desk.runner.launch(Ending)
    await process.gate.reached.wait()
    ids = await desk.ask(process, PAUSE)
    await settle(50)
    reads = Held(desk.store, "orders")
    desk.runner.attend(process.pid)
    await reads.reached.wait()  # the list has the pause in it
    process.gate.open.set()
    assert await desk.settled(ids) == [YES]
    assert await process.play()
    reads.open.set()
    await settle(50)
    assert (await desk.events(process))[-2:] == ["paused", "played"]


async def test_what_was_answered_is_forgotten(desk):
    process = await waiting(desk)
    await desk.settled(await desk.ask(process, PAUSE, PLAY, PAUSE, PLAY))
    await desk.settled(await desk.ask(process, PAUSE))
    assert len(process._life.tenure.orders) == 1


async def test_a_pause_that_was_taken_back_is_not_answered_by_the_next(desk):
    process = await inside(desk)
    ids = await desk.ask(process, PAUSE)
    await settle(50)
    answers = Held(desk.store, "answer", first=True)
    await process.play()
    pause = process.pause()
    await answers.reached.wait()
    process.gate.open.set()
    assert await pause
    assert await desk.outcomes(ids) == [LATER]
    answers.open.set()
    assert await desk.settled(ids) == [NO]


async def test_a_process_that_was_given_up_is_left_as_it_is(desk):
    process = await waiting(desk)
    reads = Held(desk.store, "orders")
    ids = await desk.ask(process, PAUSE)
    await reads.reached.wait()
    process._life.abandon(StoreUnavailableError("for a while"))
    reads.open.set()
    await settle(50)
    assert await desk.outcomes(ids) == [LATER]
    assert not (await desk.store.record(process.pid)).paused


async def test_a_pause_inside_a_step_is_kept_until_its_end(desk):
    process = await inside(desk)
    ids = await desk.ask(process, PAUSE)
    await settle(50)
    assert await desk.outcomes(ids) == [LATER]
    process.gate.open.set()
    assert await desk.settled(ids) == [YES]
    assert process.paused
    assert process.stage.label() == "after"
    assert "host.answer" not in desk.recorder.places


async def test_a_play_takes_a_pause_back_that_has_not_happened(desk):
    process = await inside(desk)
    ids = await desk.ask(process, PAUSE, PLAY)
    assert await desk.settled(ids) == [NO, YES]
    assert await desk.refusals(ids) == ["a play took it back", None]
    process.gate.open.set()
    await process
    assert "paused" not in await desk.events(process)


async def test_a_kill_overtakes_a_pause_and_nothing_overtakes_the_kill(desk):
    process = await inside(desk)
    pause, kill, play = await desk.ask(process, PAUSE, KILL, PLAY)
    assert await desk.settled([pause, play]) == [NO, NO]
    assert await desk.outcomes([kill]) == [LATER]
    assert await desk.refusals([pause, play]) == ["a kill overtook it", "the process is about to be killed"]
    process.gate.open.set()
    assert await desk.settled([kill]) == [YES]
    assert process.killed()


async def test_a_pause_that_is_asked_for_twice_inside_a_step_is_answered_twice(desk):
    process = await inside(desk)
    ids = await desk.ask(process, PAUSE, PAUSE)
    await settle(50)
    process.gate.open.set()
    assert await desk.settled(ids) == [YES, YES]
    assert (await desk.events(process)).count("paused") == 1


async def test_what_was_left_at_the_end_is_answered_with_it(desk):
    class Short(Stepping):
        gate = Gate()

        async def run(self):
            await self.gate.pass_through()

    process = await desk.runner.launch(Short)
    await Short.gate.reached.wait()
    ids = await desk.ask(process, PAUSE, SignalRequest(name="news"))
    await settle(50)
    Short.gate.open.set()
    assert await desk.settled(ids) == [NO, NO]
    assert await desk.refusals(ids) == ["the process is finished"] * 2
    assert "host.answer" not in desk.recorder.places


async def test_who_has_the_process_in_hand_may_take_a_request_back(desk):
    process = await inside(desk)
    ids = await desk.ask(process, PAUSE)
    await settle(50)
    assert process.pause().cancel()
    assert await desk.settled(ids) == [NO]
    assert await desk.refusals(ids) == ["it was taken back"]
    process.gate.open.set()
    await process


async def test_a_class_may_refuse(desk):
    class Stubborn(Listening):
        def pause(self, msg=None):
            raise LookupError(f"not {msg}")

        def play(self):
            return False

    process = await waiting(desk, Stubborn)
    ids = await desk.ask(process, PAUSE, PLAY, KILL)
    assert await desk.settled(ids) == [NO, NO, YES]
    first, second, _ = await desk.refusals(ids)
    assert first == "LookupError: not for tea"
    assert second == f"{process.kind} does not do it"


async def test_an_order_that_cannot_be_read_is_refused_and_the_next_is_carried_out(desk):
    process = await waiting(desk)
    broken = Order(id="broken", pid=process.pid, verb="pause", body=b"\xc1", at=1.0)
    strange = Order(id="strange", pid=process.pid, verb="signal", name="news", body=b"\x80", at=1.0)
    await desk.store.ask([broken, strange])
    ids = await desk.ask(process, SignalRequest(name="news", payload="last"))
    assert await desk.settled(["broken", "strange", *ids]) == [NO, NO, YES]
    await process


# --- signals -------------------------------------------------------------------------------------------------


async def test_a_signal_is_answered_by_the_change_that_takes_it(desk):
    process = await waiting(desk)
    ids = await desk.ask(process, *(SignalRequest(name="news", payload=word) for word in ("one", "two", "last")))
    await process
    assert process.heard == ["one", "two", "last"]
    assert await desk.outcomes(ids) == [YES] * 3
    assert "host.answer" not in desk.recorder.places


async def test_a_signal_that_came_first_is_taken_without_a_hint(desk):
    process = await desk.runner.create(Listening)
    ids = await desk.ask(process, SignalRequest(name="news", payload="last"), hint=False)
    desk.store.orders = None  # who waits for a signal looks for nothing else
    await process
    assert process.heard == ["last"]
    assert await desk.outcomes(ids) == [YES]


async def test_a_signal_that_nobody_waited_for_is_refused_with_the_end(desk):
    process = await waiting(desk)
    ids = await desk.ask(process, SignalRequest(name="other"), SignalRequest(name="news", payload="last"))
    await process
    assert await desk.settled(ids) == [NO, YES]
    assert await desk.refusals(ids) == ["the process is finished", None]


async def test_a_kill_comes_before_a_signal_that_was_not_taken(desk):
    process = await waiting(desk)
    await process.pause()
    ids = await desk.ask(process, SignalRequest(name="news", payload="last"))
    await settle(20)
    assert await desk.outcomes(ids) == [LATER]
    await process.kill()
    assert await desk.settled(ids) == [NO]


# --- how it is learnt ----------------------------------------------------------------------------------------


async def test_without_a_hint_orders_are_found_by_looking():
    desk = Desk(poll=QUICKLY)
    async with desk.runner:
        process = await waiting(desk)
        ids = await desk.ask(process, SignalRequest(name="news", payload=1), PAUSE, hint=False)
        assert await desk.settled(ids[1:]) == [YES]
        await desk.settled(await desk.ask(process, PLAY, SignalRequest(name="news", payload="last"), hint=False))
        await process
        assert process.heard == [1, "last"]


async def test_without_looking_and_without_a_hint_nothing_happens(desk):
    process = await waiting(desk)
    ids = await desk.ask(process, PAUSE, hint=False)
    await settle(100)
    assert await desk.outcomes(ids) == [LATER]


async def test_a_hint_may_come_from_any_thread(desk):
    process = await waiting(desk)
    ids = await desk.ask(process, PAUSE, hint=False)
    thread = threading.Thread(target=desk.runner.attend, args=[process.pid])
    thread.start()
    thread.join()
    assert await desk.settled(ids) == [YES]


async def test_a_hint_of_a_process_that_is_not_here_does_nothing(desk):
    desk.runner.attend("nobody")
    await settle(20)


async def test_the_store_is_not_asked_when_nothing_is_held():
    desk = Desk(poll=QUICKLY)
    asked = []
    desk.store.asked = asked.append
    async with desk.runner:
        await asyncio.sleep(5 * QUICKLY)
    assert not asked


async def test_a_store_that_cannot_be_read_is_asked_again(caplog):
    desk = Desk(poll=QUICKLY)
    async with desk.runner:
        process = await waiting(desk)
        await desk.store.close()
        await asyncio.sleep(5 * QUICKLY)
        await desk.store.open()
        ids = await desk.ask(process, PAUSE, hint=False)
        assert await desk.settled(ids) == [YES]
    assert "could not be read" in caplog.text


async def test_what_was_taken_up_is_not_looked_at_again():
    desk = Desk(poll=QUICKLY)
    looked = []
    orders = desk.store.orders
    desk.store.orders = lambda pid: looked.append(pid) or orders(pid)
    async with desk.runner:
        process = await inside(desk)
        await desk.ask(process, PAUSE, SignalRequest(name="other"))
        await asyncio.sleep(5 * QUICKLY)
        assert len(looked) == 1


async def test_an_order_to_a_process_that_was_given_up_hides_no_other():
    desk = Desk(poll=QUICKLY)
    async with desk.runner:
        lost, process = await waiting(desk), await waiting(desk)
        lost._life.abandon(StoreUnavailableError("for a while"))
        ids = await desk.ask(lost, PAUSE, hint=False) + await desk.ask(process, PAUSE, hint=False)
        assert await desk.settled(ids[1:]) == [YES]
        assert await desk.outcomes(ids) == [LATER, YES]


async def test_nothing_fails_for_good(caplog):
    desk = Desk(poll=QUICKLY)
    held = desk.store.held
    async with desk.runner:
        process = await waiting(desk)
        desk.store.held = None
        await asyncio.sleep(5 * QUICKLY)
        desk.store.held = held
        await overrule(desk, process)
        with pytest.raises(KilledError):
            await process.future()
    assert "looking for orders" in caplog.text


async def test_who_has_left_looks_no_more(caplog):
    desk = Desk(poll=QUICKLY)
    before = asyncio.all_tasks()
    async with desk.runner:
        process = await waiting(desk)
        await desk.ask(process, SignalRequest(name="news"))
    desk.runner.attend(process.pid)
    await settle()
    assert asyncio.all_tasks() == before
    assert not caplog.text


async def test_orders_to_a_process_of_another_owner_are_left_alone(desk):
    async with desk.another(poll=QUICKLY) as other:
        process = await other.launch(Listening)
        await reached(process, State.WAITING)
        await desk.store.ask([order := desk.order(process, PAUSE)])
        desk.runner.attend(process.pid)
        assert await desk.settled([order.id]) == [YES]
        assert process.paused


# --- whoever holds it next -----------------------------------------------------------------------------------


async def test_an_order_that_nobody_took_up_is_carried_out_before_the_first_step():
    desk = Desk()
    async with desk.runner:
        process = await desk.runner.create(type("Gated", (Stepping,), {"gate": Gate()}))
    gate = process.gate
    runner = desk.another()
    desk.runner, desk.store = runner, runner.store
    async with runner:
        ids = await desk.ask(process, PAUSE, hint=False)
        runner._recovery._registry = Only(type(process))
        again = await runner.resume(process.pid)
        assert again.paused
        assert await desk.outcomes(ids) == [YES]
        assert not gate.reached.is_set()


class Only:
    """A registry of one class."""

    def __init__(self, process_class):
        self._class = process_class

    def find(self, kind):
        return self._class


async def test_what_was_kept_for_the_end_of_a_step_is_left_to_the_next_owner():
    desk = Desk()
    async with desk.runner:
        process = await inside(desk)
        ids = await desk.ask(process, PAUSE)
        await settle(50)
    runner = desk.another(registry=Only(type(process)))
    async with runner:
        desk.store = runner.store
        assert await desk.outcomes(ids) == [LATER]
        again = await runner.resume(process.pid)
        assert await desk.outcomes(ids) == [YES]
        assert (again.paused, again.count) == (True, 0)


async def test_what_was_kept_for_the_end_of_a_step_happens_when_the_step_is_given_up(desk):
    process = await inside(desk)
    ids = await desk.ask(process, PAUSE)
    await settle(50)
    process._life.task.cancel()
    assert await desk.settled(ids) == [YES]
    assert (process.paused, process.count) == (True, 0)
    process.gate.open.set()
    await process.play()
    await process
    assert process.count == 1


# --- overruled -----------------------------------------------------------------------------------------------


async def overrule(desk, process, state=State.KILLED, reason="by the operator"):
    """What a controller does to a process that somebody else holds, by force."""
    row = await desk.store.record(process.pid)
    last = Snapshot.decode((await desk.store.checkpoint(process.pid)).body)
    await desk.store.overrule(
        Change(
            pid=row.pid,
            epoch=row.epoch,
            seq=row.seq + 1,
            at=desk.clock.now(),
            was=row.state,
            state=state,
            body=last.encode(),
            event="killed" if state in TERMINAL else "paused",
            detail=reason,
            paused=state not in TERMINAL,
        ),
        force=True,
    )
    return row.seq + 1


async def test_a_step_of_a_process_that_was_killed_by_force_is_cancelled(desk):
    process = await inside(desk)
    waiter = asyncio.get_running_loop().create_task(process.wait())
    seq = await overrule(desk, process)
    desk.runner.attend(process.pid)
    with pytest.raises(KilledError, match="killed by force: by the operator"):
        await waiter
    with pytest.raises(KilledError, match="by force"):
        await process
    assert (await desk.store.record(process.pid)).seq == seq
    assert desk.runner.living() == []


async def test_it_is_noticed_without_a_hint():
    desk = Desk(poll=QUICKLY)
    async with desk.runner:
        stepping, resting = await inside(desk), await waiting(desk)
        for process in (stepping, resting):
            await overrule(desk, process, reason=None)
            with pytest.raises(KilledError, match=r"^killed by force$"):
                await process.future()


async def test_a_step_that_awaits_nothing_ends_unobserved(desk):
    process = await inside(desk)
    seq = await overrule(desk, process)
    process.gate.open.set()  # nobody was told: it goes on to its commit
    with pytest.raises(KilledError, match="by force: by the operator"):
        await process
    assert (await desk.store.record(process.pid)).seq == seq
    assert not process.killed()


async def test_who_takes_the_steps_is_not_cancelled_with_the_step(desk):
    process = await desk.runner.create(type("Gated", (Stepping,), {"gate": Gate()}))

    async def step_and_go_on():
        with pytest.raises(KilledError, match="by force"):
            await process.step_until_terminated()
        await asyncio.sleep(0)
        return asyncio.current_task().cancelling()

    task = asyncio.get_running_loop().create_task(step_and_go_on())
    await process.gate.reached.wait()
    await overrule(desk, process)
    desk.runner.attend(process.pid)
    assert await task == 0


async def test_a_step_that_does_not_let_itself_be_cancelled_writes_nothing(desk):
    class Stubborn(Stepping):
        gate = Gate()

        async def run(self):
            try:
                await self.gate.pass_through()
            except asyncio.CancelledError:
                return "in spite of it"

    process = await desk.runner.launch(Stubborn)
    await process.gate.reached.wait()
    seq = await overrule(desk, process)
    desk.runner.attend(process.pid)
    with pytest.raises(KilledError, match="by force"):
        await process.future()
    await until(lambda: process._life.driver is None)
    with pytest.raises(KilledError, match="by force"):
        await process.step()
    assert (await desk.store.record(process.pid)).seq == seq


async def test_a_cancellation_of_somebody_else_stays_one(desk):
    process = await inside(desk)
    await overrule(desk, process)
    process._life.task.cancel()
    process._life.evict(KilledError("by force"))
    with pytest.raises(asyncio.CancelledError):
        await process._life.task


async def test_it_is_noticed_when_an_answer_is_refused_by_the_store(desk):
    process = await waiting(desk)
    reads = Held(desk.store, "orders")
    await desk.ask(process, PLAY)
    await reads.reached.wait()
    await overrule(desk, process)
    reads.open.set()
    with pytest.raises(KilledError, match="by force"):
        await process.future()


async def test_a_process_that_was_taken_and_not_killed_is_fenced(desk):
    process = await waiting(desk)
    await overrule(desk, process, State.WAITING)
    desk.runner.attend(process.pid)
    with pytest.raises(FencedError, match="nobody"):
        await process.future()


async def test_a_parent_hears_that_its_child_was_killed_by_force(desk):
    children = []

    class Child(Stepping):
        gate = Gate()

    class Parent(Process):
        async def run(self):
            child = self.launch(Child)
            children.append(child)
            await child

    process = await desk.runner.launch(Parent)
    await Child.gate.reached.wait()
    await overrule(desk, children[0])
    desk.runner.attend(children[0].pid)
    with pytest.raises(KilledError, match="by force"):
        await process
    assert process.state is State.EXCEPTED


@pytest.mark.parametrize("named", [True, False])
async def test_what_was_asked_while_a_step_blocked_the_loop_is_heard_before_the_next_step(desk, named):
    taken = []

    class Blocking(Process):
        def run(self):
            elsewhere = desk.another().store

            async def ask():
                await elsewhere.open()
                await elsewhere.ask([desk.order(self, PAUSE)])
                await elsewhere.close()
                desk.runner.attend(self.pid if named else None)

            thread = threading.Thread(target=lambda: asyncio.run(ask()))
            thread.start()
            thread.join()
            return Continue(self.after)

        def after(self):
            taken.append("after")

    process = await desk.runner.launch(Blocking)
    await until(lambda: process.paused or process.state in TERMINAL)

    assert not taken
    process.play()
    await process
    assert taken == ["after"]

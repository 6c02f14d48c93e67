"""Control from anywhere: by the store alone, by messages alone, of what somebody holds and of what nobody does."""

import asyncio
import contextlib
from pathlib import Path

import msgspec
import pytest

from drupe import Continue, Process, State, ToContext, Wait, WorkChain, field
from drupe.core.message import PauseRequest, PlayRequest
from drupe.core.order import Order, Outcome
from drupe.core.record import Query
from drupe.errors import (
    DeadlineError,
    ExceptedError,
    KilledError,
    UnknownProcessError,
    UnsavableError,
)
from drupe.service.presence import Presence
from drupe.service.runner import Runner
from drupe.testing.host_case import settle
from tests.service.samples import Gate, reached, until
from tests.service.town import Town, a_place

PATIENCE = 20.0
YES, NO, LATER = Outcome.APPLIED, Outcome.REFUSED, Outcome.REQUESTED


class Listening(Process):
    """Writes down what it hears, until it hears the last."""

    heard = field(factory=list)

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("heard", valid_type=list)
        spec.output("about.count", valid_type=int)

    def run(self):
        return Wait(self.hear, "for news", signal="news")

    def hear(self, payload):
        self.heard = [*self.heard, payload]
        if payload == "fail":
            raise LookupError("as ordered")
        if payload != "last":
            return Wait(self.hear, "for more news", signal="news")
        self.out("heard", self.heard)
        self.out("about.count", len(self.heard))
        return None


class Stepping(Process):
    """Its first step waits at a gate."""

    async def run(self):
        await self.gate.pass_through()
        return Continue(self.after)

    def after(self):
        return None


@pytest.fixture(params=["memory", "file"])
def place(request, tmp_path):
    return a_place(request.param, tmp_path)


@pytest.fixture(params=["polling", "messages", "both"])
async def town(place, request):
    town = Town(place, messages=request.param != "polling", polls=request.param != "messages")
    async with town.stack:
        yield town


@pytest.fixture
async def runner(town):
    return await town.runner()


@pytest.fixture
async def controller(town):
    return await town.controller()


async def waiting(runner, process_class=Listening):
    process = await runner.launch(process_class)
    await reached(process, State.WAITING)
    return process


async def inside(runner):
    process = await runner.launch(type("Gated", (Stepping,), {"gate": Gate()}))
    await process.gate.reached.wait()
    return process


async def final(handle):
    return (await handle.settled(deadline=PATIENCE)).outcome


# --- what somebody holds ---------------------------------------------------------------------------------------------


async def test_a_process_is_paused_played_and_killed(runner, controller):
    process = await waiting(runner)
    assert await final(await controller.pause(process.pid, "for tea")) is YES
    await settle()
    assert (process.paused, process.status) == (True, "for tea")
    assert await final(await controller.play(process.pid)) is YES
    await settle()
    assert not process.paused
    assert await final(await controller.kill(process.pid, "enough")) is YES
    with pytest.raises(KilledError, match="enough"):
        await process
    with pytest.raises(KilledError, match="enough"):
        await controller.wait(process.pid, deadline=PATIENCE)


async def test_what_is_asked_inside_a_step_is_requested_and_then_applied(runner, controller):
    process = await inside(runner)
    handle = await controller.pause(process.pid)
    assert handle.receipt.outcome is LATER
    with pytest.raises(DeadlineError, match="the pause of process"):
        await handle.settled(deadline=0.05)
    process.gate.open.set()
    assert await final(handle) is YES


async def test_a_refusal_says_why(runner, controller):
    process = await inside(runner)
    pause = await controller.pause(process.pid)
    await controller.play(process.pid)
    receipt = await pause.settled(deadline=PATIENCE)
    assert (receipt.outcome, receipt.detail) == (NO, "a play took it back")
    process.gate.open.set()
    await process
    late = await controller.pause(process.pid)
    assert (late.receipt.outcome, late.receipt.detail) == (NO, "the process is finished")
    assert await late.settled() is late.receipt


async def test_signals_are_taken_in_their_order_and_the_outputs_can_be_waited_for(runner, controller):
    process = await waiting(runner)
    handles = [await controller.signal(process.pid, "news", word) for word in ("one", {"two": [2]}, "last")]
    outputs = await controller.wait(process.pid, deadline=PATIENCE)
    assert outputs == {"heard": ["one", {"two": [2]}, "last"], "about": {"count": 3}}
    assert outputs.about.count == 3
    assert [await final(handle) for handle in handles] == [YES] * 3


async def test_who_waits_gets_the_exception(runner, controller):
    process = await waiting(runner)
    await controller.signal(process.pid, "news", "fail")
    with pytest.raises(ExceptedError, match="as ordered"):
        await controller.wait(process.pid, deadline=PATIENCE)


async def test_asking_again_with_the_same_id_is_asking_once(runner, controller):
    process = await waiting(runner)
    for _ in range(3):
        handle = await controller.signal(process.pid, "news", 1, id="one")
    assert await final(handle) is YES
    await until(lambda: process.heard)  # its step comes after the answer
    await settle()
    assert process.heard == [1]


async def test_a_kill_by_force_waits_for_no_step(runner, controller):
    process = await inside(runner)
    handle = await controller.kill(process.pid, "at once", force=True)
    assert handle.receipt.outcome is YES
    with pytest.raises(KilledError, match="killed by force: at once"):
        await process
    with pytest.raises(KilledError, match="at once"):
        await controller.wait(process.pid, deadline=PATIENCE)
    assert (await controller.kill(process.pid, force=True)).receipt.outcome is YES


# --- what nobody holds -----------------------------------------------------------------------------------------------


@pytest.fixture
async def parked(town):
    """A process that waits in the store alone."""
    async with Runner(town.place(clock=town.clock), poll=None, clock=town.clock) as runner:
        return (await waiting(runner)).pid


async def test_what_nobody_holds_is_paused_and_played_at_once(town, controller, parked):
    store = await town.store()
    assert (await controller.pause(parked, "for tea")).receipt.outcome is YES
    row = await store.record(parked)
    assert (row.paused, row.status, row.state, row.owner) == (True, "for tea", State.WAITING, None)
    assert (await controller.pause(parked, "again")).receipt.outcome is YES
    assert (await store.record(parked)).seq == row.seq
    runner = await town.runner()
    again = await runner.resume(parked)
    assert again.paused
    assert await final(await controller.play(parked)) is YES
    assert await final(await controller.signal(parked, "news", "last")) is YES
    await again


async def test_what_nobody_holds_is_played_at_once_and_shows_its_status_again(town, controller, parked):
    store = await town.store()
    assert (await controller.play(parked)).receipt.outcome is YES
    before = (await store.record(parked)).status
    await controller.pause(parked, "for tea")
    assert (await controller.play(parked)).receipt.outcome is YES
    row = await store.record(parked)
    assert (row.paused, row.status) == (False, before)
    assert [event.event for event in await store.history(parked)][-2:] == ["paused", "played"]
    again = await (await town.runner()).resume(parked)
    await controller.signal(parked, "news", "last")
    await again


async def test_what_nobody_holds_is_killed_at_once_without_its_class(town, controller, parked):
    assert (await controller.kill(parked, "nobody wants it")).receipt.outcome is YES
    with pytest.raises(KilledError, match="nobody wants it"):
        await controller.wait(parked, deadline=PATIENCE)
    found = await (await town.runner()).load(parked)
    assert (found.state, found.killed_msg()) == (State.KILLED, "nobody wants it")


async def test_a_signal_to_what_nobody_holds_lies_until_somebody_does(town, controller, parked):
    handle = await controller.signal(parked, "news", "last")
    assert handle.receipt.outcome is LATER
    again = await (await town.runner()).resume(parked)
    await again
    assert await final(handle) is YES
    assert again.heard == ["last"]


async def test_orders_that_lie_there_are_carried_out_before_the_new_one(town, controller, parked):
    store = await town.store()
    await store.ask(
        [
            controller._ordering._order(parked, request, None)
            for request in (PauseRequest(), PlayRequest(), PauseRequest())
        ]
    )
    assert (await controller.play(parked)).receipt.outcome is YES
    assert [event.event for event in await store.history(parked)][3:] == ["paused", "played"] * 2


async def test_an_order_that_cannot_be_read_is_refused(town, controller, parked):
    store = await town.store()
    await store.ask([Order(id="broken", pid=parked, verb="pause", body=b"\xc1", at=1.0)])
    assert (await controller.pause(parked)).receipt.outcome is YES
    assert (await store.receipt("broken")).outcome is NO


class Graveyard(Presence):
    """Knows who is dead because it was told."""

    def __init__(self):
        super().__init__(Path())
        self.dead = set()

    def announce(self, owner):
        """Nothing to show."""

    def withdraw(self, owner):
        """Nothing was shown."""

    def is_dead(self, owner):
        return owner in self.dead


async def test_what_a_dead_owner_holds_is_changed_at_once(town, runner):
    graveyard = Graveyard()
    controller = await town.controller(presence=graveyard)
    process = await waiting(runner)
    graveyard.dead.add(runner.owner)
    assert (await controller.kill(process.pid)).receipt.outcome is YES


async def test_workers_are_to_go_on_with_what_a_dead_owner_holds_if_one_or_all_get_a_signal(town, runner, monkeypatch):
    graveyard = Graveyard()
    controller = await town.controller(presence=graveyard)
    process = await waiting(runner)
    told = []
    monkeypatch.setattr(controller._ordering._telling, "go_on", told.extend)
    for dead in (False, True):
        graveyard.dead.update([runner.owner] if dead else [])
        await controller.signal(process.pid, "other")
        await controller.signal_all("other")
    owners = [(row.pid, row.owner) for row in told]
    assert owners == [(process.pid, runner.owner)] * 2 + [(process.pid, None)] * 2


async def test_what_an_owner_holds_whose_lease_ran_out_is_changed_by_who_waits(place):
    town = Town(place, messages=False, polls=True)
    async with town.stack:
        runner = Runner(town.place(clock=town.clock), poll=None, clock=town.clock)
        await town.stack.enter_async_context(runner)
        controller = await town.controller()
        process = await waiting(runner)
        handle = await controller.pause(process.pid)
        assert handle.receipt.outcome is LATER
        town.clock.advance(100)
        assert await final(handle) is YES


# --- many ------------------------------------------------------------------------------------------------------------


async def test_all_that_match_are_asked_whoever_holds_them(town, runner, controller, parked):
    held = [await waiting(runner) for _ in range(3)]
    ended = await runner.launch(Listening)
    await ended.kill()
    handles = await controller.pause_all(Query(limit=2), "for the night")
    assert {handle.receipt.pid for handle in handles} == {parked, *(process.pid for process in held)}
    assert [await final(handle) for handle in handles] == [YES] * 4
    assert [await final(handle) for handle in await controller.play_all()] == [YES] * 4
    assert await controller.kill_all(Query(states=(State.FINISHED,))) == []
    killed = await controller.kill_all(Query(states=(State.WAITING,)), "over")
    assert [await final(handle) for handle in killed] == [YES] * 4
    with pytest.raises(KilledError, match="over"):
        await held[0]


async def test_all_that_match_get_a_signal_whoever_holds_them(runner, controller, parked):
    held = await waiting(runner)
    handles = await controller.signal_all("news", "last", Query(limit=1))
    assert {handle.receipt.pid for handle in handles} == {parked, held.pid}
    assert (await held)["heard"] == ["last"]
    await runner.resume(parked)
    assert (await controller.wait(parked, deadline=PATIENCE))["heard"] == ["last"]


class Parent(WorkChain):
    """Waits for a child, which waits for news."""

    children: list

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.begin, cls.end)

    def begin(self):
        self.children.append(self.launch(Listening))
        return ToContext(child=self.children[-1])

    def end(self):
        pass


async def test_descendants_are_asked_too(runner, controller):
    process = await waiting(runner, type("Father", (Parent,), {"children": []}))
    (child,) = process.children
    await reached(child, State.WAITING)
    for verb, paused in ((controller.pause, True), (controller.play, False)):
        handle = await verb(process.pid, cascade=True, deadline=PATIENCE)
        assert [below.receipt.pid for below in handle.below] == [child.pid]
        assert [await final(one) for one in (handle, *handle.below)] == [YES, YES]
        await settle()
        assert (process.paused, child.paused) == (paused, paused)
    handle = await controller.kill(process.pid, "all of you", cascade=True, deadline=PATIENCE)
    assert [await final(one) for one in (handle, *handle.below)] == [YES, YES]
    await settle()
    assert (process.state, child.state) == (State.KILLED, State.KILLED)


# --- looking ---------------------------------------------------------------------------------------------------------


async def test_the_status_comes_from_the_store_and_from_the_owner(town, runner, controller):
    process = await waiting(runner)
    status = await controller.status(process.pid)
    assert (status.pid, status.state, status.step, status.owner) == (
        process.pid,
        State.WAITING,
        "for news",
        runner.owner,
    )
    assert status.answered is town.messages


async def test_an_owner_that_does_not_answer_is_not_waited_for_for_long(town, runner, controller):
    if not town.messages:
        return

    async def silent(_):
        await asyncio.sleep(PATIENCE)

    process = await waiting(runner)
    await town.stack.enter_async_context(contextlib.AsyncExitStack())
    other = await town.communicator()
    await other.subscribe_rpc(silent, "silent")
    store = controller._store
    record = store.record

    async def held_by_silent(pid):
        return msgspec.structs.replace(await record(pid), owner="silent")

    store.record = held_by_silent
    status = await controller.status(process.pid, deadline=0.05)
    assert (status.state, status.answered) == (State.WAITING, False)


async def test_what_is_not_there_is_said_by_name(controller):
    for call in (
        controller.pause("nobody"),
        controller.kill("nobody", force=True),
        controller.signal("nobody", "news"),
        controller.status("nobody"),
        controller.wait("nobody"),
    ):
        with pytest.raises(UnknownProcessError, match="nobody"):
            await call


async def test_what_cannot_be_sent_is_refused_before_anything_is(runner, controller):
    process = await waiting(runner)
    with pytest.raises(UnsavableError, match="payload"):
        await controller.signal(process.pid, "news", object())
    assert (await controller.status(process.pid)).orders == 0


async def test_no_call_lasts_longer_than_its_deadline(runner, controller):
    process = await inside(runner)
    store = controller._store

    async def never(*_):
        await asyncio.Event().wait()

    for call in ("wait", "status", "pause", "signal"):
        if call == "status":
            store.record = store.ask = never
        arguments = ("news",) if call == "signal" else ()
        with pytest.raises(DeadlineError, match=process.pid):
            await getattr(controller, call)(process.pid, *arguments, deadline=0.02)
    process.gate.open.set()


@pytest.mark.parametrize("force", [True, False])
async def test_what_a_controller_changes_itself_is_told_to_everybody(town, controller, force):
    if not town.messages:
        return
    heard = []
    await (await town.communicator()).subscribe_broadcast(
        lambda broadcast: heard.append((broadcast.sender, broadcast.subject, broadcast.body["paused"]))
    )
    async with Runner(town.place(clock=town.clock)) as runner:
        process = await runner.create(Listening)

    if force:
        await controller.kill(process.pid, force=True)
        told = [(process.pid, "state_changed.created.killed", False)]
    else:
        await controller.pause(process.pid)
        await controller.play(process.pid)
        told = [
            (process.pid, "state_changed.created.created", True),
            (process.pid, "state_changed.created.created", False),
        ]
    await until(lambda: len(heard) >= len(told))

    assert heard == told

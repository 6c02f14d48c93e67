"""A real process under any order of verbs, resumes, steps, cancellations and crashes, against what a person would say."""

import asyncio
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from drupe import Continue, Process, State, Stop, Wait, field
from drupe.engine.action import ControlAction
from drupe.errors import InvalidStateError
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.testing.host_case import EphemeralBench, StoredBench, background, settle

TURNS = 60  # of the loop: more than any one request needs


class Driven(RuleBasedStateMachine):
    """The process is always being run: unless it is paused, waits or is dead, it is inside a step, which obeys orders."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.paused = self.waiting = self.resumed = False
        self.dead = None
        self.wanted = None
        self.ended = 0  # steps that came to their end
        self.action = None
        self.seq = 0

    def make_bench(self):
        return EphemeralBench()

    @initialize()
    def create(self):
        machine = self

        class Obeying(Process):
            count: int = field(0)

            async def run(self, *values):
                machine.entered += 1
                machine.values = values
                self.count += 1
                order = await machine.orders.get()
                match order:
                    case "go on":
                        return Continue(self.run)
                    case "wait":
                        return Wait(self.run)
                    case "finish":
                        return Stop(self.count)
                raise LookupError("as ordered")

        async def begin():
            self.orders = asyncio.Queue()
            self.bench = self.make_bench()
            if self.bench.durable:
                await self.bench.__aenter__()
            self.entered, self.values = 0, ()
            self.process = await self.bench.create(Obeying)
            self.task = background(self.process)
            await settle(TURNS)

        self.runner.run(begin())

    def teardown(self):
        if hasattr(self, "bench") and self.bench.durable:
            self.runner.run(self.bench.__aexit__(None, None, None))
        self.runner.close()

    @property
    def stepping(self):
        return not (self.paused or self.waiting or self.dead)

    def do(self, function):
        """Call something on the loop, and let everything settle."""

        async def call():
            found = function()
            await settle(TURNS)
            return found

        return self.runner.run(call())

    def ask(self, verb):
        """Get what a verb is answered with: True, False, or None for later."""
        answer = self.do(getattr(self.process, verb))
        if not isinstance(answer, ControlAction):
            return answer
        if answer.done():
            return answer.result()
        self.action = answer
        return None

    # --- verbs ---------------------------------------------------------------------------------------------------

    @rule()
    def pause(self):
        answer = self.ask("pause")
        if self.dead or self.wanted == "kill":
            assert answer is False
        elif self.stepping:
            assert answer is None
            self.wanted = "pause"
        else:
            assert answer is True
            self.paused = True

    @rule()
    def play(self):
        entered = self.entered
        answer = self.ask("play")
        if self.dead or self.wanted == "kill":
            assert answer is False
            return
        assert answer is True
        self.wanted = None
        if self.paused:
            self.paused = False
            if self.resumed:
                self.waiting = self.resumed = False
            assert self.entered == entered + (not self.waiting)

    @rule()
    def kill(self):
        answer = self.ask("kill")
        if self.dead:
            assert answer is (self.dead is State.KILLED)
        elif self.stepping:
            assert answer is None
            self.wanted = "kill"
        else:
            assert answer is True
            self.die(State.KILLED)

    @rule(verb=st.sampled_from(["pause", "play", "kill"]))
    def ask_twice(self, verb):
        getattr(self, verb)()
        entered, posture = self.entered, self.process._life.posture
        getattr(self, verb)()
        assert (self.entered, self.process._life.posture) == (entered, posture)

    @precondition(lambda self: self.action is not None)
    @rule()
    def take_back(self):
        action = self.action
        taken = self.do(action.cancel)
        assert taken is (self.wanted is not None)
        self.wanted = None

    @rule(value=st.integers())
    def resume(self, value):
        if not self.waiting:
            with pytest.raises(InvalidStateError):
                self.do(lambda: self.process.resume(value))
            return
        again = self.resumed
        self.do(lambda: self.process.resume(value))
        if self.paused:
            self.resumed = True
        else:
            self.waiting = False
            assert again or self.values == (value,)

    # --- steps ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.stepping)
    @rule(order=st.sampled_from(["go on", "go on", "wait", "wait", "finish", "fail"]))
    def end_step(self, order):
        entered = self.entered
        self.do(lambda: self.orders.put_nowait(order))
        self.ended += 1
        wanted, self.wanted = self.wanted, None
        if order == "fail":
            self.die(State.EXCEPTED)
        elif wanted == "kill":
            self.die(State.KILLED)
        elif order == "finish":
            self.die(State.FINISHED)
        else:
            self.waiting = order == "wait"
            self.paused = wanted == "pause"
        assert self.entered == entered + self.stepping
        if self.action is not None:
            expected = {"kill": self.dead is State.KILLED, "pause": self.paused}.get(wanted)
            assert wanted is None or self.action.result() is expected
            self.action = None

    def die(self, state):
        self.dead = state
        self.paused = self.waiting = self.resumed = False

    @precondition(lambda self: not self.dead)
    @rule()
    def cancel_the_stepping(self):
        entered, stepping = self.entered, self.stepping

        async def cancel():
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            await settle(TURNS)
            self.task = background(self.process)
            await settle(TURNS)

        self.runner.run(cancel())
        self.forget_what_was_wanted()
        assert self.entered == entered + stepping

    def forget_what_was_wanted(self):
        if self.action is not None and self.wanted is not None:
            assert self.action.result() is False
        self.wanted = self.action = None

    # --- what a person sees --------------------------------------------------------------------------------------

    @invariant()
    def it_is_as_a_person_would_say(self):
        if not hasattr(self, "process"):
            return
        process = self.process
        assert process.paused is self.paused
        assert process.has_terminated() is (self.dead is not None)
        assert process.state is (
            self.dead or (State.WAITING if self.waiting else State.RUNNING if self.entered else process.state)
        )
        if self.bench.durable:
            assert process.count == self.ended + self.stepping  # a step that was given up left nothing behind


class Stored(Driven):
    """The same in a store, where the interpreter may end at any time."""

    def make_bench(self):
        return StoredBench(partial(MemoryStore, MemoryState()))

    @precondition(lambda self: not self.dead)
    @rule()
    def crash(self):
        entered, stepping = self.entered, self.stepping

        async def resume():
            process = self.process
            self.process = await self.bench.resumed(process)
            self.task = self.process._life.task
            await settle(TURNS)

        self.runner.run(resume())
        self.forget_what_was_wanted()
        self.resumed = False
        assert self.entered == entered + stepping

    @invariant()
    def the_store_says_the_same_and_its_numbers_never_go_back(self):
        if not hasattr(self, "process"):
            return
        row = self.runner.run(self.bench.runner.store.record(self.process.pid))
        assert row.seq >= self.seq
        assert (row.state, row.paused) == (self.process.state, self.paused)
        self.seq = row.seq


@pytest.mark.slow
@pytest.mark.parametrize("machine", [Driven, Stored])
def test_any_order_of_events(machine):
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=25, deadline=None))

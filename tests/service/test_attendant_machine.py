"""Orders in any order, against what a person would say: the same machine as for verbs, steered through the store."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from drupe import State
from drupe.core.asking import order_of
from drupe.core.message import KillRequest, PauseRequest, PlayRequest
from drupe.core.order import Outcome
from drupe.testing.clock import SequentialIds
from drupe.testing.host_case import background, settle
from tests.engine.test_machine import TURNS, Stored

REQUESTS = {"pause": PauseRequest(), "play": PlayRequest(), "kill": KillRequest()}
SAYS = {Outcome.APPLIED: True, Outcome.REFUSED: False, Outcome.REQUESTED: None}


class Waited:
    """An order that was kept until the step ends, as the machine looks at an action."""

    def __init__(self, machine, id):
        self._machine = machine
        self._id = id

    def result(self):
        answer = self._machine.answer_to(self._id)
        assert answer is not None, "the step has ended, and the order is not answered"
        return answer


class Ordered(Stored):
    """Every verb is an order in the store; its receipt is the answer."""

    def __init__(self):
        super().__init__()
        self.ids = SequentialIds(10_000)
        self.asked = []

    def answer_to(self, id):
        return SAYS[self.runner.run(self.bench.runner.store.receipt(id)).outcome]

    def ask(self, verb):
        id = self.ids.pid()
        order = order_of(REQUESTS[verb], id=id, pid=self.process.pid, at=0.0)

        async def write_and_tell():
            await self.bench.runner.store.ask([order])
            self.bench.runner.attend(self.process.pid)
            await settle(TURNS)

        self.runner.run(write_and_tell())
        self.asked.append(id)
        answer = self.answer_to(id)
        if answer is None:
            self.action = Waited(self, id)
        return answer

    @precondition(lambda self: False)
    @rule()
    def take_back(self):
        """An order cannot be taken back; a play does that."""

    # --- what was kept outlives the step, and the interpreter ------------------------------------------------------

    @precondition(lambda self: not self.dead)
    @rule()
    def cancel_the_stepping(self):
        entered = self.entered

        async def cancel():
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            await settle(TURNS)
            if not self.process.has_terminated():
                self.task = background(self.process)
            await settle(TURNS)

        self.runner.run(cancel())
        self.it_happens_now()
        assert self.entered == entered + self.stepping

    @precondition(lambda self: not self.dead)
    @rule()
    def crash(self):
        entered = self.entered

        async def resume():
            self.process = await self.bench.resumed(self.process)
            self.task = self.process._life.task
            await settle(TURNS)

        self.runner.run(resume())
        self.resumed = False
        self.it_happens_now()
        assert self.entered == entered + self.stepping

    def it_happens_now(self):
        wanted, self.wanted = self.wanted, None
        if wanted == "kill":
            self.die(State.KILLED)
        elif wanted == "pause":
            self.paused = True
        if self.action is not None and wanted is not None:
            assert self.action.result() is True
        self.action = None

    @rule(verbs=st.lists(st.sampled_from(["pause", "play", "kill"]), min_size=2, max_size=4))
    def ask_at_once(self, verbs):
        """Several orders before anybody looks: as if each had been looked at by itself."""
        model = self.expected(verbs)
        orders = [order_of(REQUESTS[verb], id=self.ids.pid(), pid=self.process.pid, at=0.0) for verb in verbs]

        async def write_and_tell():
            await self.bench.runner.store.ask(orders)
            self.bench.runner.attend(self.process.pid)
            await settle(4 * TURNS)

        entered = self.entered
        self.runner.run(write_and_tell())
        self.asked += [order.id for order in orders]
        assert [self.answer_to(order.id) for order in orders] == model
        for order, answer in zip(orders, model, strict=True):
            if answer is None:
                self.action = Waited(self, order.id)
        assert self.entered >= entered

    def expected(self, verbs):
        """Say what each of the verbs comes to once all were asked, and take the machine there."""
        answers = []
        for verb in verbs:
            answer, takes_back = self.expect(verb)
            if takes_back:
                answers = [bool(before) for before in answers]
            answers.append(answer)
        return answers

    def expect(self, verb):
        """Say what one verb comes to, and whether what was kept for the end of the step is taken back by it."""
        if self.dead:
            return verb == "kill" and self.dead is State.KILLED, False
        if self.wanted == "kill":
            return (None if verb == "kill" else False), False
        if verb == "play":
            self.wanted = None
            if self.paused:
                self.paused = False
                self.waiting, self.resumed = self.waiting and not self.resumed, False
            return True, True
        if self.stepping:
            self.wanted = verb
            return None, verb == "kill"
        if verb == "kill":
            self.die(State.KILLED)
        else:
            self.paused = True
        return True, False

    # --- what a person sees ----------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_left_unanswered_at_the_end(self):
        if self.dead:
            assert None not in [self.answer_to(id) for id in self.asked]


@pytest.mark.untraced
@pytest.mark.slow
def test_any_order_of_orders():
    run_state_machine_as_test(Ordered, settings=settings(max_examples=60, stateful_step_count=25, deadline=None))

"""Random workflows, crashed at random places, in random order of what goes on at once: always the undisturbed end."""

import asyncio
import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from drupe.core.command import Wait
from drupe.core.lifecycle import State
from drupe.core.outline import if_, while_
from drupe.engine.awaiting import Await
from drupe.engine.workchain import ToContext, WorkChain
from drupe.errors import ExceptedError
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.testing.clock import ManualClock
from drupe.testing.crash import World, begin, crashed, undisturbed
from drupe.testing.unsteady import UnsteadyStore
from tests.crash.journal import JOURNAL
from tests.crash.workflows import step


class Errand(WorkChain):
    """Does what its inputs say: a list of what to do, each with the errands of its children."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("plan", valid_type=list)
        spec.output("sum", valid_type=int)
        spec.outline(
            cls.set_out,
            while_(cls.has_more)(if_(cls.is_plain)(cls.act).else_(cls.act_later), cls.add_up),
            cls.tell,
        )

    @step
    def set_out(self):
        self.ctx.at, self.ctx.sum, self.ctx.children = 0, 1, []

    def has_more(self):
        return self.ctx.at < len(self.inputs.plan)

    def is_plain(self):
        return self.inputs.plan[self.ctx.at][0] in ("add", "nest", "leave", "wait", "hand", "fail")

    def take(self):
        verb, plans = self.inputs.plan[self.ctx.at]
        self.ctx.at += 1
        return verb, plans

    @step
    def act(self):
        verb, plans = self.take()
        if verb == "nest":
            for plan in plans:
                self.ctx.sum += Errand({"plan": plan}).execute().sum
        elif verb == "leave":
            for plan in plans:
                self.submit(Errand, plan=plan)
        elif verb == "hand":
            return ToContext(children=[self.submit(Errand, plan=plan, key=str(at)) for at, plan in enumerate(plans)])
        elif verb == "wait":
            return Wait(self.woken, "to be woken")
        elif verb == "fail":
            raise ValueError("as planned")
        return None

    @step
    def woken(self, value):
        self.ctx.sum += value

    @step
    async def act_later(self):
        verb, plans = self.take()
        if verb == "gather":
            found = await asyncio.gather(*(self.submit(Errand, plan=plan) for plan in plans))
        elif verb == "forgive":
            found = []
            for plan in plans:
                with contextlib.suppress(ExceptedError):
                    found.append(await self.submit(Errand, plan=plan))
        else:
            found = [await self.submit(Errand, plan=plan) for plan in plans]
        self.ctx.sum += sum(child.sum for child in found)

    @step
    def add_up(self):
        self.ctx.sum += sum(child.sum for child in self.ctx.children)
        self.ctx.children = []

    @step
    def tell(self):
        self.out("sum", self.ctx.sum)


VERBS = ("add", "nest", "leave", "wait", "hand", "await", "gather", "forgive", "fail")


def plans(depth=2):
    below = st.just([]) if depth == 0 else st.lists(plans(depth - 1), max_size=2)
    # Mostly what goes on: a plan that fails at once tells little.
    verbs = st.sampled_from(VERBS) if depth < 2 else st.sampled_from(VERBS[:-1])
    return st.lists(st.tuples(verbs, below).map(list), max_size=3)


async def wake_all(runner):
    while True:
        for process in runner.living():
            if process.state is State.WAITING and not isinstance(process.stage.command, Await):
                process.resume(1)
        await asyncio.sleep(0)


def play_of(plan):
    async def play(runner):
        await JOURNAL.interpreter(runner.store)
        waking = asyncio.create_task(wake_all(runner))
        process = await begin(runner, Errand, {"plan": plan}, pid="root")
        with contextlib.suppress(ExceptedError, ValueError):
            await process
        await runner.drained()
        waking.cancel()

    return play


@settings(max_examples=120)
@given(plan=plans(), hits=st.lists(st.integers(1, 120), min_size=1, max_size=3), seed=st.integers(0, 2**16))
def test_a_random_workflow_crashed_at_random_places_ends_as_if_undisturbed(plan, hits, seed):
    JOURNAL.clear()
    play = play_of(plan)
    expected = undisturbed(World, play)
    steps = JOURNAL.starts()
    JOURNAL.clear()
    state, clock = MemoryState(), ManualClock()
    world = World(lambda probe: UnsteadyStore(MemoryStore(state, clock=clock, probe=probe), seed))
    crashed(world, play, hits)
    assert world.picture() == expected
    JOURNAL.check(steps)

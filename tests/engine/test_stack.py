"""`Process.current()` is right at every await, however processes interleave and nest, and keeps none of them alive."""

import asyncio
import gc
import sys
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe import Continue, Process, ProcessListener, ToContext, Wait, WorkChain, field
from drupe.engine import stack

# What a process does, one after the other; a plan in a plan is that of a process nested in it.
PLANS = st.recursive(
    st.lists(st.sampled_from(["yield", "step", "task", "call_soon"]), max_size=4),
    lambda below: st.lists(
        st.one_of(
            st.sampled_from(["yield", "step"]),
            st.tuples(st.sampled_from(["execute", "execute elsewhere", "await", "submit", "gather"]), below),
        ),
        max_size=4,
    ),
    max_leaves=12,
)


class Wanderer(Process):
    """Does what its plan says, and looks at each point whether it is the one that runs."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("plan", valid_type=list)

    async def run(self, at=0):
        for place, action in enumerate(self.inputs.plan[at:], at):
            self.look()
            if action == "step":
                return Continue(self.run, place + 1)
            await self.act(action)
            self.look()
        return "done"

    def look(self):
        assert Process.current() is self

    async def act(self, action):  # noqa: C901 (one line each)
        match action:
            case "yield":
                await asyncio.sleep(0)
            case "task":
                await asyncio.create_task(self.aside())
            case "call_soon":
                await self.call_soon(self.look)
            case ("execute", plan):
                Wanderer({"plan": plan}).execute()
            case ("execute elsewhere", plan):
                loop = asyncio.new_event_loop()
                try:
                    Wanderer({"plan": plan}, loop=loop).execute()
                finally:
                    loop.close()
            case ("await", plan):
                await Wanderer({"plan": plan})
            case ("submit", plan):
                await self.submit(Wanderer, plan=plan)
            case ("gather", plan):
                await asyncio.gather(*[self.submit(Wanderer, plan=plan) for _ in range(2)])

    async def aside(self):
        self.look()
        await asyncio.sleep(0)
        self.look()


@given(plans=st.lists(PLANS, min_size=1, max_size=6))
def test_current_is_right_at_every_await_in_any_interleaving(plans):
    async def main():
        processes = [Wanderer({"plan": plan}) for plan in plans]
        await asyncio.gather(*processes)
        assert Process.current() is None
        return [process.result() for process in processes]

    assert asyncio.run(main()) == ["done"] * len(plans)


async def test_many_processes_that_interleave_and_nest():
    plan = ["yield", ("execute", ["yield", "step", ("execute", ["yield"])]), "step", ("gather", ["yield"]), "yield"]
    processes = [Wanderer({"plan": plan}) for _ in range(100)]
    await asyncio.gather(*processes)
    assert {process.result() for process in processes} == {"done"}


def test_the_chain_of_nested_processes_is_known_innermost_first():
    class Outer(Process):
        def run(self):
            Inner().execute()

    class Inner(Process):
        def run(self):
            found.append([type(process).__name__ for process in stack.chain()])

    found = []
    Outer().execute()
    assert found == [["Inner", "Outer"]]
    assert stack.chain() == []


async def test_a_task_that_a_step_started_belongs_to_the_process_as_long_as_it_lives():
    found = []

    class Starting(Process):
        def run(self):
            tasks.append(asyncio.get_running_loop().create_task(later()))

    async def later():
        found.append(Process.current())
        await finished.wait()
        found.append(Process.current())

    tasks, finished = [], asyncio.Event()
    process = Starting()
    await process.step()
    await process.step()
    await asyncio.sleep(0)
    assert found == [process]
    del process
    found.clear()
    gc.collect()
    finished.set()
    await tasks[0]
    assert found == [None]


# --- nothing keeps a finished process alive ------------------------------------------------------------------


class Small(Process):
    seen: list = field(factory=list)

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("x")

    def run(self):
        self.seen.append(1)
        return Continue(self.end)

    async def end(self):
        await asyncio.sleep(0)
        self.out("x", 1)


class Resting(Process):
    def run(self):
        return Wait(self.wake)

    def wake(self):
        return None


class Failing(Process):
    def run(self):
        raise LookupError("lost")


class Leaving(Small):
    """Leaves a task behind that outlives it."""

    async def end(self):
        LEFT.append(asyncio.get_running_loop().create_task(asyncio.Event().wait()))
        self.out("x", 1)


class Family(WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.ask, cls.end)

    def ask(self):
        Small().execute()
        return ToContext(children=[self.submit(Small), self.submit(Small)])

    def end(self):
        return None


LEFT = []


@pytest.fixture
def no_collector():
    """Without the garbage collector: what is freed is freed at once."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("kind", [Small, Family])
def test_a_process_that_was_executed_is_freed_at_once(kind, no_collector):
    process = kind()
    process.execute()
    reference = weakref.ref(process)
    del process
    assert reference() is None


@pytest.mark.parametrize("kind", [Small, Leaving])
async def test_a_process_that_was_awaited_is_freed_at_once(kind, no_collector):
    process = kind()
    await process
    await asyncio.sleep(0)
    reference = weakref.ref(process)
    del process
    assert reference() is None
    while LEFT:
        LEFT.pop().cancel()


async def test_a_process_whose_task_goes_on_is_freed_at_once(no_collector):
    process = Leaving()
    await process.step_until_terminated()
    reference = weakref.ref(process)
    del process
    assert reference() is None
    task = LEFT.pop()
    assert not task.done()
    task.cancel()


async def test_a_process_that_was_killed_while_it_waited_is_freed(no_collector):
    process = Resting()
    task = asyncio.get_running_loop().create_task(process.step_until_terminated())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    process.add_process_listener(ProcessListener())
    process.kill()
    await task
    del task
    reference = weakref.ref(process)
    del process
    assert reference() is None


async def test_a_process_that_was_never_run_is_freed_at_once(no_collector):
    process = Small()
    future = process.future()
    reference = weakref.ref(process)
    del process
    assert reference() is None
    assert not future.done()


async def test_a_failed_process_is_freed_with_its_traceback():
    process = Failing()
    with pytest.raises(LookupError):
        await process
    await asyncio.sleep(0)
    reference = weakref.ref(process)
    del process
    gc.collect()  # an exception and the frames it came through hold each other
    assert reference() is None


async def test_ten_thousand_processes_leave_nothing_behind():
    for _ in range(100):
        await asyncio.gather(*[Small() for _ in range(10)])
    gc.collect()
    before = sum(isinstance(thing, Process) for thing in gc.get_objects())
    for _ in range(900):
        await asyncio.gather(*[Small() for _ in range(10)])
    await asyncio.sleep(0)
    gc.collect()
    assert sum(isinstance(thing, Process) for thing in gc.get_objects()) == before


def test_nested_execution_keeps_the_python_stack_flat():
    class Level(Process):
        @classmethod
        def define(cls, spec):
            super().define(spec)
            spec.input("depth")

        def run(self):
            if self.inputs.depth:
                Level({"depth": self.inputs.depth - 1}).execute()
            frame, count = sys._getframe(), 0
            while frame is not None:
                frame, count = frame.f_back, count + 1
            depths.append(count)

    depths = []
    Level({"depth": 50}).execute()
    assert max(depths[:-1]) - min(depths[:-1]) < 5

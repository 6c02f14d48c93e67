"""Processes that the tests of the service run."""

import asyncio

from drupe.core.command import Continue, Wait
from drupe.core.outline import while_
from drupe.engine.listener import ProcessListener
from drupe.engine.process import Process
from drupe.engine.workchain import ToContext, WorkChain


class Sum(Process):
    """Adds numbers up, one step for each."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("numbers", valid_type=list)
        spec.output("total", valid_type=int)

    def run(self):
        return Continue(self.add, *self.inputs.numbers, so_far=0)

    def add(self, *numbers, so_far):
        if not numbers:
            self.out("total", so_far)
            return None
        first, *rest = numbers
        return Continue(self.add, *rest, so_far=so_far + first)


class Asking(Process):
    """Waits for an answer and gives it back."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("answer")

    def run(self):
        return Wait(self.answered, "what is six times seven?")

    def answered(self, value):
        self.out("answer", value)


class Sums(WorkChain):
    """Has children add up, two at a time."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("rows", valid_type=list)
        spec.output("totals", valid_type=list)
        spec.outline(cls.set_out, while_(cls.more)(cls.two, cls.collect), cls.tell)

    def set_out(self):
        self.ctx.totals = []

    def more(self):
        return len(self.ctx.totals) < len(self.inputs.rows)

    def two(self):
        first = len(self.ctx.totals)
        return ToContext(sums=[self.submit(Sum, numbers=row) for row in self.inputs.rows[first : first + 2]])

    def collect(self):
        self.ctx.totals = self.ctx.totals + [found.total for found in self.ctx.sums]

    def tell(self):
        self.out("totals", list(self.ctx.totals))


class Gate:
    """Where a step waits until the test lets it on."""

    def __init__(self):
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def pass_through(self):
        self.reached.set()
        await self.open.wait()


class Reaching(ProcessListener):
    """Sets its event when the process is in a state."""

    def __init__(self, state):
        self.state = state
        self.event = asyncio.Event()

    def _look(self, process, *_):
        if process.state is self.state:
            self.event.set()

    on_process_running = on_process_waiting = on_process_finished = on_process_excepted = _look


async def reached(process, state):
    """Wait until the process is in a state."""
    listener = Reaching(state)
    process.add_process_listener(listener)
    if process.state is not state:
        await listener.event.wait()
    process.remove_process_listener(listener)


async def until(holds):
    """Let the loop turn until something holds."""
    while not holds():  # noqa: ASYNC110 (what is waited for has no event of its own)
        await asyncio.sleep(0)

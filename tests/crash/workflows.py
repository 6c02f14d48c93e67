"""What is crashed everywhere: each workflow has another mixture of what a process can do."""

import asyncio
import functools
import inspect

from drupe.core.command import Continue, Kill, Stop, Wait
from drupe.core.lifecycle import State
from drupe.core.outline import if_, return_, while_
from drupe.engine.field import field
from drupe.engine.process import Process
from drupe.engine.workchain import ToContext, WorkChain
from drupe.errors import ExceptedError, KilledError
from tests.crash.journal import JOURNAL


def step(function):
    """Have the journal know when the step begins."""

    @functools.wraps(function)
    def written_down(self, *args, **kwargs):
        JOURNAL.step(self, function.__name__)
        return function(self, *args, **kwargs)

    @functools.wraps(function)
    async def written_down_async(self, *args, **kwargs):
        JOURNAL.step(self, function.__name__)
        await asyncio.sleep(0)
        return await function(self, *args, **kwargs)

    return written_down_async if inspect.iscoroutinefunction(function) else written_down


# --- (a) a process of several steps ------------------------------------------------------------------------


class Letters(Process):
    """Hands arguments from step to step, keeps a field, emits outputs, waits twice; is paused and played while it waits."""

    written = field(factory=list)

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("word", valid_type=str)
        spec.output_namespace("about", dynamic=True)
        spec.output("answers", valid_type=list)

    @step
    def run(self):
        return Continue(self.spell, *self.inputs.word, upper=True)

    @step
    async def spell(self, first, *rest, upper):
        self.written = [*self.written, first.upper() if upper else first]
        self.set_status(f"wrote {first}")
        if rest:
            return Continue(self.spell, *rest, upper=not upper)
        self.out("about.length", len(self.written))
        return Wait(self.answered, "for an answer", {"written": self.written})

    @step
    def answered(self, answer):
        self.out("about.first", answer)
        return Wait(self.again, "for another answer")

    @step
    def again(self, answer):
        self.out("answers", [*self.written, answer])
        return Stop(len(self.written))


async def steer(runner, process):
    """Pause, play and answer while it waits. What to do follows from the last event alone, so a crash changes nothing."""
    seen = 0
    while not process.has_terminated():
        last = (await runner.store.history(process.pid))[-1]
        if process.state is State.WAITING and last.seq > seen:
            seen = last.seq
            if last.event == "waiting":
                await process.pause("a break")
            elif last.event == "paused":
                await process.play()
            elif last.event == "played":
                process.resume(last.seq)
        await asyncio.sleep(0)


# --- (b) a work chain --------------------------------------------------------------------------------------


class Double(Process):
    """A child of two steps."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("n", valid_type=int)
        spec.output("n", valid_type=int)

    @step
    def run(self):
        return Continue(self.double, self.inputs.n)

    @step
    async def double(self, n):
        self.out("n", 2 * n)


class Family(WorkChain):
    """Loops, branches, and has children in every way."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("rounds", valid_type=int, default=2)
        spec.output("total", valid_type=int)
        spec.outline(
            cls.set_out,
            while_(cls.has_rounds)(
                cls.hand_over,
                if_(cls.is_first)(cls.await_some).else_(cls.leave_some),
                cls.add_up,
            ),
            cls.await_and_leave,
            if_(cls.is_large)(cls.tell, return_(7)),
            cls.never,
        )

    @step
    def set_out(self):
        self.ctx.round, self.ctx.total = 0, 0

    def has_rounds(self):
        return self.ctx.round < self.inputs.rounds

    def is_first(self):
        return self.ctx.round == 1

    def is_large(self):
        return self.ctx.total > 0

    @step
    def hand_over(self):
        self.ctx.round += 1
        self.to_context(one=self.submit(Double, n=1))
        return ToContext(more=[self.submit(Double, n=2), self.submit(Double, n=3, key="three")])

    @step
    async def await_some(self):
        first = await self.submit(Double, n=10)
        second, third = await asyncio.gather(self.submit(Double, n=20), self.submit(Double, n=30, key="thirty"))
        self.ctx.total += first.n + second.n + third.n

    @step
    def leave_some(self):
        self.submit(Double, n=100)
        self.submit(Double, n=200, key="left")

    @step
    def add_up(self):
        self.ctx.total += self.ctx.one.n + sum(child.n for child in self.ctx.more)

    @step
    async def await_and_leave(self):
        self.submit(Double, n=1000)
        self.ctx.total += (await self.submit(Double, n=2000)).n
        return ToContext(last=self.submit(Double, n=3000))

    @step
    def tell(self):
        self.out("total", self.ctx.total + self.ctx.last.n)

    @step
    def never(self):
        raise AssertionError("the outline returned before this step")


# --- (c) nested --------------------------------------------------------------------------------------------


class Inner(Process):
    """Executes a child inside a step."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("n", valid_type=int)
        spec.output("n", valid_type=int)

    @step
    def run(self):
        return Continue(self.nest, Double({"n": self.inputs.n}).execute().n)

    @step
    async def nest(self, found):
        self.out("n", found + Double({"n": found}).execute().n)


class Outer(WorkChain):
    """Executes, inside its steps, children that execute others; and awaits one that does."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("total", valid_type=int)
        spec.outline(cls.nest, cls.nest_and_submit, cls.tell)

    @step
    def nest(self):
        self.ctx.total = Inner({"n": 1}).execute().n

    @step
    async def nest_and_submit(self):
        left = self.submit(Inner, n=2)
        self.ctx.total += Inner({"n": 3}).execute().n
        self.ctx.total += (await left).n

    @step
    def tell(self):
        self.out("total", self.ctx.total)


# --- (d) failing -------------------------------------------------------------------------------------------


class Broken(Process):
    """Fails in its second step, or ends as killed; what its first step emitted stays."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("how", valid_type=str, default="raise")
        spec.output("half", valid_type=int)

    @step
    def run(self):
        self.out("half", 1)
        return Continue(self.end)

    @step
    async def end(self):
        self.submit(Double, n=1)  # goes down with the step that fails
        if self.inputs.how == "kill":
            return Kill("by itself")
        raise ValueError("broken on purpose")


class Unlucky(WorkChain):
    """Has children that fail, in every way; and fails itself because of the last."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.forgive, cls.forgive_nested, cls.leave, cls.depend, cls.never)

    @step
    async def forgive(self):
        self.ctx.errors = []
        for how in ("raise", "kill"):
            try:
                await self.submit(Broken, how=how)
            except (ExceptedError, KilledError) as error:
                self.ctx.errors = [*self.ctx.errors, str(error)]

    @step
    def forgive_nested(self):
        try:
            Broken().execute()
        except (ExceptedError, ValueError) as error:
            self.ctx.nested = "broken on purpose" in str(error)

    @step
    def leave(self):
        self.submit(Broken)

    @step
    def depend(self):
        self.ctx.before = "kept"
        return ToContext(good=self.submit(Double, n=1), bad=self.submit(Broken))

    @step
    def never(self):
        raise AssertionError("the child's error came first")

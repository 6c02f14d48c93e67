"""Work chains: outlines, conditions, loops, return, the context and what is waited for."""

import asyncio
import collections

import plumpy
from plumpy import workchains

from scenarios.telling import SEEN, each, facts, on_new_loop, plain, raised, scenario, turns, watched


class Base(plumpy.WorkChain):
    limit = 3

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("x", required=False)
        spec.outline(*cls.steps(cls))

    def a(self):
        """The first
        of all."""
        SEEN.append("a")
        self.ctx.n = self.ctx.get("n", 0) + 1

    def b(self):
        SEEN.append("b")

    def result(self):
        return "the result"

    def zero(self):
        return 0

    def false(self):
        return False

    def fails(self):
        raise ValueError("in a step")

    def yes(self):
        SEEN.append("yes?")
        return True

    def no(self):
        SEEN.append("no?")
        return False

    def more(self):
        return self.ctx.get("n", 0) < self.limit

    def odd(self):
        return "text"

    def fails_to_say(self):
        raise KeyError("in a condition")

    def emits(self):
        self.out("x", 5)

    def waits(self):
        return plumpy.ToContext(one=ended(1), two=ended(2))

    def waits_late(self):
        later = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(later.set_result, "late")
        self.to_context(late=later, soon=ended("soon"))

    def waits_for_error(self):
        return plumpy.ToContext(bad=ended(error=ValueError("awaited")))

    def waits_for_child(self):
        return plumpy.ToContext(child=self.launch(Child))

    def waits_for_bad_child(self):
        return plumpy.ToContext(child=self.launch(BadChild))

    def waits_for_three(self):
        return plumpy.ToContext(three=3)

    def waits_and_returns(self):
        self.to_context(one=ended(1))
        return 7

    def commands(self):
        return plumpy.Continue(self.elsewhere)

    def elsewhere(self):
        SEEN.append("elsewhere")
        return "from elsewhere"

    def says(self):
        SEEN.append(plain(self.ctx))

    def kills(self):
        return plumpy.Kill()

    def empty(self):
        return {}


def ended(value=None, error=None):
    future = asyncio.get_running_loop().create_future()
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
    return future


class Child(plumpy.Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("o")

    async def run(self):
        await asyncio.sleep(0)
        self.out("o", 1)


class BadChild(plumpy.Process):
    def run(self):
        raise ValueError("of the child")


if_, while_, return_ = plumpy.if_, plumpy.while_, plumpy.return_

OUTLINES = {
    "one": lambda c: [c.a],
    "two": lambda c: [c.a, c.b],
    "nothing": lambda c: [],
    "result": lambda c: [c.a, c.result, c.b],
    "zero": lambda c: [c.zero, c.b],
    "false": lambda c: [c.false, c.b],
    "fails": lambda c: [c.a, c.fails, c.b],
    "if": lambda c: [if_(c.yes)(c.a), c.b],
    "if_not": lambda c: [if_(c.no)(c.a), c.b],
    "if_alone": lambda c: [if_(c.no)(c.a)],
    "if_else": lambda c: [if_(c.no)(c.a).else_(c.b, c.b)],
    "if_elif": lambda c: [if_(c.no)(c.a).elif_(c.yes)(c.b).elif_(c.yes)(c.a).else_(c.a), c.b],
    "if_nested": lambda c: [if_(c.yes)(if_(c.no)(c.a).else_(if_(c.yes)(c.b, c.a)))],
    "if_text": lambda c: [if_(c.odd)(c.a)],
    "if_fails": lambda c: [if_(c.fails_to_say)(c.a)],
    "while": lambda c: [while_(c.more)(c.a), c.b],
    "while_alone": lambda c: [while_(c.more)(c.a, c.b)],
    "while_never": lambda c: [while_(c.no)(c.a)],
    "while_nested": lambda c: [while_(c.more)(c.a, if_(c.yes)(c.b)), while_(c.more)(c.a)],
    "while_result": lambda c: [while_(c.more)(c.a, c.result), c.b],
    "while_waits": lambda c: [while_(c.more)(c.a, c.waits)],
    "return": lambda c: [c.a, return_, c.b],
    "return_code": lambda c: [c.a, return_(5), c.b],
    "return_in_if": lambda c: [if_(c.yes)(c.a, return_(0)), c.b],
    "return_in_while": lambda c: [while_(c.more)(c.a, if_(c.yes)(return_(9))), c.b],
    "return_first": lambda c: [return_],
    "emits": lambda c: [c.emits, c.b],
    "waits": lambda c: [c.a, c.waits, c.says],
    "waits_last": lambda c: [c.a, c.waits],
    "waits_late": lambda c: [c.waits_late, c.says],
    "waits_for_error": lambda c: [c.waits_for_error, c.says],
    "waits_for_child": lambda c: [c.waits_for_child, c.says],
    "waits_for_bad_child": lambda c: [c.waits_for_bad_child, c.says],
    "waits_for_three": lambda c: [c.waits_for_three, c.says],
    "waits_and_returns": lambda c: [c.waits_and_returns, c.says],
    "waits_in_if": lambda c: [if_(c.yes)(c.waits, c.says), c.b],
    "commands": lambda c: [c.commands, c.b],
    "kills": lambda c: [c.kills, c.b],
    "empty": lambda c: [c.empty, c.b],
    "text": lambda c: ["a"],
    "call": lambda c: [c.a, lambda self, other: None],
    "lambda": lambda c: [lambda self: SEEN.append("lambda"), c.b],
    "bodiless": lambda c: [if_(c.yes), c.a],
    "twice": lambda c: [if_(c.yes)(c.a)(c.b)],
}


@each(**{name: (steps,) for name, steps in OUTLINES.items()})
@on_new_loop
async def an_outline(steps):
    kind = type("Chain", (Base,), {"steps": staticmethod(steps)})
    yield raised(lambda: kind.spec().get_description())
    made = raised(lambda: str(kind()))
    yield made
    if made[0] == "raised":
        return
    yield raised(lambda: str(kind.spec().get_outline()))
    chain = watched(kind)()
    for _ in range(40):
        if chain.has_terminated():
            break
        yield [plain(chain.state), raised(lambda: str(chain._stepper))]
        step = asyncio.ensure_future(chain.step())
        await turns()
        if not step.done():
            step.cancel()
            break
        yield plain(step)
    yield facts(chain)
    yield plain(chain.ctx)


@each(
    **{
        name: (steps,)
        for name, steps in OUTLINES.items()
        if name not in ("text", "call", "bodiless", "twice", "nothing")
    }
)
@on_new_loop
async def run_at_once(steps):
    kind = type("Chain", (Base,), {"steps": staticmethod(steps)})
    chain = kind()
    running = asyncio.ensure_future(chain.step_until_terminated())
    await turns(200)
    yield [running.done(), facts(chain)]
    if not running.done():
        running.cancel()


def waiting(self):
    return plumpy.ToContext(it=self.awaited)


@scenario
@on_new_loop
async def steered_while_it_waits():
    for verbs in (("pause", "play"), ("kill",), ("pause", "done", "play"), ("done", "pause", "play"), ("fail",)):
        awaited = asyncio.get_running_loop().create_future()
        kind = type("Chain", (Base,), {"steps": staticmethod(lambda c: [c.a, c.waiting, c.says])})
        kind.waiting, kind.awaited = waiting, awaited
        chain = watched(kind)()
        running = asyncio.ensure_future(chain.step_until_terminated())
        await turns()
        yield [plain(chain.state), str(chain._state)]
        for verb in verbs:
            if verb == "done":
                awaited.set_result("it")
            elif verb == "fail":
                awaited.set_exception(ValueError("it"))
            else:
                yield raised(getattr(chain, verb))
            await turns()
            yield facts(chain)
        if not awaited.done():
            awaited.set_result("it")
            await turns()
        yield [facts(chain), running.done()]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@scenario
def instructions():
    yield raised(workchains._FunctionCall, 3)
    yield raised(workchains._FunctionCall, lambda: 1)
    yield raised(lambda: plumpy.WorkChainSpec().get_outline())
    yield raised(lambda: plumpy.WorkChain())
    block = workchains._Block([Base.a, Base.b])
    yield [len(block), str(block), block[0].get_description()]
    yield [
        plumpy.return_.get_description(),
        workchains.ToContext is dict,
        str(plumpy.if_(Base.yes)(Base.a)),
        str(plumpy.while_(Base.more)(Base.a)),
    ]
    yield [
        len(plumpy.while_(Base.more)),
        raised(lambda: plumpy.while_(Base.more)[1]),
        len(plumpy.if_(Base.yes)(Base.a).else_(Base.b)),
    ]
    yield raised(lambda: plumpy.if_(Base.yes)(Base.a).else_(Base.b).else_(Base.b))
    yield isinstance(block, collections.abc.Sequence)

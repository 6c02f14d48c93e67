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

    def shows(self):
        SEEN.append(str(self._stepper))

    def shows_no(self):
        SEEN.append(str(self._stepper))
        return False

    def shows_more(self):
        SEEN.append(str(self._stepper))
        return self.more()


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


class Twice(workchains._Instruction):
    """An instruction that is none of the library's, and takes two steps."""

    def create_stepper(self, workchain):
        return TwiceStepper(workchain)

    def recreate_stepper(self, saved_state, workchain):
        return TwiceStepper.recreate_from(saved_state, plumpy.LoadSaveContext(workchain=workchain))

    def get_description(self):
        return "twice"


@plumpy.auto_persist("left")
class TwiceStepper(workchains.Stepper):
    left = 2

    def step(self):
        SEEN.append([f"{self.left} left", str(self._workchain._stepper)])
        self.left -= 1
        return self.left == 0, None

    def __str__(self):
        return f"{self.left} left after {self._workchain.ctx.get('n')}"


class Until(workchains._While):
    """A loop that ends when its condition is met."""

    def is_true(self, workflow):
        return not super().is_true(workflow)


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
    "shows": lambda c: [
        c.shows,
        if_(c.shows_no)(c.a).elif_(c.shows_no)(c.a).else_(c.shows, while_(c.more)(c.a, c.shows)),
    ],
    "shows_loop": lambda c: [while_(c.shows_more)(if_(c.shows_no)(c.b), if_(c.yes)(c.shows), c.a)],
    "shows_loop_first": lambda c: [while_(c.shows_more)(if_(c.yes)(c.shows), c.a), c.b],
    "shows_loop_alone": lambda c: [while_(c.shows_more)(c.shows, c.a)],
    "block": lambda c: [workchains._Block([c.shows, workchains._Block([c.a])]), c.shows],
    "block_alone": lambda c: [workchains._Block([c.shows, c.b])],
    "block_of_nothing": lambda c: [workchains._Block([])],
    "foreign": lambda c: [c.a, Twice(), c.shows],
    "foreign_alone": lambda c: [Twice()],
    "foreign_in_while": lambda c: [while_(c.more)(Twice(), c.a), Twice()],
    "foreign_while": lambda c: [c.a, Until(c.shows_no)(c.a, c.fails)],
    "if_of_nothing": lambda c: [c.a, if_(c.yes)(), c.b],
    "elif_fails": lambda c: [c.b, if_(c.no)(c.b).elif_(c.fails_to_say)(c.b), c.b],
    "while_fails": lambda c: [c.b, while_(c.more)(c.a, if_(c.yes)(c.fails))],
    "bodiless_later": lambda c: [c.a, while_(c.yes)],
    "lambda": lambda c: [lambda self: SEEN.append("lambda"), c.b],
    "bodiless": lambda c: [if_(c.yes), c.a],
    "twice": lambda c: [if_(c.yes)(c.a)(c.b)],
}


NUMBERED = (workchains._BlockStepper, workchains._IfStepper)
UNUSABLE = ("text", "call", "bodiless", "twice", "nothing", "block_of_nothing")


def stood(stepper):
    """Where a stepper and those within it stand."""
    found = []
    while stepper is not None:
        found.append([type(stepper).__name__, stepper._pos if type(stepper) in NUMBERED else None])
        stepper = getattr(stepper, "_child_stepper", None)
    return found


@each(
    **{
        f"{name}-{how}": (steps, how)
        for name, steps in OUTLINES.items()
        if name not in UNUSABLE
        for how in ("same", "loaded", "reloaded")
    }
)
@on_new_loop
async def a_stepper(steps, how):
    """Whether it is the same one for all steps, or is saved and loaded again before each, or before and after."""
    kind = type("Chain", (Base,), {"steps": staticmethod(steps)})
    made = raised(kind)
    yield made
    if made[0] == "raised":
        return
    chain = kind()
    outline = kind.spec().get_outline()

    def again():
        saved = chain._stepper.save()
        chain._stepper = outline.recreate_stepper(saved, chain)
        return [saved == chain._stepper.save(), saved]

    for _ in range(25):
        yield [raised(lambda: str(chain._stepper)), raised(chain._stepper.save), stood(chain._stepper)]
        if how != "same":
            yield raised(again)
        took = raised(chain._stepper.step)
        yield [took, SEEN[-3:], raised(lambda: str(chain._stepper))]
        if how == "reloaded":
            yield raised(again)
        if took[0] == "raised":
            break


@scenario
@on_new_loop
async def a_stepper_of_an_outline_that_was_another():
    kind = type("Chain", (Base,), {"steps": staticmethod(OUTLINES["shows_loop_first"])})
    chain = kind()
    outline = kind.spec().get_outline()
    chain._stepper.step()
    saved = chain._stepper.save()
    yield saved

    def changed(**leaf):
        state = chain._stepper.save()
        within = state
        while "stepper_state" in within:
            within = within["stepper_state"]
        within.update(leaf)
        return state

    loaded = outline.recreate_stepper(changed(_fn="shows"), chain)
    yield [str(loaded), loaded.save(), stood(loaded)]
    chain._stepper = loaded
    for _ in range(3):
        yield [loaded.step(), str(loaded), loaded.save(), list(SEEN)]
    yield raised(outline.recreate_stepper, changed(_fn="is not there"), chain)
    yield raised(outline.recreate_stepper, {**saved, "_pos": 7}, chain)
    yield raised(outline.recreate_stepper, {name: value for name, value in saved.items() if name != "_pos"}, chain)
    over = outline.recreate_stepper({"!!meta": saved["!!meta"], "_pos": 2}, chain)
    yield [str(over), over.finished(), raised(over.step)]


@scenario
@on_new_loop
async def steppers_by_hand():
    kind = type("Chain", (Base,), {"steps": staticmethod(OUTLINES["if_nested"])})
    chain = kind()
    block = workchains._Block([Base.a, plumpy.while_(Base.no)(Base.b), Base.b])
    stepper = workchains._BlockStepper(block, chain)
    yield [stepper._block is block, stepper._pos, stepper.finished(), str(stepper), stood(stepper)]
    for _ in range(3):
        stepper.next_instruction()
        yield [stepper._pos, stepper.finished(), str(stepper), stepper.save(), stood(stepper)]
    yield raised(stepper.next_instruction)
    yield raised(stepper.step)
    yield raised(workchains._BlockStepper, workchains._Block([]), chain)
    condition = plumpy.if_(Base.no)(Base.a).else_(Base.a, Base.b)
    stepper = workchains._IfStepper(condition, chain)
    yield [stepper._if_instruction is condition, stepper._pos, stepper.finished(), str(stepper)]
    stepper.step()
    within = stepper._child_stepper
    yield [str(within), within._pos, within.step(), stepper._workchain is within._workchain is chain]
    repeated = plumpy.while_(Base.more)(Base.a)
    stepper = workchains._WhileStepper(repeated, chain)
    yield [stepper._while_instruction is repeated, str(stepper), stepper._child_stepper]
    yield [[stepper.step(), str(stepper)] for _ in range(4)]
    chain.limit = 4
    yield [[stepper.step(), str(stepper)] for _ in range(2)]
    stepper = workchains._FunctionStepper(chain, Base.b)
    yield [stepper._fn is Base.b, stepper.step(), stepper.step(), str(stepper), list(SEEN)]
    yield raised(workchains._ReturnStepper(plumpy.return_(3), chain).step)


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


@each(**{name: (steps,) for name, steps in OUTLINES.items() if name not in UNUSABLE})
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

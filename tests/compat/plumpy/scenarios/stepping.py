"""Steps: who is called for each, what may come of one, and who has them taken."""

import asyncio

import plumpy
from plumpy.base import state_machine

from scenarios.telling import SEEN, each, facts, on_new_loop, plain, raised, scenario, turns

State = plumpy.ProcessState


class Steps(plumpy.Process):
    """Three steps, a wait, and one more."""

    def run(self):
        SEEN.append("run")
        return plumpy.Continue(self.second)

    async def second(self):
        await asyncio.sleep(0)
        SEEN.append("second")
        return plumpy.Wait(self.last, "for it")

    def last(self, value=None):
        SEEN.append(["last", plumpy.Process.current() is self])
        return value


class Overriding(Steps):
    """Tells of all that a process class may override of a step."""

    async def step(self):
        SEEN.append("step")
        await super().step()
        SEEN.append("/step")

    def transition_to(self, new_state, **kwargs):
        SEEN.append(["transition_to", plain(new_state), plumpy.Process.current() is self])
        super().transition_to(new_state, **kwargs)

    def create_state(self, state_label, *args, **kwargs):
        SEEN.append(["create_state", plain(state_label), plain(kwargs)])
        return super().create_state(state_label, *args, **kwargs)


class Transitions(Overriding):
    step = Steps.step


def telling(base):
    """A state class that tells of all that may be overridden of a state."""

    def tell(name):
        def method(self, *args):
            SEEN.append([f"{self.LABEL.value}.{name}", self.in_state, plumpy.Process.current() is self.process])
            return getattr(super(kind, self), name)(*args)

        method.__name__ = name
        return method

    kind = type(base.__name__, (base,), {name: tell(name) for name in ("enter", "exit", "interrupt")})

    if asyncio.iscoroutinefunction(base.execute):

        async def execute(self):
            SEEN.append(f"{self.LABEL.value}.execute")
            return await base.execute(self)
    else:

        def execute(self):
            SEEN.append(f"{self.LABEL.value}.execute")
            return base.execute(self)

    kind.execute = execute
    return kind


class OwnStates(Steps):
    @classmethod
    def get_state_classes(cls):
        return {label: telling(kind) for label, kind in super().get_state_classes().items()}


@each(steps=(Steps,), all=(Overriding,), transitions=(Transitions,), states=(OwnStates,))
@on_new_loop
async def what_is_called_for_each_step(kind):
    process = kind()
    running = asyncio.ensure_future(process.step_until_terminated())
    await turns()
    yield facts(process)
    yield plain(process.pause("why"))
    await turns()
    yield process.play()
    await turns()
    process.resume(3)
    await turns()
    yield [facts(process), running.done()]
    running.cancel()


@each(steps=(Steps,), all=(Overriding,), states=(OwnStates,))
@on_new_loop
async def step_by_step(kind):
    process = kind()
    for _ in range(3):
        yield plain(await process.step())
        yield facts(process)
    waiting = asyncio.ensure_future(process.step())
    await turns()
    yield [waiting.done(), process.state == State.WAITING]
    process.resume(1)
    await turns()
    yield [waiting.done(), plain(process.state)]
    await process.step()
    yield facts(process)
    try:
        await process.step()
    except Exception as error:
        yield plain(error)


@each(**{
    f"{where}-{name}": (where, error)
    for where in ("step", "state")
    for name, error in (
        ("cancelled", asyncio.CancelledError("by itself")), ("cancelled_twice", asyncio.CancelledError),
        ("interrupt", KeyboardInterrupt("by itself")), ("exit", SystemExit(3)), ("error", ValueError("wrong")),
        ("unknown_interruption", plumpy.Interruption("of no kind")), ("pause", plumpy.PauseInterruption("by itself")),
        ("kill", plumpy.KillInterruption("by itself")), ("generator", GeneratorExit()), ("closed", plumpy.ClosedError("pretended")),
    )
})  # fmt: skip
def what_a_step_may_raise(where, error):
    class Raises(Steps):
        times = 0

        async def second(self):
            return self.throw() if where == "step" else plumpy.Wait(self.last)

        def throw(self):
            self.times += 1
            if self.times < 3:
                raise error
            return "in the end"

        @classmethod
        def get_state_classes(cls):
            return super().get_state_classes() | ({State.WAITING: Waiting} if where == "state" else {})

    class Waiting(plumpy.process_states.Waiting):
        async def execute(self):
            return self.create_state(State.FINISHED, self.process.throw(), True)

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    process = Raises(loop=loop)

    def run():
        task = loop.create_task(process.step_until_terminated())
        try:
            loop.run_until_complete(asyncio.wait([task], timeout=0.05))
        except BaseException as error:
            return ["out of the loop", plain(error)]
        if not task.done():
            return "runs"
        return ["cancelled"] if task.cancelled() else plain(task.exception())

    for _ in range(4):
        yield run()
        yield [facts(process), process._stepping]
        if process.paused:
            process.play()
    asyncio.set_event_loop(None)
    loop.close()


ANSWERS = {
    "nothing": lambda state: None,
    "itself": lambda state: state if state.process.again() else state.create_state(State.FINISHED, 1, True),
    "created": lambda state: state.create_state(State.CREATED, state.process.run),
    "number": lambda state: 5,
    "text": lambda state: "finished",
    "error": lambda state: ValueError("given"),
    "killed": lambda state: state.create_state(State.KILLED, None),
    "state_of_nobody": lambda state: state_machine.State(state.process),
}


@each(**{
    f"{label.value}-{kind}-{name}": (label, kind, answer)
    for label in (State.CREATED, State.RUNNING, State.WAITING)
    for kind in ("plain", "coroutine")
    for name, answer in ANSWERS.items()
    if name != "nothing" or label != State.CREATED
})  # fmt: skip
@on_new_loop
async def what_a_state_may_give(label, kind, answer):
    class Given(Steps):
        left = 3

        def again(self):
            self.left -= 1
            return self.left

        @classmethod
        def get_state_classes(cls):
            found = super().get_state_classes()
            return found | {
                label: type("Own", (found[label],), {"execute": plain_one if kind == "plain" else coroutine})
            }

    def plain_one(state):
        SEEN.append(f"execute {state.process.left}")
        state.process.left -= 1
        if not state.process.left:
            state.process.close()
        return answer(state)

    async def coroutine(state):
        await asyncio.sleep(0)
        return plain_one(state)

    process = Given()
    running = asyncio.ensure_future(process.step_until_terminated())
    await turns()
    yield facts(process)
    running.cancel()
    yield plain(await asyncio.gather(running, return_exceptions=True))


@scenario
@on_new_loop
async def many_short_steps():
    """Programs may rely on being at the end after one turn of the loop."""

    class Many(plumpy.Process):
        left = 3_000

        def run(self):
            self.left -= 1
            return plumpy.Continue(self.run) if self.left else None

    process = Many()
    running = asyncio.ensure_future(process.step_until_terminated())
    await asyncio.sleep(0)
    yield [process.left, plain(process.state)]
    await running


@each(**{
    "-".join(verbs): (verbs,)
    for verbs in (
        ("play",), ("play", "pause"), ("play", "pause", "play"), ("play", "kill"), ("force", "play"), ("fail", "play"),
        ("close", "play"), ("play", "close"), ("kill", "play"), ("play", "fail"),
    )
})  # fmt: skip
@on_new_loop
async def what_is_asked_for_while_it_is_paused(verbs):
    ask = {
        "play": lambda: process.play(), "pause": lambda: process.pause("again"), "kill": lambda: process.kill("enough"),
        "force": lambda: process.kill("enough", force_kill=True), "fail": lambda: process.fail(ValueError("failed"), None),
        "close": lambda: process.close(),
    }  # fmt: skip
    for created in (True, False):
        process = Steps()
        if created:
            process.pause("first")
        running = asyncio.ensure_future(process.step_until_terminated())
        await turns()
        if not created:
            process.pause("first")
        await turns()
        yield facts(process)
        for verb in verbs:
            yield raised(ask[verb])
        await turns()
        yield [facts(process), running.done(), process._stepping]
        running.cancel()
        yield plain(await asyncio.gather(running, return_exceptions=True))


@scenario
@on_new_loop
async def a_task_that_is_cancelled():
    process = Steps()
    running = asyncio.ensure_future(process.step_until_terminated())
    await turns()
    running.cancel()
    yield plain(await asyncio.gather(running, return_exceptions=True))
    yield [facts(process), process._stepping]
    again = asyncio.ensure_future(process.step_until_terminated())
    await turns()
    yield [facts(process), again.done()]
    again.cancel()
    yield plain(await asyncio.gather(again, return_exceptions=True))


@scenario
@on_new_loop
async def a_pause_that_a_hook_asks_for():
    class Pauses(Steps):
        def on_running(self):
            super().on_running()
            SEEN.append(["on_running", self._stepping, plain(self.pause("from a hook"))])

    process = Pauses()
    running = asyncio.ensure_future(process.step_until_terminated())
    await turns()
    yield facts(process)
    running.cancel()


@scenario
@on_new_loop
async def closed_within_a_step():
    class Closes(Steps):
        async def second(self):
            self.close()
            return plumpy.Continue(self.last)

    process = Closes()
    running = asyncio.ensure_future(process.step_until_terminated())
    await turns()
    yield [plain(await asyncio.gather(running, return_exceptions=True)), facts(process)]
    yield raised(process.step)

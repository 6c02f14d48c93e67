"""Processes that run to their end: commands, results, errors, outputs, hooks in order."""

import asyncio
import logging

import plumpy

from scenarios.telling import SEEN, Listener, each, facts, on_new_loop, plain, raised, scenario, turns, watched

STEPS = {
    "value": lambda _: 7,
    "nothing": lambda _: None,
    "unsuccessful": lambda _: plumpy.UnsuccessfulResult(3),
    "stop": lambda _: plumpy.Stop("a", True),
    "stop_unsuccessful": lambda _: plumpy.Stop("a", False),
    "kill": lambda _: plumpy.Kill(plumpy.MessageBuilder.kill("enough")),
    "kill_without_message": lambda _: plumpy.Kill(),
    "continue": lambda process: plumpy.Continue(process.last, 1),
    "continue_named": lambda process: plumpy.Continue(process.last, 1, named=2),
    "continue_with_nothing": lambda process: plumpy.Continue(None),
    "continue_with_text": lambda process: plumpy.Continue("last"),
    "unknown_command": lambda _: plumpy.process_states.Pause(),
    "raise": lambda _: 1 / 0,
    "raise_kill": lambda process: process.throw(plumpy.KillInterruption("by itself")),
    "raise_pause": lambda process: process.throw(plumpy.PauseInterruption("by itself")),
    "raise_interruption": lambda process: process.throw(plumpy.Interruption("of no kind")),
    "raise_killed": lambda process: process.throw(plumpy.KilledError("pretended")),
    "raise_cancelled": lambda process: process.throw(plumpy.CancelledError()),
    "outputs": lambda process: [process.out("known", 3), process.out("space.inner", "x"), process.out("free.any", 2)],
    "wrong_output": lambda process: process.out("known", "text"),
    "wrong_nested": lambda process: process.out("known.below", 1),
    "unknown_output": lambda process: process.out("other", 1),
    "missing_output": lambda process: process.out("space.inner", "x"),
    "status": lambda process: process.set_status("busy"),
    "current": lambda process: plain(plumpy.Process.current() is process),
    "fail": lambda process: process.fail(ValueError("given"), None),
    "pause": lambda process: plain(process.pause("within")),
    "kill_itself": lambda process: plain(process.kill("within")),
    "force_kill_itself": lambda process: plain(process.kill("within", force_kill=True)),
    "resume": lambda process: process.resume(),
    "close": lambda process: process.close(),
}


class Plain(plumpy.Process):
    body = None

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("a", default=1)
        spec.output("known", valid_type=int, required=False)
        spec.output_namespace("space", required=False)
        spec.output("space.inner", required=False)
        spec.output_namespace("free", dynamic=True, valid_type=(int, str))

    def throw(self, error):
        raise error

    def run(self):
        SEEN.append("run")
        return type(self).body(self)

    def last(self, *args, **kwargs):
        SEEN.append(["last", plain(args), plain(kwargs)])
        return sum(args)


class Async(Plain):
    async def run(self):
        await asyncio.sleep(0)
        SEEN.append("async run")
        return type(self).body(self)


class Strict(Plain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("needed")


CASES = {f"{kind.__name__}-{name}": (kind, step) for kind in (Plain, Async, Strict) for name, step in STEPS.items()}


@each(**CASES)
@on_new_loop
async def to_the_end(kind, step):
    process = type(kind.__name__, (watched(kind),), {"body": staticmethod(step)})()
    process.add_process_listener(Listener())
    running = asyncio.ensure_future(process.step_until_terminated())
    await turns()
    yield facts(process)
    if process.paused:
        yield process.play()
        await turns()
        yield facts(process)
    if not running.done():
        running.cancel()
    yield plain(await asyncio.gather(running, return_exceptions=True))
    yield facts(process)
    yield [raised(process.pause), raised(process.play), raised(process.kill), raised(process.resume)]
    yield raised(process.out, "known", 1)
    yield raised(process.close)


@each(**{name: (step,) for name, step in STEPS.items() if name != "raise_pause"})
def executed(step):
    loop = asyncio.new_event_loop()
    process = type("Executed", (Plain,), {"body": staticmethod(step)})(loop=loop)
    yield raised(process.execute)
    yield facts(process)
    yield raised(process.execute)
    loop.close()


@scenario
def inputs():
    yield plain(Plain(inputs={"a": 4}).inputs)
    yield plain(Plain().raw_inputs)
    yield raised(Plain, inputs={"b": 4})
    yield raised(Plain, inputs=3)
    yield raised(Plain, {"a": 3}, 17)
    yield plain([Plain({"a": 3}, 17).pid, Plain(pid="x").pid, Plain().pid])
    yield Plain(inputs={"a": 3}).inputs.a
    yield raised(lambda: Plain(inputs={"a": 3}).inputs.b)


@scenario
def what_a_class_is():
    yield plain(Plain.get_description())
    yield Plain.get_name()
    yield plain([str(kind.LABEL) for kind in Plain.get_states()])
    yield plain(Plain.initial_state_label())
    yield plain(Plain.get_states_map())
    yield str(Plain.spec())
    yield [Plain.spec() is Plain.spec(), Plain.spec() is Async.spec()]

    class Forgets(plumpy.Process):
        @classmethod
        def define(cls, spec):
            pass

    yield raised(Forgets.spec)[:3]
    yield raised(Forgets)[:3]


@each(
    **{
        name: (name,)
        for name in ("on_create", "on_run", "on_running", "on_finish", "on_finished", "on_terminated", "on_close")
    }
)
@on_new_loop
async def a_hook_that_forgets_its_base(name):
    kind = type("Forgets", (Plain,), {"body": staticmethod(lambda _: 1), name: lambda self, *args: None})
    made = raised(lambda: kind() and "made")
    yield made[:3]
    if made[0] == "returned":
        process = kind()
        yield raised(process.state.__str__)
        running = asyncio.ensure_future(process.step_until_terminated())
        await turns()
        yield plain(process.state)
        yield [type(process.exception()).__name__, running.done()]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@each(**{
    f"{name}-{'before' if before else 'after'}": (name, before)
    for name in ("on_create", "on_entering", "on_entered", "on_exiting", "on_run", "on_running", "on_exit_running", "on_wait",
                 "on_waiting", "on_exit_waiting", "on_finish", "on_finished", "on_terminated", "on_close", "on_output_emitted")
    for before in (True, False)
})  # fmt: skip
@on_new_loop
async def a_hook_that_fails(name, before):
    def hook(self, *args):
        if before:
            raise RuntimeError(name)
        getattr(super(kind, self), name)(*args)
        raise RuntimeError(name)

    hook.__name__ = name

    def wait(self):
        self.out("known", 1)
        return plumpy.Wait(self.last, "for it")

    kind = type("Fails", (Plain,), {"body": staticmethod(wait), name: hook})
    made = raised(lambda: kind() and "made")
    yield made
    if made[0] == "returned":
        process = kind()
        running = asyncio.ensure_future(process.step_until_terminated())
        await turns()
        yield facts(process)
        if process.state == plumpy.ProcessState.WAITING:
            process.resume(1)
            await turns()
            yield facts(process)
        if not running.done():
            running.cancel()
        yield plain(await asyncio.gather(running, return_exceptions=True))


@scenario
@on_new_loop
async def launched():
    class Parent(plumpy.Process):
        async def run(self):
            child = self.launch(kind, {"a": 2})
            return [await child.future(), plain(child.state), child.loop is self.loop]

    kind = type("Child", (Plain,), {"body": staticmethod(lambda process: process.out("known", process.inputs.a))})
    process = Parent()
    await process.step_until_terminated()
    yield plain(process.result())
    yield raised(process.launch, kind)


@scenario
@on_new_loop
async def stepping_by_hand():
    kind = type("Stepped", (Plain,), {"body": staticmethod(lambda process: plumpy.Continue(process.last, 3))})
    process = kind()
    yield plain(process.state)
    while not process.has_terminated():
        await process.step()
        yield [plain(process.state), str(process)]
    yield raised(process.step)
    yield await outcome_of(kind().step_until_terminated())


async def outcome_of(awaitable):
    try:
        return ["returned", plain(await awaitable)]
    except Exception as error:
        return ["raised", type(error).__name__, str(error)]


@scenario
@on_new_loop
async def callbacks():
    class Waits(plumpy.Process):
        def run(self):
            return plumpy.Wait(self.go_on)

        def go_on(self, *args):
            return plain(args)

    async def later(process):
        await asyncio.sleep(0)
        process.resume("later")

    def soon(process):
        process.resume(
            "soon",
        )

    def fail():
        raise ValueError("in a callback")

    for callback in (later, soon, fail):
        process = Waits()
        running = asyncio.ensure_future(process.step_until_terminated())
        await turns(20)
        handle = process.call_soon(callback, *(() if callback is fail else (process,)))
        await turns()
        yield [handle.cancelled(), facts(process)]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    process = Waits()
    handle = process.call_soon(fail)
    handle.cancel()
    await turns()
    yield [handle.cancelled(), plain(process.state)]


@scenario
@on_new_loop
async def cancelled_futures():
    for before in (True, False):
        kind = type("Waits", (Plain,), {"body": staticmethod(lambda process: plumpy.Wait(process.last))})
        process = kind()
        running = asyncio.ensure_future(process.step_until_terminated())
        if not before:
            await turns()
        process.future().cancel()
        await turns()
        yield [plain(process.state), process.status, plain(process.future()), running.done()]
        running.cancel()
        yield plain(await asyncio.gather(running, return_exceptions=True))


@scenario
def odds():
    process = Plain()
    yield raised(process.add_process_listener, process)
    yield raised(process.add_process_listener, 3)
    process.set_logger(logging.getLogger("mine"))
    yield process.logger.name
    process.log_with_pid(10, "hello")
    status = {}
    process.get_status_info(status)
    status.pop("ctime")
    yield plain(status)
    cleaned = []
    process.add_cleanup(lambda: cleaned.append(1))
    process.add_cleanup(lambda: 1 / 0)
    process.add_cleanup(lambda: cleaned.append(2))
    process.close()
    process.close()
    yield cleaned
    yield [raised(process.execute), raised(process.add_cleanup, print), raised(process.out, "known", 3)]
    yield raised(process.remove_state_event_callback, 3, print)
    yield raised(Plain().remove_state_event_callback, 3, print)
    yield raised(process.encode_input_args, {"a": [1]})
    yield raised(process.get_states_map()[plumpy.ProcessState.CREATED], process, None)
    yield raised(process.create_state, "nonsense")
    yield raised(process.message_receive, None, {"intent": "dance"})
    yield raised(process.broadcast_receive, None, None, None, "dance", None)

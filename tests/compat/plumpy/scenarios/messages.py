"""Steering processes by messages, in one interpreter and over a broker: controllers, launchers, news of states."""

import asyncio
import secrets
import threading
import time

import kiwipy
import plumpy
from plumpy import communications, process_comms

from scenarios.telling import SEEN, broker, each, facts, outcome, plain, raised, scenario, turns

PATIENCE = 20


class Waits(plumpy.Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("a", default=1)
        spec.output("a")

    def run(self):
        self.out("a", self.inputs.a)
        return plumpy.Wait(self.go_on, "for it")

    def go_on(self, value=None):
        return value


class Outputs(plumpy.Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("a", default=1)
        spec.output("a")

    def run(self):
        self.out("a", self.inputs.a)


class Fails(plumpy.Process):
    def run(self):
        raise ValueError("of the process")


class Busy(plumpy.Process):
    gate = None

    async def run(self):
        type(self).gate = asyncio.Event()
        await type(self).gate.wait()
        return "done"


@scenario
def bodies():
    builder = plumpy.MessageBuilder
    yield [builder.play(), builder.pause("p"), builder.kill("k", force_kill=True), builder.status(), builder.kill()]
    yield plumpy.create_continue_body(3, "tag", nowait=True)
    yield plumpy.create_continue_body("pid")
    yield plumpy.create_launch_body(Waits, (1,), {"a": 2}, persist=True, nowait=False)
    yield plumpy.create_launch_body(Waits)
    yield process_comms.create_create_body(Waits, init_kwargs={"a": 1})
    yield raised(plumpy.create_launch_body, 3)


class Recording(kiwipy.Communicator):
    """Keeps what is sent, and who listens."""

    def __init__(self):
        self.rpc, self.broadcasts, self.tasks, self.sent = {}, {}, {}, []

    def add_rpc_subscriber(self, subscriber, identifier=None):
        self.rpc[identifier] = subscriber
        return identifier

    def remove_rpc_subscriber(self, identifier):
        SEEN.append(["removed", plain(identifier)])
        del self.rpc[identifier]

    def add_broadcast_subscriber(self, subscriber, identifier=None):
        self.broadcasts[identifier] = subscriber
        return identifier

    def remove_broadcast_subscriber(self, identifier):
        SEEN.append(["removed broadcast", plain(identifier)])
        del self.broadcasts[identifier]

    def add_task_subscriber(self, subscriber, identifier=None):
        self.tasks[identifier] = subscriber
        return identifier

    def remove_task_subscriber(self, identifier):
        del self.tasks[identifier]

    def broadcast_send(self, body, sender=None, subject=None, correlation_id=None):
        self.sent.append(["broadcast", plain(body), plain(sender), subject, correlation_id])
        return True

    def rpc_send(self, recipient_id, msg):
        self.sent.append(["rpc", recipient_id, msg])
        return kiwipy.Future()

    def task_send(self, task, no_reply=False):
        self.sent.append(["task", task, no_reply])
        return None if no_reply else kiwipy.Future()

    def is_closed(self):
        return False

    def close(self):
        SEEN.append("closed")


@scenario
def news_of_states():
    for kind in (Waits, Fails, Outputs):
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        here = Recording()
        process = kind(pid=7, communicator=here)
        yield [list(here.rpc), list(here.broadcasts), here.sent]

        async def live(process=process):
            running = asyncio.ensure_future(process.step_until_terminated())
            await turns()
            if process.state == plumpy.ProcessState.WAITING:
                process.resume(3)
            await asyncio.gather(running, return_exceptions=True)

        loop.run_until_complete(live())
        yield [list(here.rpc), list(here.broadcasts), here.sent]
        loop.close()
        asyncio.set_event_loop(None)


@each(unknown=(None,), timeout=(kiwipy.TimeoutError,), closed=(plumpy.processes.ConnectionClosed,))
def news_that_cannot_be_sent(error):
    class Broken(Recording):
        def broadcast_send(self, *args, **kwargs):
            raise (
                RuntimeError("unknown")
                if error is None
                else error()
                if error is kiwipy.TimeoutError
                else error(None, None)
            )

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    made = raised(lambda: Outputs(pid=1, communicator=Broken()).execute())
    yield made
    loop.close()
    asyncio.set_event_loop(None)


@scenario
def controllers_send():
    here = Recording()
    controller = plumpy.RemoteProcessThreadController(here)
    yield plain(
        [
            controller.get_status(1),
            controller.pause_process(1, "m"),
            controller.play_process(1),
            controller.kill_process(1, "k", True),
        ]
    )
    controller.pause_all("all")
    controller.play_all()
    controller.kill_all(None)
    yield plain(
        [controller.continue_process(1, "t"), controller.launch_process(Waits, (1,), nowait=True, no_reply=True)]
    )
    yield plain(controller.execute_process(Waits, init_kwargs={"a": 1}))
    yield here.sent


def tick(loop):
    """Wake the loop all the time: the original hands some answers over without doing so."""
    loop.call_later(0.01, tick, loop)


def steered(step):
    """A scenario of a process on a loop in a thread of its own; ``step`` is given what it needs, in this thread."""

    def run(*args):
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        loop.call_soon_threadsafe(tick, loop)
        with broker() as communicator:
            wrapped = plumpy.wrap_communicator(communicator, loop)
            try:
                yield from step(communicator, wrapped, loop, *args)
            finally:
                loop.call_soon_threadsafe(loop.stop)
                thread.join()
                loop.close()

    run.__name__, run.__module__ = step.__name__, step.__module__
    return run


def start(kind, loop, communicator, pid):
    """Have a process made and run by the loop of another thread."""

    async def make():
        process = kind(pid=pid, communicator=communicator)
        process.running = asyncio.ensure_future(process.step_until_terminated())
        await turns()
        return process

    return asyncio.run_coroutine_threadsafe(make(), loop).result(PATIENCE)


def until(condition):
    limit = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError
        time.sleep(0.01)
    return True


def final(future):
    """The value at the end of a chain of futures."""
    return raised(lambda: plumpy.futures.unwrap_kiwi_future(future).result(PATIENCE))


@scenario
@steered
def one_is_steered(communicator, wrapped, loop):
    pid = f"pid-{secrets.token_hex(4)}"
    heard = []
    controller = plumpy.RemoteProcessThreadController(communicator)
    communicator.add_broadcast_subscriber(
        kiwipy.BroadcastFilter(
            lambda _comm, body, sender, subject, _id: heard.append([body, sender == pid, subject]), sender=pid
        )
    )
    process = start(Waits, loop, wrapped, pid)
    yield until(lambda: len(heard) == 3)
    status = controller.get_status(pid).result(PATIENCE)
    while isinstance(status, kiwipy.Future):
        status = status.result(PATIENCE)
    status.pop("ctime")
    yield status
    yield [final(controller.pause_process(pid, "why")), process.paused, process.status]
    yield [final(controller.pause_process(pid, "again")), process.status]
    yield [final(controller.play_process(pid)), process.paused]
    yield [final(controller.play_process(pid)), process.paused]
    yield final(communicator.rpc_send(pid, {"intent": "dance"}))[:1]
    yield [final(controller.kill_process(pid, "enough")), str(process), process.status, plain(process.killed_msg())]
    yield until(lambda: len(heard) == 4)
    yield heard
    yield raised(lambda: controller.kill_process(pid))[2:3]
    yield raised(lambda: controller.play_process("nobody"))[2:3]


@scenario
@steered
def all_are_steered(communicator, wrapped, loop):
    controller = plumpy.RemoteProcessThreadController(communicator)
    processes = [start(Waits, loop, wrapped, f"pid-{number}-{secrets.token_hex(4)}") for number in range(3)]
    controller.pause_all("for all")
    yield until(lambda: all(process.paused for process in processes))
    yield [process.status for process in processes]
    controller.play_all()
    yield until(lambda: not any(process.paused for process in processes))
    controller.kill_all("for all")
    yield until(lambda: all(process.killed() for process in processes))
    yield [process.status for process in processes]


@scenario
@steered
def one_is_steered_while_it_is_busy(communicator, wrapped, loop):
    controller = plumpy.RemoteProcessThreadController(communicator)
    for verb in ("pause_process", "kill_process"):
        pid = f"pid-{secrets.token_hex(4)}"
        process = start(Busy, loop, wrapped, pid)
        asked = plumpy.futures.unwrap_kiwi_future(getattr(controller, verb)(pid, "why"))
        yield [until(lambda process=process: process._interrupt_action is not None), asked.done()]
        loop.call_soon_threadsafe(Busy.gate.set)
        yield [asked.result(PATIENCE), str(process), process.status]
        yield raised(lambda pid=pid: final(controller.kill_process(pid, force_kill=True)))[:3]
    pid = f"pid-{secrets.token_hex(4)}"
    process = start(Busy, loop, wrapped, pid)
    yield [final(controller.kill_process(pid, "now", force_kill=True)), str(process), process.status]


@scenario
@steered
def steered_from_a_loop(communicator, wrapped, loop):
    pid = f"pid-{secrets.token_hex(4)}"
    process = start(Waits, loop, wrapped, pid)

    async def steer():
        controller = plumpy.RemoteProcessController(communicator)
        found = [await controller.pause_process(pid, "why"), process.status, await controller.play_process(pid)]
        status = await controller.get_status(pid)
        while isinstance(status, kiwipy.Future):
            status = await asyncio.wrap_future(status)
        status.pop("ctime")
        return [*found, status, await controller.kill_process(pid, "enough"), str(process)]

    other = asyncio.new_event_loop()
    yield other.run_until_complete(asyncio.wait_for(steer(), PATIENCE))
    other.close()


@scenario
@steered
def launched(communicator, wrapped, loop):
    persister = plumpy.InMemoryPersister()
    context = plumpy.LoadSaveContext(loop=loop, communicator=wrapped)
    launcher = plumpy.ProcessLauncher(loop, persister, context)
    wrapped.add_task_subscriber(launcher)
    controller = plumpy.RemoteProcessThreadController(communicator)
    yield final(controller.launch_process(Outputs, init_kwargs={"inputs": {"a": 5}}))
    yield final(controller.launch_process(Outputs, init_kwargs={"pid": 17}, nowait=True))
    yield final(controller.launch_process(Outputs, init_kwargs={"pid": 18}, persist=True))
    yield sorted(map(list, persister.get_checkpoints()))
    yield final(controller.execute_process(Outputs, init_kwargs={"pid": 19}))
    yield final(controller.execute_process(Outputs, init_kwargs={"pid": 20}, nowait=True))
    yield sorted(map(list, persister.get_checkpoints()))
    yield final(controller.continue_process(18))
    yield final(controller.continue_process(19, nowait=True))
    yield [plain(each) for each in final(controller.continue_process(404))[:1]]
    yield controller.launch_process(Outputs, init_kwargs={"pid": 21}, no_reply=True)
    yield "of the process" in str(final(controller.launch_process(Fails)))
    yield final(controller.launch_process(Outputs, init_kwargs={"nonsense": 3}))[:1]

    async def by_a_loop():
        there = plumpy.RemoteProcessController(communicator)
        return [
            await there.launch_process(Outputs, init_kwargs={"inputs": {"a": 6}}),
            await there.launch_process(Outputs, init_kwargs={"pid": 22}, nowait=True),
            await there.execute_process(Outputs, init_kwargs={"inputs": {"a": 7}}),
            await there.continue_process(18),
        ]

    other = asyncio.new_event_loop()
    yield plain(other.run_until_complete(asyncio.wait_for(by_a_loop(), PATIENCE)))
    other.close()


@scenario
def a_launcher_by_itself():
    async def ask(launcher, task):
        try:
            return plain(await launcher(None, task))
        except Exception as error:
            return [type(error).__name__, plain(str(error))]

    async def all_of_it():
        launcher = plumpy.ProcessLauncher()
        found = [await ask(launcher, {"task": "dance"})]
        found.append(await ask(launcher, plumpy.create_launch_body(Outputs, persist=True)))
        found.append(await ask(launcher, plumpy.create_continue_body(3)))
        found.append(await ask(launcher, process_comms.create_create_body(Outputs, persist=True)))
        found.append(await ask(launcher, process_comms.create_create_body(Outputs, init_kwargs={"pid": 3})))
        found.append(await ask(launcher, plumpy.create_launch_body(Outputs, nowait=False)))
        found.append(await ask(launcher, plumpy.create_launch_body(Fails, nowait=False)))
        return found

    loop = asyncio.new_event_loop()
    yield loop.run_until_complete(all_of_it())
    loop.close()


@scenario
def wrapping():
    loop = asyncio.new_event_loop()
    with kiwipy.LocalCommunicator() as here:
        wrapped = plumpy.wrap_communicator(here, loop)
        yield [wrapped.loop() is loop, plumpy.wrap_communicator(wrapped, loop) is wrapped, wrapped.is_closed()]
        yield plumpy.wrap_communicator(wrapped, asyncio.new_event_loop()) is wrapped

        def answer(comm, msg):
            SEEN.append([threading.current_thread() is threading.main_thread(), plumpy.has_portal()])
            return [comm is here, msg]

        async def fail(comm, msg):
            raise ValueError(msg)

        async def later(comm, msg):
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, msg)
            return future

        async def cancelled(comm, msg):
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            return future

        for name, subscriber in {"answer": answer, "fail": fail, "later": later, "cancelled": cancelled}.items():
            wrapped.add_rpc_subscriber(subscriber, name)
            asked = wrapped.rpc_send(name, "hello")
            yield type(asked).__name__
            loop.run_until_complete(turns())
            while (
                isinstance(asked, kiwipy.Future)
                and asked.done()
                and not asked.cancelled()
                and asked.exception() is None
            ):
                asked = asked.result()
            yield [outcome(asked) if isinstance(asked, kiwipy.Future) else plain(asked)]
        wrapped.remove_rpc_subscriber("answer")
        yield raised(wrapped.rpc_send, "answer", 1)[2:3]
        wrapped.add_task_subscriber(answer, "tasks")
        wrapped.task_send("a task")
        loop.run_until_complete(turns())
        wrapped.remove_task_subscriber("tasks")
        heard = []
        wrapped.add_broadcast_subscriber(lambda *args, **kwargs: heard.append([plain(args[1:]), plain(kwargs)]), "all")
        wrapped.broadcast_send("body", "sender", "subject", "id")
        loop.run_until_complete(turns())
        wrapped.remove_broadcast_subscriber("all")
        wrapped.broadcast_send("body", "sender", "subject", "id")
        loop.run_until_complete(turns())
        yield heard
    yield communications.TaskRejected is kiwipy.TaskRejected
    loop.close()


@scenario
def kiwi_futures():
    loop = asyncio.new_event_loop()

    async def all_of_it():
        found = []
        for end in ("value", "error", "cancel", "nested"):
            future = plumpy.Future()
            other = plumpy.plum_to_kiwi_future(future)
            if end == "value":
                future.set_result(3)
            elif end == "error":
                future.set_exception(ValueError("no"))
            elif end == "cancel":
                future.cancel()
            else:
                nested = plumpy.Future()
                future.set_result(nested)
                nested.set_result(4)
            await turns()
            found.append(outcome(other) if end != "nested" else other.result().result())
        return found

    yield loop.run_until_complete(all_of_it())
    loop.close()


@scenario
def loaded_with_a_communicator():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    here = Recording()
    process = Waits(pid=3, communicator=here)
    bundle = plumpy.Bundle(process)
    process.close()
    yield [list(here.rpc), list(here.broadcasts)]
    loaded = bundle.unbundle(plumpy.LoadSaveContext(communicator=here, loop=loop))
    yield [list(here.rpc), list(here.broadcasts), here.sent, facts(loaded)]
    loaded.close()
    yield [list(here.rpc), list(here.broadcasts)]
    asyncio.set_event_loop(None)
    loop.close()

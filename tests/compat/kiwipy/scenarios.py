"""What one does with kiwipy, told as a trace. A program, run once with the original and once with the drop-in.

python scenarios.py all URL          every scenario; prints {"name": [trace]} as JSON
python scenarios.py serve URL NAME   answer calls and tasks until the input ends
python scenarios.py ask URL NAME     call, and send tasks and broadcasts to the one that serves; prints [trace]
"""

import asyncio
import json
import secrets
import sys
import threading

import kiwipy

PATIENCE = 20


def raised(function, *args, **kwargs):
    """What happens, as plain values."""
    try:
        return ["returned", function(*args, **kwargs)]
    except BaseException as error:
        return ["raised", type(error).__module__, type(error).__name__, str(error)]


# --- without a broker ------------------------------------------------------------------------------------


def local_rpc():
    with kiwipy.LocalCommunicator() as here:
        yield here.add_rpc_subscriber(lambda comm, msg: [comm is here, msg], "name")
        yield here.rpc_send("name", {"a": 1}).result()
        yield raised(here.rpc_send, "other", 1)
        yield raised(here.add_rpc_subscriber, print, "name")
        yield raised(here.remove_rpc_subscriber, "other")
        yield raised(here.remove_rpc_subscriber, "name")
        yield raised(here.rpc_send, "name", 1)
    yield here.is_closed()
    yield raised(here.rpc_send, "name", 1)
    yield raised(here.close)


def local_rpc_error():
    def fail(comm, msg):
        raise ValueError("no")

    with kiwipy.LocalCommunicator() as here:
        here.add_rpc_subscriber(fail, "name")
        error = here.rpc_send("name", 1).exception()
        yield [type(error).__name__, [part.__name__ for part in error.args[0][:1]]]


def local_tasks():
    def reject(comm, task):
        raise kiwipy.TaskRejected("no")

    def take(comm, task):
        return ["taken", task]

    with kiwipy.LocalCommunicator() as here:
        yield here.task_send("nobody").done()
        yield here.add_task_subscriber(reject, "first")
        yield here.task_send("rejected").done()
        yield here.add_task_subscriber(take, "second")
        yield here.task_send(1).result()
        yield here.task_send(1, no_reply=True)
        yield raised(here.remove_task_subscriber, "third")
        yield raised(here.remove_task_subscriber, "second")
        yield here.task_send(1).done()
        yield raised(here.task_send, 1)[0]


def local_broadcasts():
    heard = []

    def hear(comm, **message):
        heard.append(sorted(message.items(), key=str))

    def hear_all(comm, body, sender, subject, correlation_id):
        heard.append([body, sender, subject, correlation_id])

    with kiwipy.LocalCommunicator() as here:
        yield here.broadcast_send("nobody")
        here.add_broadcast_subscriber(hear, "a")
        here.add_broadcast_subscriber(hear_all, "b")
        yield raised(here.add_broadcast_subscriber, hear, "a")
        yield here.broadcast_send("body", sender=3, subject="s.t", correlation_id="c")
        yield heard
        yield raised(here.remove_broadcast_subscriber, "a")
        yield raised(here.remove_broadcast_subscriber, "a")
        yield here.broadcast_send("again")
        yield heard


def filters():
    for subject, sender in [
        ("purchase.*", None), ("*.finished", 3), ("a.b", "x*"), (None, None), ("a+", None), (7, 7.0), ("", ""),
    ]:  # fmt: skip
        for said, by in [
            ("purchase.car", 3), ("purchases", "3"), ("x.finished.y", 3), ("a.b.c", "xy"), ("aXb", "y"), (None, 4),
            ("aa", None), (7, 7), (8, "x"),
        ]:  # fmt: skip
            heard = []
            chosen = kiwipy.BroadcastFilter(
                lambda *args, into=heard: into.append(args[1:]) or "answer", subject, sender
            )
            yield [subject, sender, said, by, raised(chosen, None, "body", by, said, "id"), heard]


def filters_are_alternatives():
    chosen = kiwipy.BroadcastFilter(print)
    yield [chosen.__name__, chosen.is_filtered(1, "a")]
    chosen.add_subject_filter("a.*")
    chosen.add_subject_filter("b")
    chosen.add_sender_filter(1)
    chosen.add_sender_filter(2)
    for sender in (None, 1, 2, 3):
        yield [chosen.is_filtered(sender, subject) for subject in (None, "a.x", "b", "bb", "c")]


def futures_of_threads():
    first, second = kiwipy.Future(), kiwipy.Future()
    kiwipy.chain(first, second)
    first.set_result(3)
    yield second.result()
    cancelled, target = kiwipy.Future(), kiwipy.Future()
    cancelled.cancel()
    kiwipy.copy_future(cancelled, target)
    yield target.cancelled()
    failed, target = kiwipy.Future(), kiwipy.Future()
    failed.set_exception(ValueError("x"))
    kiwipy.copy_future(failed, target)
    yield repr(target.exception())
    kiwipy.copy_future(first, target)
    yield repr(target.exception())
    target = kiwipy.Future()
    with kiwipy.capture_exceptions(target):
        raise KeyError("k")
    yield repr(target.exception())

    def ignored():
        with kiwipy.capture_exceptions(target, ignore=(KeyError,)):
            raise KeyError("k")

    yield raised(ignored)


def events():
    class Listener:
        heard = []  # noqa: RUF012

        def on_event(self, *args, **kwargs):
            self.heard.append([args, kwargs])

    helper = kiwipy.EventHelper(Listener)
    listener = Listener()
    helper.add_listener(listener)
    helper.fire_event(Listener.on_event, 1, a=2)
    yield Listener.heard
    yield raised(helper.fire_event, None)
    yield raised(helper.add_listener, 3)
    yield raised(kiwipy.EventHelper, None)
    yield len(helper.listeners)
    helper.remove_listener(listener)
    helper.remove_listener(listener)
    yield len(helper.listeners)


def an_address_of_something_else():
    yield raised(kiwipy.connect, "http://nowhere")


def a_communicator_is_constructible():
    yield raised(kiwipy.Communicator().rpc_send, 1, 2)


# --- by a broker -----------------------------------------------------------------------------------------

URL = ""


def meet(name=None, **given):
    from kiwipy.rmq import RmqThreadCommunicator

    name = name or f"scenario-{secrets.token_hex(6)}"
    return RmqThreadCommunicator.connect(
        connection_params={"url": URL},
        message_exchange=f"{name}.messages",
        task_exchange=f"{name}.tasks",
        task_queue=f"{name}.queue",
        testing_mode=True,
        async_task_timeout=PATIENCE,
        **given,
    )


def ended(future, depth=0):
    """How a future ended, and those in it."""
    outcome = raised(future.result, PATIENCE)
    if outcome[0] == "returned" and isinstance(outcome[1], kiwipy.Future):
        return ended(outcome[1], depth + 1)
    return [*outcome, depth]


def fail(comm, msg):
    raise ValueError(f"cannot {msg}")


def rpc():
    with meet() as here:
        yield here.add_rpc_subscriber(lambda comm, msg: [type(comm).__name__, msg], "name")
        yield ended(here.rpc_send("name", {"a": [1, None, "x"]}))
        here.add_rpc_subscriber(fail, "fails")
        yield ended(here.rpc_send("fails", 1))
        yield raised(here.rpc_send, "other", 1)[:3]
        yield raised(here.add_rpc_subscriber, fail, "name")
        yield raised(here.remove_rpc_subscriber, "other")
        yield raised(here.remove_rpc_subscriber, "name")
        yield raised(here.rpc_send, "name", 1)[:3]
        here.add_rpc_subscriber(lambda comm, msg: "back", "name")
        yield ended(here.rpc_send("name", 1))
        here.add_rpc_subscriber(lambda comm, msg: "number", "12")
        yield ended(here.rpc_send(12, 1))
        yield isinstance(here.add_rpc_subscriber(None), str)
        yield isinstance(here.add_broadcast_subscriber(None), str)
    yield here.is_closed()
    yield raised(here.close)
    yield raised(here.rpc_send, "name", 1)
    yield raised(here.add_close_callback, print)


def rpc_with_futures():
    later = {}

    def pending(comm, msg):
        later[msg] = kiwipy.Future()
        return later[msg]

    with meet() as here:
        here.add_rpc_subscriber(pending, "name")
        for end in (
            lambda future: future.set_result("done"),
            lambda future: future.set_exception(ValueError("no")),
        ):
            answer = here.rpc_send("name", "x")
            inner = answer.result(PATIENCE)
            yield [isinstance(inner, kiwipy.Future), inner.done()]
            end(later["x"])
            yield ended(inner)
        outer = here.rpc_send("name", "y").result(PATIENCE)
        deep = kiwipy.Future()
        later["y"].set_result(deep)
        deep.set_result("deep")
        yield ended(outer)


def rpc_that_is_cancelled():
    later = kiwipy.Future()
    with meet() as here:
        here.add_rpc_subscriber(lambda comm, msg: later, "name")
        inner = here.rpc_send("name", "x").result(PATIENCE)
        later.cancel()
        yield raised(inner.result, 3)[:3]
        yield inner.cancelled()


def tasks_to_subscribers():
    with meet() as here:
        yield here.add_task_subscriber(lambda comm, task: [type(comm).__name__, task], "first")
        yield ended(here.task_send({"a": 1}))
        yield here.task_send(1, no_reply=True)
        yield raised(here.add_task_subscriber, fail, "first")
        yield raised(here.remove_task_subscriber, "second")
        yield raised(here.remove_task_subscriber, "first")
        here.add_task_subscriber(fail, "fails")
        yield ended(here.task_send(2))
        here.remove_task_subscriber("fails")

        def reject(comm, task):
            raise kiwipy.TaskRejected("no")

        here.add_task_subscriber(reject, "rejects")
        here.add_task_subscriber(lambda comm, task: "second", "takes")
        yield ended(here.task_send(3))


def a_task_that_cannot_be_decoded():
    import aio_pika

    async def put(queue):
        async with await aio_pika.connect(URL) as connection:
            channel = await connection.channel()
            await channel.default_exchange.publish(aio_pika.Message(b"{"), routing_key=queue)

    name = f"scenario-{secrets.token_hex(6)}"
    with meet(name, task_prefetch_count=1) as here:
        here.add_task_subscriber(lambda comm, task: task)
        asyncio.run(put(f"{name}.queue"))
        yield raised(here.task_send("next").result, 3)[:2]


def tasks_with_futures():
    later = []

    def pending(comm, task):
        later.append(kiwipy.Future())
        return later[-1]

    with meet() as here:
        here.add_task_subscriber(pending)
        outcome = here.task_send(1)
        inner = outcome.result(PATIENCE)
        yield isinstance(inner, kiwipy.Future)
        deep = kiwipy.Future()
        later[0].set_result(deep)
        deep.set_result("deep")
        yield ended(inner)
        outcome = here.task_send(2)
        inner = outcome.result(PATIENCE)
        later[1].set_exception(ValueError("no"))
        yield ended(inner)


def tasks_that_are_pulled():
    with meet() as here:
        queue = here.task_queue(f"pulled-{secrets.token_hex(6)}")
        outcomes = [queue.task_send(number) for number in range(3)]
        seen = []
        for task in queue:
            seen.append([task.body, task.no_reply, task.state])
            if task.body == 1:
                with task.processing() as outcome:
                    outcome.set_result("one")
                seen.append(task.state)
        yield seen
        yield ended(outcomes[1])
        with queue.next_task() as task:
            seen = [task.body in (0, 2)]
            with task.processing():
                pass
            yield [*seen, task.state]
            yield raised(task.process)[1:3]
        for _ in range(2):
            with queue.next_task() as task:
                task.process().set_result("done")
        yield sorted(ended(outcomes[number])[1] for number in (0, 2))

        def no_task():
            with queue.next_task(timeout=1.0):
                pass

        yield raised(no_task)[:3]
        queue.task_send("fails", no_reply=True)

        def fails():
            with queue.next_task() as task, task.processing():
                raise RuntimeError("inside")

        yield raised(fails)
        yield raised(no_task)[:3]
        queue.task_send("back", no_reply=True)
        with queue.next_task() as task:
            yield [task.body, task.no_reply]
        with queue.next_task() as task:
            task.requeue()
            yield task.state
        with queue.next_task() as task, task.processing() as outcome:
            outcome.set_result(None)
        yield raised(no_task)[:3]


def a_task_that_is_forgotten():
    with meet() as here:
        queue = here.task_queue(f"pulled-{secrets.token_hex(6)}")
        sent = queue.task_send(1)
        with queue.next_task() as task:
            outcome = task.process()
        yield task.state

        def no_task():
            with queue.next_task(timeout=1.0):
                pass

        yield raised(no_task)[:3]
        del outcome
        with queue.next_task() as task:
            yield task.body
            task.process().set_result("in the end")
        yield ended(sent)


def filtered_broadcasts():
    heard, arrived = [], threading.Event()

    def hear(comm, body, sender, subject, correlation_id):
        heard.append([body, sender, subject, correlation_id])
        if body == "last":
            arrived.set()

    with meet() as here:
        chosen = kiwipy.BroadcastFilter(hear, sender=5)
        chosen.add_subject_filter("state.*.finished")
        here.add_broadcast_subscriber(chosen)
        for sender, subject in ((5, "state.x.finished"), (6, "state.x.finished"), (5, "state.x"), (None, None)):
            here.broadcast_send("body", sender=sender, subject=subject)
        here.broadcast_send("last")
        arrived.wait(PATIENCE)
        yield heard


def broadcasts():
    heard, arrived = [], threading.Event()

    def hear(comm, body, sender, subject, correlation_id):
        heard.append([type(comm).__name__, body, sender, subject, correlation_id])
        if body == "last":
            arrived.set()

    with meet() as here:
        yield here.broadcast_send("nobody hears it")
        yield here.add_broadcast_subscriber(fail, "fails")
        yield here.add_broadcast_subscriber(hear, "hears")
        yield raised(here.add_broadcast_subscriber, hear, "hears")
        yield here.broadcast_send({"a": 1}, sender=5, subject="state.x", correlation_id="c")
        yield here.broadcast_send("last")
        arrived.wait(PATIENCE)
        yield heard
        yield raised(here.remove_broadcast_subscriber, "other")
        yield raised(here.remove_broadcast_subscriber, "hears")
        yield raised(here.remove_broadcast_subscriber, "fails")
        yield here.add_broadcast_subscriber(hear, "hears")
        arrived.clear()
        here.broadcast_send("last")
        arrived.wait(PATIENCE)
        yield heard[-1]


def connecting():
    with kiwipy.connect(URL, testing_mode=True, message_exchange=secrets.token_hex(6)) as here:
        yield [type(here).__module__, type(here).__name__]
        version = here.server_properties["version"]
        yield len((version.decode() if isinstance(version, bytes) else version).split("."))
        yield here.loop().is_running()
        closed = threading.Event()
        here.add_close_callback(lambda *args: closed.set())
    yield closed.wait(PATIENCE)


def on_a_loop():
    import aio_pika
    from kiwipy.rmq import RmqCommunicator, async_connect

    async def scenario():
        trace = []
        name = f"scenario-{secrets.token_hex(6)}"
        names = {
            "message_exchange": name,
            "task_exchange": f"{name}.t",
            "task_queue": f"{name}.q",
            "testing_mode": True,
        }
        connection = await aio_pika.connect_robust(URL)
        async with RmqCommunicator(connection, **names) as here:
            trace.append([here.connected(), here.loop is asyncio.get_running_loop()])
            await here.add_rpc_subscriber(lambda comm, msg: msg, "same")
            trace.append(await (await here.rpc_send("same", 3)))

            async def later(comm, msg):
                future = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_soon(future.set_result, [msg])
                return future

            await here.add_rpc_subscriber(later, "later")
            trace.append(await (await (await here.rpc_send("later", 4))))
            await here.add_task_subscriber(later, "later")
            trace.append(await (await (await here.task_send(5))))
            try:
                await here.rpc_send("nobody", 1)
            except kiwipy.UnroutableError as error:
                trace.append(type(error).__name__)
            queue = await here.task_queue(f"{name}.other")
            await queue.task_send("pulled", no_reply=True)
            async with queue.next_task() as task, task.processing() as outcome:
                outcome.set_result(task.body)
            trace.append(task.state)
        trace.append(here.connected())
        try:
            await here.rpc_send("same", 3)
        except RuntimeError as error:
            trace.append(str(error))
        there = await async_connect(URL, **names)
        trace.append(there.connected())
        await there.disconnect()
        return trace

    yield from asyncio.run(scenario())


# --- two of them -----------------------------------------------------------------------------------------


def serve(name):
    heard = []

    def pending(comm, msg):
        future = kiwipy.Future()
        threading.Timer(0.05, future.set_result, [["late", msg]]).start()
        return future

    with meet(name) as here:
        here.add_rpc_subscriber(lambda comm, msg: ["answered", msg], "answers")
        here.add_rpc_subscriber(fail, "fails")
        here.add_rpc_subscriber(pending, "pending")
        here.add_rpc_subscriber(lambda comm, msg: heard, "heard")
        here.add_task_subscriber(lambda comm, task: ["done", task] if task != "fails" else fail(comm, task))
        here.add_broadcast_subscriber(lambda comm, *message: heard.append(list(message)))
        print("ready", flush=True)
        sys.stdin.read()


def ask(name):
    with meet(name) as here:
        yield ended(here.rpc_send("answers", {"a": [1]}))
        yield ended(here.rpc_send("fails", 1))
        yield ended(here.rpc_send("pending", 2))
        yield raised(here.rpc_send, "nobody", 2)[:3]
        yield raised(here.task_send, 1, no_reply=True)
        yield ended(here.task_send({"b": 2}))
        yield ended(here.task_send("fails"))
        yield here.broadcast_send("news", sender=1, subject="x.y", correlation_id="c")
        while not (heard := here.rpc_send("heard", None).result(PATIENCE)):
            continue
        yield heard


LOCAL = (
    local_rpc, local_rpc_error, local_tasks, local_broadcasts, filters, filters_are_alternatives, futures_of_threads,
    events, an_address_of_something_else, a_communicator_is_constructible,
)  # fmt: skip
BROKER = (
    rpc, rpc_with_futures, rpc_that_is_cancelled, a_task_that_cannot_be_decoded, tasks_to_subscribers, tasks_with_futures, tasks_that_are_pulled, a_task_that_is_forgotten,
    filtered_broadcasts, broadcasts, connecting,
    on_a_loop,
)  # fmt: skip


def main(verb, url, name=""):
    global URL
    URL = url
    if verb == "serve":
        serve(name)
    elif verb == "ask":
        print(json.dumps(list(ask(name)), default=repr))
    else:
        print(json.dumps({scenario.__name__: raised(list, scenario()) for scenario in LOCAL + BROKER}, default=repr))


if __name__ == "__main__":
    main(*sys.argv[1:])

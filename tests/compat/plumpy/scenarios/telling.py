"""How scenarios tell what they see: as plain values, the same from any library that behaves the same."""

import asyncio
import contextlib
import enum
import re
import secrets
import uuid

import plumpy
from kiwipy import rmq

SEEN = []
"""What the processes of the scenario that runs have told."""

HOOKS = (
    "on_entering", "on_entered", "on_exiting", "on_create", "on_run", "on_running", "on_wait", "on_waiting", "on_exit_running",
    "on_exit_waiting", "on_pausing", "on_paused", "on_playing", "on_finish", "on_finished", "on_except", "on_excepted", "on_kill",
    "on_killed", "on_terminated", "on_close", "on_output_emitting", "on_output_emitted",
)  # fmt: skip
ADDRESS = []
"""Of the broker, once it is known."""
SCENARIOS = []
"""Pairs of a name and a function that yields a trace."""


def scenario(function):
    """Have a generator function run as a scenario."""
    SCENARIOS.append((f"{function.__module__}.{function.__name__}", function))
    return function


def each(**cases):
    """Have a generator function run as one scenario for each case."""

    def decorate(function):
        for name, case in cases.items():
            title = f"{function.__module__}.{function.__name__}[{name}]"
            SCENARIOS.append((title, lambda case=case: function(*case)))
        return function

    return decorate


def raised(function, *args, **kwargs):
    """What comes of a call."""
    try:
        return ["returned", plain(function(*args, **kwargs))]
    except BaseException as error:
        return ["raised", type(error).__module__, type(error).__name__, plain(str(error))]


def plain(value):
    """A value as JSON has it, without what differs from run to run."""
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, str):
        return re.sub(r" at 0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|", "", value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, asyncio.Future):
        return ["future", type(value).__name__, *outcome(value)]
    if isinstance(value, plumpy.PortValidationError):
        return ["invalid", value.port, value.message]
    if isinstance(value, BaseException):
        return [type(value).__name__, plain(str(value))]
    if isinstance(value, uuid.UUID):
        return "uuid"
    if hasattr(value, "items"):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(each) for each in value), key=repr)
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, plumpy.AttributesDict):
        return plain(value.__dict__)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, plumpy.process_states.State):
        return f"state {plain(value.LABEL)}"
    return plain(f"{type(value).__name__} {value}")


def outcome(future):
    """How a future ended, if it did."""
    if not future.done():
        return ["pending"]
    if future.cancelled():
        return ["cancelled"]
    error = future.exception()
    return ["raised", plain(error)] if error is not None else ["result", plain(future.result())]


def watched(base):
    """A class that tells of every hook, before and after its base's."""

    def telling(name):
        def hook(self, *args, **kwargs):
            SEEN.append([name, *(plain(each) for each in args), self.state and self.state.value])
            try:
                return getattr(super(Watched, self), name)(*args, **kwargs)
            finally:
                SEEN.append(f"/{name}")

        hook.__name__ = name
        return hook

    Watched = type("Watched", (base,), {name: telling(name) for name in HOOKS})  # noqa: N806 (it is a class)
    return Watched


class Listener(plumpy.ProcessListener):
    """Tells of every event."""

    def __getattribute__(self, name):
        if name.startswith("on_"):
            return lambda _process, *args: SEEN.append([f"listener {name}", *plain(args)])
        return super().__getattribute__(name)


def facts(process):
    """What can be asked of a process."""
    return {
        "text": plain(str(process)),
        "state": plain(process.state),
        "paused": process.paused,
        "status": process.status,
        "before": process._pre_paused_status,
        "outputs": plain(process.outputs),
        "inputs": plain(process.inputs),
        "ended": process.has_terminated(),
        "killing": process.is_killing,
        "closed": process._closed,
        "result": raised(process.result),
        "successful": [raised(process.successful), process.is_successful, process.is_excepted, process.killed()],
        "killed_msg": raised(process.killed_msg),
        "exception": plain(process.exception()),
        "future": plain(process.future()),
    }


@contextlib.contextmanager
def broker():
    """A communicator over the broker, on a thread of its own, that shares names with nobody."""
    name = f"drop-in-{secrets.token_hex(6)}"
    with rmq.RmqThreadCommunicator.connect(
        connection_params={"url": ADDRESS[0]}, message_exchange=name, task_exchange=f"{name}.tasks", task_queue=f"{name}.queue",
        testing_mode=True,
    ) as communicator:  # fmt: skip
        yield communicator


async def turns(count=80):
    """Give the loop back, often enough that all that can happen has happened."""
    for _ in range(count):
        await asyncio.sleep(0)


def on_new_loop(function):
    """A scenario of an async generator function, run by a loop of its own."""

    def run(*args):
        async def collect():
            return [each async for each in function(*args)]

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            yield from loop.run_until_complete(asyncio.wait_for(collect(), 20))
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    run.__name__, run.__module__ = function.__name__, function.__module__
    return run

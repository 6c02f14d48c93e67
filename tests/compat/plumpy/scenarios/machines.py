"""The generic state machine, super checks, decorators, events and futures."""

import asyncio
import concurrent.futures

import kiwipy
import plumpy
from plumpy import event_helper, events, futures, lang, process_listener
from plumpy.base import state_machine, utils

from scenarios.telling import SEEN, each, on_new_loop, plain, raised, scenario, turns

A, B, C = "a", "b", "c"


class StateA(state_machine.State):
    LABEL = A
    ALLOWED = {B, C}  # noqa: RUF012

    def enter(self):
        super().enter()
        SEEN.append("enter a")

    def exit(self):
        super().exit()
        SEEN.append("exit a")


class StateB(state_machine.State):
    LABEL = B
    ALLOWED = {A, C}  # noqa: RUF012

    def __init__(self, machine, how=None):
        super().__init__(machine)
        self.how = how

    def enter(self):
        super().enter()
        if self.how == "fail":
            raise ValueError("cannot enter b")
        if self.how == "instead":
            raise state_machine.StateEntryFailed(self.create_state(C), 1, two=2)
        if self.how == "transit":
            self.state_machine.transition_to(self.create_state(C))


class StateC(state_machine.State):
    LABEL = C


class Machine(state_machine.StateMachine):
    STATES = (StateA, StateB, StateC)

    def init(self):
        super().init()
        SEEN.append("init")

    def on_terminated(self):
        super().on_terminated()
        SEEN.append("terminated")

    @state_machine.event(from_states=StateA, to_states=StateB)
    def go(self, how=None):
        self.transition_to(self.create_state(B, how))

    @state_machine.event(to_states=(StateB, StateC))
    def stay(self):
        return None

    @state_machine.event(to_states=StateB)
    def refuse(self):
        return False

    @state_machine.event(to_states=StateB)
    def lead_astray(self):
        self.transition_to(self.create_state(C))


@scenario
def a_machine():
    machine = Machine()
    for hook in state_machine.StateEventHook:
        machine.add_state_event_callback(
            hook, lambda machine, hook, state: SEEN.append([hook.name, plain(state and state.LABEL)])
        )
    yield [
        machine.state,
        str(machine),
        machine._state.in_state,
        machine._state.label,
        str(machine._state),
        machine.get_debug(),
    ]
    yield raised(machine.stay)
    yield raised(machine.go)
    yield [machine.state, raised(machine.go), raised(machine.refuse)]
    yield raised(machine.transition_to, None)
    yield raised(machine.transition_to, StateB(machine))
    yield raised(machine.lead_astray)
    yield [
        machine.state,
        machine._state.is_terminal(),
        raised(machine.transition_to, StateA(machine)),
        raised(machine._state.do_exit),
    ]
    yield raised(machine.create_state, "d")
    yield raised(machine._create_state_instance, "d")
    yield raised(machine.get_state_class, "d")
    yield [Machine.initial_state_label(), plain(Machine.get_states_map())]
    yield plain(state_machine.StateEntryFailed("state", 1, two=2).__dict__)
    yield str(state_machine.TransitionFailed("a", "b", "trace"))
    yield state_machine.EventError("go", "no").event


@each(fail=("fail",), instead=("instead",), transit=("transit",))
def entering(how):
    machine = Machine()
    yield raised(machine.go, how)
    yield [machine.state, machine._transitioning, machine._transition_failing]
    yield raised(machine.transition_to, StateC(machine))
    yield machine.state


@scenario
def bad_machines():
    class Stateless(state_machine.StateMachine):
        pass

    yield raised(Stateless)

    class Twice(state_machine.StateMachine):
        STATES = (StateA, StateA)

    yield raised(Twice)

    class Forgetful(Machine):
        def init(self):
            pass

    yield raised(Forgetful)[:3]

    class Elsewhere(Machine):
        def create_initial_state(self):
            return StateB(self)

    yield raised(Elsewhere)
    yield raised(state_machine.event, 3)[:3]
    yield raised(state_machine.event, int)[:3]
    yield raised(state_machine.event, to_states=(int,))[:3]


class Checked:
    @utils.super_check
    def method(self, *args):
        SEEN.append(["method", *args])


class Calls(Checked):
    def method(self, *args):
        super().method(*args)


class CallsNot(Checked):
    def method(self, *args):
        pass


@scenario
def super_checks():
    yield raised(Checked().method)
    for kind in (Checked, Calls, CallsNot):
        made = kind()
        yield [raised(utils.call_with_super_check, made.method, 1), getattr(made, "_called", None)]
    yield Checked.method.__name__


@scenario
def decorators():
    yield raised(lang.protected(), property(lambda self: 1))
    yield raised(lang.override(), property(lambda self: 1))
    yield raised(lang.protected(), lambda: 1)
    yield raised(lang.override(), lambda: 1)

    class Safe:
        @lang.protected(check=True)
        def inner(self):
            return "inner"

        def outer(self):
            return self.inner()

        @lang.override(check=True)
        def nothing(self):
            return "nothing"

        @lang.override(check=True)
        def __str__(self):
            return "text"

    safe = Safe()
    yield [raised(safe.outer), raised(safe.inner), raised(safe.nothing)[:3], raised(safe.__str__)]
    yield [lang.NULL == lang.NULL, lang.NULL == 3, lang.NULL is lang.NULL]


@scenario
def helpers_of_events():
    helper = event_helper.EventHelper(process_listener.ProcessListener)
    listener = process_listener.ProcessListener()
    yield raised(event_helper.EventHelper, None)
    yield raised(helper.add_listener, 3)
    helper.add_listener(listener)
    helper.add_listener(listener)
    yield len(helper.listeners)
    yield raised(helper.fire_event, None)
    helper.fire_event(process_listener.ProcessListener.on_process_running, None)
    listener.on_process_running = lambda process: 1 / 0
    helper.fire_event(process_listener.ProcessListener.on_process_running, None)
    helper.remove_listener(3)
    helper.remove_all_listeners()
    yield len(helper.listeners)


@scenario
@on_new_loop
async def actions():
    action = futures.CancellableAction(lambda *args: SEEN.append(args) or "done", cookie="cookie")
    yield [action.cookie, action.done()]
    action.run(1, 2)
    yield [plain(action), raised(action.run)]
    action = futures.CancellableAction(lambda: 1 / 0)
    action.run()
    yield plain(action)
    action = futures.CancellableAction(print)
    action.cancel()
    yield [plain(action), raised(action.run)]

    async def fail():
        raise ValueError("no")

    async def give():
        return [1]

    for coro in (fail, give):
        task = futures.create_task(coro)
        await turns(10)
        yield plain(task)
    copied = plumpy.Future()
    futures.copy_future(task, copied)
    yield plain(copied)


@scenario
def futures_between_threads():
    for end in ("value", "error", "cancel"):
        inner, middle, outer = kiwipy.Future(), kiwipy.Future(), kiwipy.Future()
        unwrapped = futures.unwrap_kiwi_future(outer)
        outer.set_result(middle)
        yield unwrapped.done()
        middle.set_result(inner)
        if end == "value":
            inner.set_result(3)
        elif end == "error":
            inner.set_exception(ValueError("no"))
        else:
            inner.cancel()
        yield [unwrapped.cancelled(), raised(unwrapped.result, 1)[-1]]
    yield [
        plumpy.CancelledError is concurrent.futures.CancelledError,
        plumpy.Future is asyncio.Future,
        plumpy.gather is asyncio.gather,
    ]


@scenario
def loops():
    asyncio.set_event_loop(None)
    loop = plumpy.get_or_create_event_loop()
    yield [
        plumpy.get_or_create_event_loop() is loop,
        loop.is_closed(),
        asyncio.get_event_loop_policy().get_event_loop() is loop,
    ]
    loop.close()
    other = plumpy.get_or_create_event_loop()
    yield [other is loop, other.is_closed()]

    async def inside():
        return plumpy.get_or_create_event_loop() is asyncio.get_running_loop()

    yield asyncio.run(inside())
    asyncio.set_event_loop(None)
    other.close()
    yield sorted(name for name in dir(events.ProcessCallback) if name[0] != "_")

"""`execute()` from wherever it is called, and what it leaves behind: nothing."""

import asyncio
import contextlib
import importlib.util
import subprocess
import sys
import textwrap
import threading

import pytest

from drupe import Continue, Process, Wait
from drupe.errors import KilledError, LoopError
from drupe.runtime import bridge, portal


class Echo(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("value", required=False)
        spec.output("value", required=False)

    async def run(self):
        assert Process.current() is self
        await asyncio.sleep(0)
        assert Process.current() is self
        self.out("value", self.inputs.get("value"))


class Failing(Process):
    async def run(self):
        await asyncio.sleep(0)
        raise LookupError("lost")


class Interrupted(Process):
    def run(self):
        raise KeyboardInterrupt


class Nested(Process):
    """Executes another process inside its step, on a loop that may be given."""

    inner = Echo
    loop_of_inner = None
    waits = False

    async def run(self):
        if self.waits:
            await asyncio.sleep(0)
        try:
            return self.inner({}, loop=self.loop_of_inner).execute()
        finally:
            assert Process.current() is self
            await asyncio.sleep(0)
            assert Process.current() is self


def surroundings():
    """What must be the same before and after."""
    running = asyncio._get_running_loop()
    return (
        running,
        None if running is None else asyncio.current_task(running),
        bridge.current_loop(),
        asyncio.get_event_loop_policy(),
        Process.current(),
    )


@contextlib.contextmanager
def unchanged():
    before = surroundings()
    try:
        yield
    finally:
        assert surroundings() == before


@pytest.fixture(params=[Echo, Failing, Interrupted])
def ending(request):
    """A process class, and what its end looks like from outside."""
    errors = {Echo: None, Failing: LookupError, Interrupted: KeyboardInterrupt}
    error = errors[request.param]
    return request.param, contextlib.nullcontext() if error is None else pytest.raises(error)


def in_thread(function):
    """Call `function` in a thread of its own and get its result."""
    found = []

    def call():
        try:
            found.append((True, function()))
        except BaseException as error:  # noqa: BLE001 (raised again below)
            found.append((False, error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    ((well, value),) = found
    if not well:
        raise value
    return value


def test_in_a_plain_script(ending):
    kind, end = ending
    with unchanged(), end:
        kind().execute()


def test_again_and_again_on_loops_that_are_not_left_open():
    with unchanged():
        assert [Echo({"value": n}).execute().value for n in range(20)] == list(range(20))


async def test_inside_a_coroutine(ending):
    kind, end = ending
    with unchanged(), end:
        kind().execute()


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("outer", [False, True])
def test_inside_a_step(ending, waits, outer):
    kind, end = ending
    parent = type("Parent", (Nested,), {"inner": kind, "waits": waits})
    with unchanged(), end:
        asyncio.run(one(parent)) if outer else parent().execute()


async def one(kind):
    """Run a process to its end inside a running loop."""
    return await kind()


@pytest.mark.parametrize("waits", [False, True])
def test_inside_a_step_on_another_loop(ending, waits):
    kind, end = ending
    loop = asyncio.new_event_loop()
    try:
        parent = type("Parent", (Nested,), {"inner": kind, "waits": waits, "loop_of_inner": loop})
        with unchanged(), end:
            parent().execute()
        assert not loop.is_running()
        assert not loop.is_closed()
    finally:
        loop.close()


async def test_inside_a_coroutine_on_another_loop(ending):
    kind, end = ending
    loop = asyncio.new_event_loop()
    try:
        with unchanged(), end:
            kind(loop=loop).execute()
    finally:
        loop.close()


def test_on_a_loop_that_was_given_and_is_not_closed(ending):
    kind, end = ending
    loop = asyncio.new_event_loop()
    try:
        with unchanged(), end:
            kind(loop=loop).execute()
        assert not loop.is_closed()
        assert Echo({"value": 2}, loop=loop).execute().value == 2
    finally:
        loop.close()


def test_in_a_thread(ending):
    kind, end = ending

    def call():
        with unchanged(), end:
            kind().execute()

    in_thread(call)


def test_in_a_thread_inside_a_step():
    class Parent(Process):
        def run(self):
            found = in_thread(lambda: (Process.current(), Echo({"value": 3}).execute().value))
            assert Process.current() is self
            return found

    parent = Parent()
    parent.execute()
    assert parent.result() == (None, 3)


async def test_in_a_worker_thread_that_carries_the_context():
    class Parent(Process):
        async def run(self):
            def call():
                assert Process.current() is self
                return Echo({"value": 4}).execute().value

            return await asyncio.to_thread(call)

    parent = Parent()
    await parent
    assert parent.result() == 4


def test_a_closed_loop_is_refused():
    loop = asyncio.new_event_loop()
    loop.close()
    with unchanged(), pytest.raises(LoopError, match="closed"):
        Echo(loop=loop).execute()


def test_a_loop_that_runs_in_another_thread_is_refused():
    loop = asyncio.new_event_loop()
    running = threading.Event()
    loop.call_soon(running.set)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        running.wait()
        with unchanged(), pytest.raises(LoopError, match="another thread"):
            Echo(loop=loop).execute()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_two_levels_of_portals_and_loops_interleave():
    class Deep(Process):
        @classmethod
        def define(cls, spec):
            super().define(spec)
            spec.input("depth")

        async def run(self):
            await asyncio.sleep(0)
            depth = self.inputs.depth
            if not depth:
                return 0
            loop = asyncio.new_event_loop() if depth % 2 else None
            try:
                below = Deep({"depth": depth - 1}, loop=loop)
                below.execute()
                assert Process.current() is self
                return below.result() + 1
            finally:
                if loop is not None:
                    loop.close()

    deep = Deep({"depth": 12})
    with unchanged():
        deep.execute()
    assert deep.result() == 12


def test_five_thousand_nested_levels_at_the_default_recursion_limit():
    class Level(Process):
        @classmethod
        def define(cls, spec):
            super().define(spec)
            spec.input("depth")

        def run(self):
            if not self.inputs.depth:
                return 0
            below = Level({"depth": self.inputs.depth - 1})
            below.execute()
            assert Process.current() is self
            return below.result() + 1

    assert sys.getrecursionlimit() <= 1000 or "pydevd" in sys.modules
    top = Level({"depth": 5000})
    with unchanged():
        top.execute()
    assert top.result() == 5000


def test_a_process_that_steers_itself_while_another_executes_it():
    class Resting(Process):
        def run(self):
            self.loop.call_soon(self.kill, "from the loop")
            return Wait()

    with unchanged(), pytest.raises(KilledError, match="from the loop"):
        Resting().execute()


def test_tasks_that_a_script_left_on_its_loop_are_not_touched():
    async def leave():
        return asyncio.get_running_loop().create_task(asyncio.Event().wait())

    loop = asyncio.new_event_loop()
    try:
        left = loop.run_until_complete(leave())
        Echo(loop=loop).execute()
        assert not left.done()
        left.cancel()
        loop.run_until_complete(asyncio.gather(left, return_exceptions=True))
    finally:
        loop.close()


async def test_plain_code_cannot_wait_outside_of_a_portal():
    future = asyncio.get_running_loop().create_future()
    assert not portal.is_open()
    with pytest.raises(LoopError, match="portal"):
        portal.wait(future)


def run_script(text, *arguments):
    """Run a script in a fresh interpreter, warnings being errors there too; get what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", textwrap.dedent(text), *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


def test_a_script_leaves_nothing_open_and_nothing_unsaid():
    printed = run_script(
        """
        import asyncio
        from drupe import Continue, Process

        class Inner(Process):
            async def run(self):
                await asyncio.sleep(0)
                asyncio.get_running_loop().create_task(asyncio.Event().wait())  # left behind
                return 1

        class Outer(Process):
            def run(self):
                inner = Inner()
                inner.execute()
                return inner.result() + 1

        outer = Outer()
        outer.execute()
        print(outer.result())
        """
    )
    assert printed == ["2"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("nest_asyncio") is None, reason="needs nest_asyncio")
def test_where_the_user_has_made_the_loop_re_entrant():
    printed = run_script(
        """
        import asyncio, warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import nest_asyncio
        from drupe import Process

        class Inner(Process):
            async def run(self):
                await asyncio.sleep(0)
                assert Process.current() is self
                return 1

        class Outer(Process):
            async def run(self):
                await asyncio.sleep(0)
                inner = Inner()
                inner.execute()
                assert Process.current() is self
                return inner.result() + 1

        async def main():
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            nest_asyncio.apply()
            outer = Outer()
            outer.execute()
            assert asyncio.get_running_loop() is loop
            assert asyncio.current_task() is task
            assert Process.current() is None
            again = Outer()
            await again
            return outer.result() + again.result()

        print(asyncio.run(main()))
        """
    )
    assert printed == ["4"]


class Ticking(Process):
    def run(self, count=0):
        return Continue(self.run, count + 1) if count < 100 else count


async def test_other_processes_of_the_loop_go_on_while_a_step_executes_one():
    class Slow(Process):
        async def run(self):
            await ticking.future()

    class Parent(Process):
        def run(self):
            Slow().execute()
            return ticking.has_terminated()

    ticking, parent = Ticking(), Parent()
    await asyncio.gather(parent, ticking)
    assert parent.result() is True

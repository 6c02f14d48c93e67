"""Processes in a real notebook kernel, whose loop runs already."""

import asyncio
import sys
import textwrap

import pytest

from drupe.runtime import bridge

jupyter_client = pytest.importorskip("jupyter_client")
pytest.importorskip("ipykernel")

pytestmark = pytest.mark.slow

SETUP = """
import asyncio
from drupe import Process, ToContext, WorkChain

class Inner(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("value")

    async def run(self):
        await asyncio.sleep(0.001)
        assert Process.current() is self
        self.out("value", 1)

class Outer(Process):
    async def run(self):
        value = Inner().execute().value
        assert Process.current() is self
        await asyncio.sleep(0)
        return value + (await Inner()).value

class Chain(WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.ask, cls.end)

    def ask(self):
        return ToContext(inner=[self.submit(Inner) for _ in range(3)])

    def end(self):
        return sum(inner.value for inner in self.ctx.inner) + Inner().execute().value

def executed(kind):
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    process = kind()
    process.execute()
    assert asyncio.get_running_loop() is loop
    assert asyncio.current_task() is task
    assert Process.current() is None
    return process.result()
"""


@pytest.fixture(scope="module")
def kernel():
    """A function that runs a cell and gets the text of its last value."""
    manager = jupyter_client.KernelManager()
    manager.kernel_spec.argv[0] = sys.executable
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=30)

        def run(cell):
            found = []
            reply = client.execute_interactive(
                textwrap.dedent(cell), timeout=30, store_history=False, output_hook=found.append
            )
            errors = [message["content"]["traceback"] for message in found if message["msg_type"] == "error"]
            assert reply["content"]["status"] == "ok", "\n".join(errors[0])
            results = [message["content"] for message in found if message["msg_type"] == "execute_result"]
            said = [message["content"]["text"] for message in found if message["msg_type"] == "stream"]
            assert said == []
            return results[-1]["data"]["text/plain"] if results else None

        run(SETUP)
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        if (loop := bridge.current_loop()) is not None:  # the client made it current, and other tests must not find it
            asyncio.set_event_loop(None)
            loop.close()


def test_execute_in_a_cell(kernel):
    assert kernel("executed(Outer), executed(Chain), executed(Outer)") == "(2, 4, 2)"


def test_await_in_a_cell(kernel):
    cell = """
    outer, chain = Outer(), Chain()
    await asyncio.gather(outer, chain)
    [outer.result(), chain.result()]
    """
    assert kernel(cell) == "[2, 4]"


def test_a_process_left_running_goes_on_between_cells(kernel):
    kernel("left = Outer(); task = asyncio.create_task(left.step_until_terminated())")
    assert kernel("await task; left.result()") == "2"


def test_execute_in_a_cell_where_nest_asyncio_was_applied(kernel):
    cell = """
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nest_asyncio
        nest_asyncio.apply()
    first = executed(Outer), executed(Chain)
    outer = Outer()
    await outer
    *first, outer.result()
    """
    assert kernel(cell) == "(2, 4, 2)"

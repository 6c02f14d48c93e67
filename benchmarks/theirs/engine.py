"""The works of `both` with the import name plumpy, whoever stands behind it; and processes that listen to a broker."""

import asyncio
import os

import plumpy
from kiwipy import rmq
from stopwatch import Stopwatch

os.environ["BENCHMARK_LIBRARY"] = "plumpy"

from both.chain import flat, loop
from both.nesting import executed
from both.process import at_once, one_after_the_other
from both.step import continued

from theirs.messages import names

__all__ = ["at_once", "continued", "executed", "flat", "loop", "one_after_the_other", "waiting"]


class Waits(plumpy.Process):
    def init(self):
        super().init()
        self.waits = asyncio.Event()

    def run(self):
        return plumpy.Wait(self.go_on)

    def go_on(self):
        pass

    def on_waiting(self):
        super().on_waiting()
        self.waits.set()


def waiting(watch: Stopwatch, *, size: int) -> int:
    """Get processes to wait that can be reached over the broker. The unit is a process."""

    async def main(communicator) -> None:
        loop = asyncio.get_running_loop()
        wrapped = plumpy.wrap_communicator(communicator, loop)
        with watch:
            processes = [Waits(communicator=wrapped, loop=loop) for _ in range(size)]
            running = [asyncio.ensure_future(process.step_until_terminated()) for process in processes]
            await asyncio.gather(*(process.waits.wait() for process in processes))
        for process in processes:
            process.resume()
        await asyncio.gather(*running)

    with rmq.RmqThreadCommunicator.connect(
        connection_params={"url": os.environ["DRUPE_BENCH_AMQP"]}, **names()
    ) as communicator:
        asyncio.run(main(communicator))
    return size

"""A way to a broker that can be cut: between client and broker, at once, or after so many bytes."""

import asyncio


class Proxy:
    """Carries connections to a port of this machine.

    Attributes:
        allowance: how many more bytes go to the broker before everything is cut; None: all.
        deaf: whether what the broker says is held back.
    """

    def __init__(self, port):
        self._target = port
        self._server = None
        self._writers = set()
        self._tasks = set()
        self.allowance = None
        self.deaf = asyncio.Event()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    @property
    def url(self):
        return f"amqp://guest:guest@127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    def cut(self):
        """End every connection at once."""
        for writer in self._writers:
            writer.transport.abort()

    async def _carry(self, reader, writer):
        self._tasks.add(task := asyncio.current_task())
        task.add_done_callback(self._tasks.discard)
        try:
            there, to_broker = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_broker}
        try:
            await asyncio.gather(self._pump(reader, to_broker, counted=True), self._pump(there, writer, counted=False))
        finally:
            for one in (writer, to_broker):
                one.transport.abort()
                self._writers.discard(one)

    async def _pump(self, reader, writer, *, counted):
        try:
            while data := await reader.read(65536):
                if not counted and self.deaf.is_set():
                    continue
                if counted and self.allowance is not None:
                    data, rest = data[: self.allowance], data[self.allowance :]
                    self.allowance -= len(data)
                    writer.write(data)
                    await writer.drain()
                    if rest or not self.allowance:
                        self.allowance = None
                        self.cut()
                        return
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()

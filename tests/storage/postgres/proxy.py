"""A way to a database that can be cut: as a port of this machine that leads to its socket."""

import asyncio
import contextlib
from urllib.parse import urlsplit


class Proxy:
    """Carries connections to the socket of a server.

    Attributes:
        direct: the address without it.
        cut_before: a text; before a request with it goes to the server, everything is cut, once.
        cut_after: likewise, but the server gets the request, and its answer is thrown away.
        cuts: how often something was cut.
    """

    def __init__(self, url):
        self.direct = url
        self._path = None
        self._server = None
        self._writers = set()
        self._tasks = set()
        self.cut_before = None
        self.cut_after = None
        self.cuts = 0

    async def __aenter__(self):
        query = dict(pair.split("=", 1) for pair in urlsplit(self.direct).query.split("&"))
        self._path = f"{query['host'].replace('%2F', '/')}/.s.PGSQL.5432"
        self._schema = query.get("schema", "drupe")
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
        port = self._server.sockets[0].getsockname()[1]
        user = urlsplit(self.direct).username
        return f"postgresql://{user}@127.0.0.1:{port}/postgres?sslmode=disable&schema={self._schema}"

    def cut(self):
        """End every connection at once."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _carry(self, reader, writer):
        self._tasks.add(task := asyncio.current_task())
        task.add_done_callback(self._tasks.discard)
        try:
            there, to_server = await asyncio.open_unix_connection(self._path)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_server}
        deaf = asyncio.Event()
        try:
            await asyncio.gather(self._ask(reader, to_server, deaf), self._answer(there, writer, deaf))
        finally:
            for one in (writer, to_server):
                one.transport.abort()
                self._writers.discard(one)

    async def _ask(self, reader, writer, deaf):
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 20):
                if self.cut_before is not None and self.cut_before in data:
                    self.cut_before = None
                    self.cuts += 1
                    self.cut()
                    return
                if self.cut_after is not None and self.cut_after in data:
                    self.cut_after = None
                    deaf.set()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def _answer(self, reader, writer, deaf):
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 20):
                if deaf.is_set():  # it has answered: the commit is done, and nobody hears of it
                    self.cuts += 1
                    self.cut()
                    return
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

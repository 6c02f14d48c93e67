"""What workers run on: the store and the broker that were asked for, started here if need be.

Each is one class here; what a run is given on the command line is one of `stores` and one of `brokers`.
"""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from chaos.tables import SCHEME, with_schema
from drupe.service.profile import SETTINGS

SQLITE, POSTGRESQL, RABBITMQ = "sqlite", "postgresql", "rabbitmq"


class Server(Protocol):
    """Something that can be restarted while it is used."""

    name: str

    def stop(self) -> None:
        """End it at once."""

    def start(self) -> None:
        """Start it; return when it answers."""

    def close(self) -> None:
        """End it for good."""


class Surroundings:
    """Store and broker of a run.

    Args:
        store: what the setting `store` is set to.
        broker: what the setting `broker` is set to.
        servers: what was started here, and may be restarted.
    """

    def __init__(self, store: str, broker: str, servers: list[Server]) -> None:
        self.store = store
        self.broker = broker
        self.servers = servers

    def variables(self, folder: Path, *, lease: float, durability: str) -> dict[str, str]:
        """Get the environment of programs of the run."""
        root = Path(__file__).parents[1]
        others = {name: value for name, value in os.environ.items() if not name.startswith("DRUPE_")}
        if any(setting.name == "attempts" for setting in SETTINGS):  # nobody here is killed by what it runs
            others["DRUPE_ATTEMPTS"] = "1000"
        return others | {
            "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)]),
            "CHAOS_EFFECTS": str(folder / "effects"),
            "DRUPE_STORE": self.store,
            "DRUPE_BROKER": self.broker,
            "DRUPE_LEASE": str(lease),
            "DRUPE_DURABILITY": durability,
            "DRUPE_IMPORTS": "chaos.errand",
            "NO_COLOR": "1",
        }


@contextmanager
def surrounded(store: str, broker: str, *, durability: str = "full") -> Iterator[Surroundings]:
    """Have a store and a broker, for the time of a block.

    Args:
        store: ``sqlite``, ``postgresql`` for one that is started here, or the address of a database; in it a schema of
            its own is used and left there, unless the address says which.
        broker: ``local``, ``rabbitmq`` for one that is started here, or the address of one that runs.
        durability: of the store.
    """
    with ExitStack() as stack:
        servers: list[Server] = []
        if store == POSTGRESQL:
            database = _started(stack, partial(Postgresql, durability=durability))
            servers.append(database)
            store = database.url
        if broker == RABBITMQ:
            node = _started(stack, Rabbitmq)
            servers.append(node)
            broker = node.url
        if store.startswith(SCHEME):
            store = with_schema(store, f"chaos_{secrets.token_hex(4)}")
        yield Surroundings("store.db" if store == SQLITE else store, broker, servers)


S = TypeVar("S", bound=Server)


def _started(stack: ExitStack, make: Callable[[Path], S]) -> S:
    """Have a server, in a folder of its own, until the stack ends."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drupe-chaos-")))
    server = make(folder)
    stack.callback(server.close)
    server.start()
    return server


class Rabbitmq:
    """A RabbitMQ node of the run's own."""

    name = "broker"

    def __init__(self, folder: Path) -> None:
        from tests.messaging.rabbitmq.node import Node

        self._node = Node(folder)
        self.url = self._node.url

    def start(self) -> None:
        self._node.start()

    def stop(self) -> None:
        self._node.kill()

    def close(self) -> None:
        self._node.close()


class Postgresql:
    """A PostgreSQL server of the run's own.

    It is stopped as by a power cut. With the durability ``process`` it is stopped in good order, though whoever is
    connected is thrown out: nothing more is promised then.
    """

    name = "database"

    def __init__(self, folder: Path, *, durability: str) -> None:
        from tests.storage.postgres.server import Server

        self._server = Server(folder)
        self._server.create()
        self._is_cut = durability == "full"
        self.url = self._server.url()

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        if self._is_cut:
            self._server.crash()
        else:
            self._server.close()

    def close(self) -> None:
        self._server.close()

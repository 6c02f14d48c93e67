"""What workers run on: the store and the broker that were asked for, started here if need be.

Each is one class here; what a run is given on the command line is one of `stores` and one of `brokers`.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from drupe.service.profile import SETTINGS

SQLITE, LOCAL, RABBITMQ = "sqlite", "local", "rabbitmq"


class Server(Protocol):
    """Something that can be restarted while it is used."""

    name: str

    def restart(self) -> None:
        """End it at once, and start it again; return when it answers."""


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
def surrounded(store: str, broker: str) -> Iterator[Surroundings]:
    """Have a store and a broker, for the time of a block.

    Args:
        store: ``sqlite``, or the address of a database.
        broker: ``local``, ``rabbitmq`` for one that is started here, or the address of one that runs.
    """
    with ExitStack() as stack:
        servers: list[Server] = []
        if broker == RABBITMQ:
            node = stack.enter_context(_rabbitmq())
            servers.append(node)
            broker = node.url
        yield Surroundings("store.db" if store == SQLITE else store, broker, servers)


class Rabbitmq:
    """A RabbitMQ node of the run's own."""

    name = "broker"

    def __init__(self, folder: Path) -> None:
        from tests.messaging.rabbitmq.node import Node

        self._node = Node(folder)
        self._node.start()
        self.url = self._node.url

    def restart(self) -> None:
        self._node.kill()
        self._node.start()

    def close(self) -> None:
        """End it."""
        self._node.close()


@contextmanager
def _rabbitmq() -> Iterator[Rabbitmq]:
    with tempfile.TemporaryDirectory(prefix="drupe-chaos-") as folder:
        server = Rabbitmq(Path(folder))
        try:
            yield server
        finally:
            server.close()

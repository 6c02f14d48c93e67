"""The communicator over a RabbitMQ broker."""

from drupe.core.key import KeyRing
from drupe.errors import CommunicationError
from drupe.interfaces.ambient import Clock, Ids
from drupe.messaging.envelope import Envelope, PlainEnvelope
from drupe.messaging.participant import Participant
from drupe.messaging.rabbitmq import address
from drupe.messaging.rabbitmq.connection import Connection
from drupe.messaging.rabbitmq.link import RabbitmqLink
from drupe.messaging.rabbitmq.tasks import RabbitmqTasks
from drupe.messaging.rabbitmq.topology import Topology
from drupe.messaging.seal import Seal
from drupe.runtime.ids import RandomIds


class RabbitmqCommunicator(Participant):
    """A communicator among those of one broker.

    When the connection is lost it comes back by itself, with every subscription. RPCs that were on their way meanwhile
    fail (`BrokerUnavailableError`); tasks are sent again, and may arrive twice.

    Args:
        url: where the broker is: ``amqp://USER:PASSWORD@HOST/VHOST``; to another machine ``amqps://``.
        topology: names that all have in common.
        keys: seal every message. Without them only a broker on this machine is used.
        envelope: goes around every message instead of a seal, to speak to others than drupe.
        authority: a file with the certificates that the broker is verified by; by default those of the system.
        heartbeat: seconds after which a silent connection is given up.
        clock: says when an RPC is too late to be begun.
        ids: makes identifiers.
    """

    def __init__(  # noqa: PLR0913 (each is a part that can be replaced, with a default)
        self,
        url: str,
        *,
        topology: Topology | None = None,
        keys: KeyRing | None = None,
        envelope: Envelope | None = None,
        authority: str | None = None,
        heartbeat: float = 20.0,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        ids, topology = ids or RandomIds(), topology or Topology()
        if envelope is None:
            envelope = _envelope(url, keys, topology, clock)
        self._connection = connection = Connection(
            address.check(url), tls=address.tls(url, authority=authority), heartbeat=heartbeat
        )
        self._broker_link = link = RabbitmqLink(connection, topology, envelope, ids.pid()[-16:])
        self._broker_tasks = broker_tasks = RabbitmqTasks(connection, topology, envelope)
        super().__init__(link, broker_tasks, sources=broker_tasks.open_source, clock=clock, ids=ids)

    async def open(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailableError: the broker cannot be reached, or lets nobody in.
        """
        await super().open()
        await self._connection.open(self)

    async def close(self) -> None:
        """End everything, and disconnect."""
        await super().close()
        await self._connection.close()

    # --- what the connection tells -----------------------------------------------------------------------

    async def restore(self) -> None:
        """Declare and subscribe on a new connection."""
        await self._broker_link.restore()
        await self._broker_tasks.restore()

    def interrupted(self, error: CommunicationError) -> None:
        """The connection is lost."""
        self._broker_link.interrupted(error)

    def failed(self, error: CommunicationError) -> None:
        """There will be no other connection."""
        self.closed(error)


def _envelope(url: str, keys: KeyRing | None, topology: Topology, clock: Clock | None) -> Envelope:
    if keys is not None:
        return Seal(keys, topology.prefix, clock=clock)
    address.refuse_unsealed(url)
    return PlainEnvelope()

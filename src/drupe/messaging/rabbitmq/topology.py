"""What a broker has for drupe: exchanges and queues, by name, kind and arguments. Plain values, decided here alone.

- *calls* leads an RPC to the one queue of whoever answers to its key; *lost* leads it back to the caller when that one dies.
- *news* leads a broadcast to everybody.
- *tasks* leads a task into its durable queue. A task that is rejected waits in a queue of *later* until its time comes, and
  one that is delivered too often without being acknowledged ends in *dead*, for a person to look at.
"""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

_READABLE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_LONGEST: Final = 100


def key_of(name: str) -> str:
    """Get a routing key for any text: itself where it is short and plain, else its hash (a key has 255 bytes at most)."""
    if 0 < len(name) <= _LONGEST and _READABLE.issuperset(name):
        return name
    return "~" + blake2b(name.encode(errors="surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class QueueForm:
    """How a queue is declared."""

    name: str
    durable: bool = False
    exclusive: bool = False
    auto_delete: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The names that participants meet by, and what their queues are like.

    Those who are to meet have the same; another prefix is another world on the same broker.
    """

    prefix: str = "drupe"
    delivery_limit: int = 20
    """So often the broker delivers a task that nobody acknowledges, before it takes it for a poison."""
    call_wait_ms: int = 2_000
    """How long a call waits to be delivered. A broker holds back what a participant reads too slowly, for example the
    201st of many calls that come together; what waits for longer comes back as if nobody were there."""
    call_patience_ms: int = 10_000
    """How long the queue for calls of a participant that is gone stays."""
    reply_patience_ms: int = 600_000
    """How long replies wait for a participant whose connection is down."""
    news_length: int = 100_000
    """So many broadcasts wait in the broker for a participant that does not read."""

    def exchanges(self) -> dict[str, str]:
        """Get the kind of each exchange by its name."""
        direct = dict.fromkeys((self.calls, self.lost, self.tasks), "direct")
        return direct | {self.news: "fanout", self.dead: "fanout"}

    @property
    def calls(self) -> str:
        """Exchange of RPCs; the key is that of the identifier."""
        return f"{self.prefix}.calls"

    @property
    def lost(self) -> str:
        """Exchange of RPCs that come back; the key is the caller's address."""
        return f"{self.prefix}.lost"

    @property
    def news(self) -> str:
        """Exchange of broadcasts."""
        return f"{self.prefix}.news"

    @property
    def tasks(self) -> str:
        """Exchange of tasks; the key is that of the queue."""
        return f"{self.prefix}.tasks"

    @property
    def dead(self) -> str:
        """Exchange of tasks that were given up."""
        return f"{self.prefix}.dead"

    def later(self, delay_ms: int) -> str:
        """Get the exchange of tasks that come back after ``delay_ms``; the key is that of their queue."""
        return f"{self.prefix}.later.{delay_ms}"

    # --- queues ------------------------------------------------------------------------------------------

    def call_queue(self, address: str) -> QueueForm:
        """Get the queue of calls to one participant.

        A call that is not delivered soon expires: so does one that was not answered when its receiver died.
        The queue outlives its participant for a while, because one that is deleted takes its messages along.
        """
        arguments = {
            "x-message-ttl": self.call_wait_ms,
            "x-expires": self.call_patience_ms,
            "x-dead-letter-exchange": self.lost,
        }
        return QueueForm(f"{self.prefix}.calls.{address}", arguments=arguments)

    def reply_queue(self, address: str) -> QueueForm:
        """Get the queue of replies to one participant; it survives a lost connection and a restart of the broker."""
        arguments = {"x-expires": self.reply_patience_ms}
        return QueueForm(f"{self.prefix}.replies.{address}", durable=True, arguments=arguments)

    def news_queue(self, name: str) -> QueueForm:
        """Get the queue of broadcasts to one participant, which ends with its connection; the oldest make room."""
        arguments = {"x-max-length": self.news_length, "x-overflow": "drop-head"}
        return QueueForm(f"{self.prefix}.news.{name}", exclusive=True, auto_delete=True, arguments=arguments)

    def task_queue(self, name: str) -> QueueForm:
        """Get a queue of tasks: replicated where the broker is a cluster, with no limit of time or length."""
        arguments = {
            "x-queue-type": "quorum",
            "x-delivery-limit": self.delivery_limit,
            "x-dead-letter-exchange": self.dead,
        }
        return QueueForm(f"{self.prefix}.tasks.{key_of(name)}", durable=True, arguments=arguments)

    def dead_queue(self) -> QueueForm:
        """Get the queue of tasks that were given up."""
        return QueueForm(f"{self.prefix}.dead", durable=True, arguments={"x-queue-type": "quorum"})

    def later_queue(self, delay_ms: int) -> QueueForm:
        """Get the queue of tasks that come back after ``delay_ms``: its time-to-live leads back, never away."""
        arguments = {"x-message-ttl": delay_ms, "x-dead-letter-exchange": self.tasks}
        return QueueForm(self.later(delay_ms), durable=True, arguments=arguments)

"""Messages by way of RabbitMQ."""

from kiwipy.rmq import communicator, defaults, messages, tasks, threadcomms, utils  # noqa: F401 (names too)
from kiwipy.rmq.communicator import RmqCommunicator, async_connect
from kiwipy.rmq.tasks import RmqIncomingTask, RmqTaskPublisher, RmqTaskQueue, RmqTaskSubscriber
from kiwipy.rmq.threadcomms import RmqThreadCommunicator, RmqThreadTaskQueue, connect

__all__ = (
    "RmqCommunicator",
    "RmqIncomingTask",
    "RmqTaskPublisher",
    "RmqTaskQueue",
    "RmqTaskSubscriber",
    "RmqThreadCommunicator",
    "RmqThreadTaskQueue",
    "async_connect",
    "connect",
)

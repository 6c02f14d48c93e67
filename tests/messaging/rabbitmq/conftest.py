"""A broker: the one whose address is given, else one of the tests' own."""

import os
import secrets
import tempfile
from functools import partial
from pathlib import Path

import pytest

from drupe.messaging.rabbitmq.communicator import RabbitmqCommunicator
from drupe.messaging.rabbitmq.topology import Topology
from tests.messaging.rabbitmq.node import Node, is_installed

GIVEN = "DRUPE_TEST_AMQP"


@pytest.fixture(scope="session")
def broker_url():
    """The address of a running broker."""
    if given := os.environ.get(GIVEN):
        yield given
        return
    if not is_installed():
        pytest.fail(f"needs RabbitMQ: install rabbitmq-server, or set {GIVEN} to the address of a running one")
    with tempfile.TemporaryDirectory(prefix="drupe-broker-") as folder:
        node = Node(Path(folder))
        try:
            node.start()
            yield node.url
        finally:
            node.close()


@pytest.fixture
def topology():
    """Names that no other test has."""
    return Topology(prefix=f"test-{secrets.token_hex(6)}")


@pytest.fixture
def amqp(broker_url, topology):
    """A function that makes communicators, not yet open, which all meet each other."""
    return partial(RabbitmqCommunicator, broker_url, topology=topology)

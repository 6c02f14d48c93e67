"""Communicators over a broker keep the contract."""

import pytest

from drupe.testing.communicator_contract import CommunicatorContract

pytestmark = pytest.mark.service("rabbitmq")


class TestRabbitmqCommunicator(CommunicatorContract):
    @pytest.fixture
    def communicators(self, amqp):
        return amqp

"""A broker for the pages that need one."""

from tests.messaging.rabbitmq.conftest import broker_url as broker_url

"""A broker and a database that the rows share."""

from tests.messaging.rabbitmq.conftest import broker_url as broker_url
from tests.storage.postgres.fixture import database_url as database_url
from tests.storage.postgres.fixture import new_postgres_url as new_postgres_url
from tests.storage.postgres.fixture import own_database_url as own_database_url
from tests.storage.postgres.fixture import postgres_url as postgres_url

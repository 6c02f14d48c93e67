"""A database: the one whose address is given, else one of the tests' own. To be imported where it is needed."""

import os
import secrets

import psycopg
import pytest

from tests.storage.postgres.server import QUICK, a_server, programs

GIVEN = "DRUPE_TEST_POSTGRES"


@pytest.fixture(scope="session")
def database_url(request):
    """The address of a database of a running server."""
    return os.environ.get(GIVEN) or request.getfixturevalue("own_database_url")


@pytest.fixture(scope="session")
def own_database_url():
    """The address of a database of the tests' own, which is reached by a socket."""
    if programs() is None:
        pytest.fail(f"needs PostgreSQL: install postgresql, or set {GIVEN} to the address of a running one")
    with a_server(*QUICK) as server:
        server.start()
        yield server.url()


@pytest.fixture(scope="session")
def new_postgres_url(database_url):
    """A function that gets the address of a place in the database that nobody has used."""
    made = []

    def get() -> str:
        made.append(f"test_{secrets.token_hex(6)}")
        return f"{database_url}{'&' if '?' in database_url else '?'}schema={made[-1]}"

    yield get
    if not os.environ.get(GIVEN):  # it goes with its server
        return
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@pytest.fixture
def postgres_url(new_postgres_url):
    """The address of a place in the database that nobody has used."""
    return new_postgres_url()

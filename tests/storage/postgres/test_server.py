"""The tests' own database starts, keeps what it was given through a crash, and ends."""

import tempfile
from pathlib import Path

import psycopg
import pytest

from tests.storage.postgres.server import SECRETIVE, Server

pytestmark = [pytest.mark.service("postgres"), pytest.mark.slow]


def test_what_was_committed_outlives_a_crash_of_the_server():
    with tempfile.TemporaryDirectory(prefix="drupe-pg-") as folder:
        server = Server(Path(folder))
        server.create()
        try:
            server.start()
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute("CREATE TABLE kept (number int)")
                connection.execute("INSERT INTO kept VALUES (7)")
                server.crash()
                with pytest.raises(psycopg.OperationalError):
                    connection.execute("SELECT 1")
            server.start()
            with psycopg.connect(server.url()) as connection:
                assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]
                connection.execute(f"CREATE ROLE {SECRETIVE} LOGIN PASSWORD 'hush'")
                connection.commit()
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(server.url(SECRETIVE))
        finally:
            server.close()


def test_each_place_is_another(database_url, new_postgres_url):
    assert len({database_url, new_postgres_url(), new_postgres_url()}) == 3

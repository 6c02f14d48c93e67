"""A server behind TLS is believed only by a certificate for its name, from an authority that is trusted."""

import os
import tempfile
from pathlib import Path

import pytest
import trustme

from drupe.errors import StoreUnavailableError
from drupe.storage.postgres import PostgresStore
from tests.messaging.rabbitmq.node import free_ports
from tests.storage.postgres.server import QUICK, USER, Server

pytestmark = [pytest.mark.service("postgres"), pytest.mark.slow]


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def port(authority):
    """The port of a server whose certificate is for localhost, and not for its address."""
    for _ in range(5):  # a port that was free may be somebody else's by now
        with tempfile.TemporaryDirectory(prefix="drupe-tls-") as name:
            folder, (port,) = Path(name), free_ports(1)
            server = Server(folder, *QUICK, "ssl=on", "ssl_cert_file=server.crt", "ssl_key_file=server.key", port=port)
            server.create()
            certificate = authority.issue_cert("localhost")
            certificate.cert_chain_pems[0].write_to_path(folder / "data" / "server.crt")
            key = folder / "data" / "server.key"
            certificate.private_key_pem.write_to_path(key)
            key.chmod(0o600)
            os.chown(key, folder.stat().st_uid, -1)
            try:
                server.start()
            except AssertionError as error:
                if "could not bind" in str(error) or "could not create any" in str(error):
                    continue
                raise
            try:
                yield port
            finally:
                server.close()
            return
    pytest.fail("no port stays free")


@pytest.fixture
def trusted(authority, tmp_path):
    """A file with the authority's certificate."""
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    return tmp_path / "trusted.pem"


def at(host, port, roots):
    return PostgresStore(f"postgresql://{USER}@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={roots}")


async def test_a_server_that_shows_who_it_is_is_believed(port, trusted):
    store = at("localhost", port, trusted)
    await store.open()
    assert store._writer._work._session.connected().pgconn.ssl_in_use
    await store.close()


async def test_one_with_another_name_is_not(port, trusted):
    with pytest.raises(StoreUnavailableError, match="does not match host name"):
        await at("127.0.0.1", port, trusted).open()


async def test_one_of_an_authority_that_is_not_trusted_is_not(port, tmp_path):
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with pytest.raises(StoreUnavailableError, match="certificate verify failed"):
        await at("localhost", port, tmp_path / "other.pem").open()

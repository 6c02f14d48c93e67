"""A broker behind TLS is believed only by a certificate for its name, from an authority that is trusted."""

import tempfile
from functools import partial
from pathlib import Path

import pytest
import trustme

from drupe.errors import BrokerUnavailableError
from drupe.messaging.rabbitmq.communicator import RabbitmqCommunicator
from drupe.testing.communicator_contract_case import soon
from tests.messaging.rabbitmq.node import Node, free_ports

pytestmark = [pytest.mark.service("rabbitmq"), pytest.mark.slow]


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def port(authority):
    """The port of a broker whose certificate is for localhost, and not for its address."""
    with tempfile.TemporaryDirectory(prefix="drupe-tls-") as name:
        folder, (port,) = Path(name), free_ports(1)
        certificate = authority.issue_cert("localhost")
        authority.cert_pem.write_to_path(folder / "authority.pem")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
        node = Node(
            folder,
            **{
                "listeners.ssl.default": f"127.0.0.1:{port}",
                "ssl_options.cacertfile": str(folder / "authority.pem"),
                "ssl_options.certfile": str(folder / "certificate.pem"),
                "ssl_options.keyfile": str(folder / "key.pem"),
                "ssl_options.verify": "verify_none",
            },
        )
        try:
            node.start()
            yield port
        finally:
            node.close()


@pytest.fixture
def trusted(authority, tmp_path):
    """A file with the authority's certificate."""
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    return tmp_path / "trusted.pem"


def at(host, port, topology, **given):
    return RabbitmqCommunicator(f"amqps://guest:guest@{host}:{port}/", topology=topology, **given)


async def echoed(make):
    here, there = make(), make()
    await soon(here.open())
    await soon(there.open())
    try:
        await there.subscribe_rpc(lambda body: body, "echo")
        return await here.rpc_send("echo", "hello", deadline=20)
    finally:
        await here.close()
        await there.close()


async def test_messages_go_through_tls_to_a_broker_that_proves_its_name(port, topology, trusted):
    assert await echoed(partial(at, "localhost", port, topology, authority=str(trusted))) == "hello"


async def test_the_environment_names_authorities_too(port, topology, trusted, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))

    assert await echoed(partial(at, "localhost", port, topology)) == "hello"


async def test_an_authority_that_is_not_trusted_is_refused(port, topology, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(BrokerUnavailableError, match=r"(?i)certificate"):
        await soon(at("localhost", port, topology).open())


async def test_a_certificate_for_another_name_is_refused(port, topology, trusted):
    with pytest.raises(BrokerUnavailableError, match=r"(?i)certificate"):
        await soon(at("127.0.0.1", port, topology, authority=str(trusted)).open())

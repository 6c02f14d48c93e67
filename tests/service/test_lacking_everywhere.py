"""What no worker can run is told with every pair of store and broker, and on another machine as far as it can be known."""

import asyncio
import contextlib
import tempfile
from pathlib import Path

import pytest

from drupe.engine.registry import kind_of
from drupe.runtime.clock import SystemClock
from drupe.service import profile, wiring
from drupe.service.lacking import NOBODY
from drupe.testing.communicator_contract_case import soon
from tests.messaging.rabbitmq.conftest import broker_url as broker_url
from tests.service.samples import Asking

pytestmark = pytest.mark.slow

KIND = kind_of(Asking)
POSTGRES, RABBITMQ = pytest.mark.service("postgres"), pytest.mark.service("rabbitmq")


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="l-") as root:  # short: programs of folders with long paths meet elsewhere
        yield Path(root)


@pytest.fixture(
    params=[
        ("file", "local"),
        pytest.param(("database", "local"), marks=POSTGRES),
        pytest.param(("file", "broker"), marks=RABBITMQ),
        pytest.param(("database", "broker"), marks=[POSTGRES, RABBITMQ]),
    ],
    ids="-".join,
)
def settings(request, folder):
    store, broker = request.param
    given = {"DRUPE_BROKER": request.getfixturevalue("broker_url") if broker == "broker" else "local"}
    if store == "database":
        given["DRUPE_STORE"] = request.getfixturevalue("postgres_url")
    return profile.load(folder=folder, environment=given)


@contextlib.asynccontextmanager
async def at_work(settings):
    stop = asyncio.Event()
    async with wiring.open_worker(settings) as worker:
        work = asyncio.create_task(worker.work(stop))
        yield worker
        stop.set()
        await soon(work)


async def left(settings, monkeypatch, version):
    with monkeypatch.context() as patch:
        patch.setattr(Asking, "version", version)
        async with wiring.open_runner(settings) as runner:
            return (await runner.create(Asking)).pid


async def listed(settings, pid):
    """Get what lists say of a process."""
    store = wiring.open_store(settings)
    await store.open()
    try:
        found = await wiring.lacks_of(settings, store, [await store.record(pid)], now=SystemClock().now())
    finally:
        await store.close()
    return found.get(pid)


async def test_what_no_worker_can_run_is_told_and_what_one_can_is_not(settings, monkeypatch):
    newer, older = await left(settings, monkeypatch, 3), await left(settings, monkeypatch, 1)
    async with wiring.open_controller(settings, in_touch=True) as controller:
        assert (await controller.status(newer)).lack == NOBODY
        assert str(await controller.lack()) == "no worker is running; start one with: drupe worker"
        assert await listed(settings, newer) == NOBODY
        async with at_work(settings):
            lack = (await controller.status(newer)).lack
            assert lack.said == f"no worker for {KIND} v3"
            assert await listed(settings, newer) == lack
            assert (await controller.status(older)).lack is None
            assert await listed(settings, older) is None
            assert (await controller.lack("gpu")).said == "no worker for queue gpu"
            assert await controller.lack() is None
        assert (await controller.status(newer)).lack == NOBODY


@POSTGRES
async def test_a_worker_of_another_machine_that_cannot_be_called_may_be_able_to(folder, postgres_url, monkeypatch):
    """Two folders stand for two machines: without a broker their programs cannot call each other."""
    machines = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        machines.append(profile.load(folder=folder / name, environment={"DRUPE_STORE": postgres_url}))
    here, there = machines
    pid = await left(here, monkeypatch, 3)
    async with at_work(there):
        assert await listed(here, pid) is None
        async with at_work(here):
            assert (await listed(here, pid)).said.startswith(f"no worker for {KIND} v3 among those that answer")


async def test_a_list_is_told_though_the_broker_is_away(folder, monkeypatch, caplog):
    caplog.set_level("INFO", "drupe.service")
    settings = profile.load(folder=folder, environment={})
    pid = await left(settings, monkeypatch, 3)
    away = profile.load(folder=folder, environment={"DRUPE_BROKER": "amqp://127.0.0.1:1/"})
    async with wiring.open_runner(settings):
        assert await listed(away, pid) is None
    assert "workers could not be asked" in caplog.text

"""A controller that is in touch has workers run processes; the one for plain code does the same."""

import asyncio

import pytest

from drupe import BlockingController, open_controller
from drupe.core.lifecycle import State
from drupe.errors import CommunicationError, DeadlineError, InputError
from drupe.service import profile
from drupe.service.wiring import open_worker
from drupe.testing.communicator_contract_case import soon
from tests.service.samples import Asking, Sum

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path):
    return profile.load(folder=tmp_path, environment={})


@pytest.fixture
async def worker(settings):
    stop = asyncio.Event()
    async with open_worker(settings, slots=2) as worker:
        working = asyncio.create_task(worker.work(stop))
        yield worker
        stop.set()
        await soon(working)


async def test_a_process_is_launched_executed_and_gone_on_with_from_afar(settings, worker):
    async with open_controller(settings, in_touch=True) as controller:
        assert await soon(controller.execute(Sum, {"numbers": [1, 2]})) == {"total": 3}
        launch = await controller.launch(Sum, {"numbers": [3]}, pid="chosen")
        assert launch.pid == "chosen"
        assert await soon(launch.result()) == {"total": 3}
        again = await controller.continue_("chosen")
        await soon(again.taken())
        assert await soon(again.result()) == {"total": 3}


async def test_plain_code_does_the_same(settings, worker):
    def work():
        with BlockingController(lambda: open_controller(settings, in_touch=True)) as controller:
            assert controller.execute(Sum, {"numbers": [1, 2]}) == {"total": 3}
            launch = controller.launch(Asking)
            launch.taken()
            with pytest.raises(DeadlineError, match=launch.pid):
                launch.result(deadline=0.01)
            controller.kill(launch.pid).settled()
            assert controller.status(launch.pid).state is State.KILLED
            again = controller.continue_(launch.pid)
            again.taken()
            assert again.pid == launch.pid
            with pytest.raises(InputError, match="numbers"):
                controller.launch(Sum)

    await soon(asyncio.to_thread(work))


async def test_who_is_not_in_touch_with_workers_cannot_ask_them(settings):
    async with open_controller(settings) as controller:
        with pytest.raises(CommunicationError, match="communicator"):
            await controller.launch(Sum, {"numbers": []})

"""What must hold of a communicator when it is opened and closed."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pytest

from drupe.errors import CommunicationError, CommunicatorClosedError
from drupe.interfaces.communicator import Communicator
from drupe.testing.communicator_contract_case import CommunicatorCase, Heard, Meet, soon

USES: Final[dict[str, Callable[[Communicator], Any]]] = {
    "task_send": lambda one: one.task_send(1),
    "rpc_send": lambda one: one.rpc_send("somebody"),
    "broadcast_send": lambda one: one.broadcast_send(1),
    "subscribe_task": lambda one: one.subscribe_task(Heard()),
    "subscribe_rpc": lambda one: one.subscribe_rpc(Heard(), "somebody"),
    "subscribe_broadcast": lambda one: one.subscribe_broadcast(Heard()),
    "pull": lambda one: one.pull().__aenter__(),
}


class CommunicatorLifeContract(CommunicatorCase):
    """`open`, `close`, `is_closed`, close callbacks."""

    @pytest.mark.parametrize("use", USES)
    async def test_nothing_is_done_before_it_is_open(self, use: str, communicators: Callable[[], Communicator]) -> None:
        """What is asked too early is refused by name."""
        communicator = communicators()

        with pytest.raises(CommunicatorClosedError, match="not open"):
            await soon(USES[use](communicator))

        await communicator.close()

    @pytest.mark.parametrize("use", USES)
    async def test_nothing_is_done_after_it_was_closed(self, use: str, here: Communicator) -> None:
        """What is asked too late is refused by name."""
        await here.close()

        with pytest.raises(CommunicatorClosedError):
            await soon(USES[use](here))

    async def test_it_is_opened_once(self, here: Communicator) -> None:
        """A second time is an error."""
        with pytest.raises(CommunicationError):
            await soon(here.open())

    async def test_closing_twice_does_nothing(self, here: Communicator) -> None:
        """And it says that it is closed."""
        assert not here.is_closed()

        await here.close()
        await here.close()

        assert here.is_closed()

    async def test_close_callbacks_are_called_once(self, here: Communicator) -> None:
        """With None when it was closed on purpose; one that raises does not keep the next from being called."""
        heard = Heard()

        def fail(reason: BaseException | None) -> None:
            raise ValueError(str(reason))

        here.add_close_callback(fail)
        here.add_close_callback(heard)
        await here.close()
        await here.close()

        assert await heard.next() is None
        assert heard.rest() == []

    async def test_closing_fails_whoever_waits_for_an_answer(self, here: Communicator, there: Communicator) -> None:
        """Both for an RPC and for the reply to a task; nobody hangs."""
        begun = Heard()

        async def never(body: Any) -> None:
            begun(body)
            await asyncio.Event().wait()

        await there.subscribe_rpc(never, "slow")
        receipt = await here.task_send("nobody does it")
        waiting = asyncio.gather(here.rpc_send("slow", 1), receipt.result(), return_exceptions=True)
        await begun.next()

        await here.close()

        assert [type(outcome) for outcome in await soon(waiting)] == [CommunicatorClosedError] * 2

    async def test_closing_cancels_the_callbacks_that_run(self, here: Communicator, there: Communicator) -> None:
        """They see a cancellation, and are waited for."""
        seen = Heard()

        async def wait(message: Any) -> None:
            seen("begun")
            try:
                await asyncio.Event().wait()
            finally:
                seen("ended")

        await there.subscribe_task(wait)
        await there.subscribe_broadcast(wait)
        await here.task_send(1)
        await here.broadcast_send(2)
        assert [await seen.next(), await seen.next()] == ["begun"] * 2

        await there.close()

        assert seen.rest() == ["ended"] * 2

    async def test_a_callback_may_close_its_own_communicator(self, here: Communicator, there: Communicator) -> None:
        """That is no deadlock."""
        done = Heard()

        async def leave(message: Any) -> None:
            await there.close()
            done(there.is_closed())

        await there.subscribe_broadcast(leave)
        await here.broadcast_send(1)

        assert await done.next()

    async def test_what_is_left_of_a_closed_one_can_be_let_go_of(self, here: Communicator) -> None:
        """Unsubscribing after the end does nothing."""
        handles = [
            await here.subscribe_task(Heard()),
            await here.subscribe_rpc(Heard()),
            await here.subscribe_broadcast(Heard()),
        ]
        await here.close()

        for handle in handles:
            await soon(handle.unsubscribe())

    async def test_an_open_one_meets_those_that_come_later(self, here: Communicator, meet: Meet) -> None:
        """Once `open` returned, each hears the other."""
        heard, answered = Heard(), Heard()
        await here.subscribe_broadcast(heard)

        late = await meet()
        await late.subscribe_broadcast(answered)
        await late.broadcast_send("hello")
        await here.broadcast_send("and you")

        assert {(await heard.next()).body, (await heard.next()).body} == {"hello", "and you"}
        assert {(await answered.next()).body, (await answered.next()).body} == {"hello", "and you"}

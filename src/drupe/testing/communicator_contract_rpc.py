"""What must hold of the RPCs of a communicator."""

import asyncio
from functools import partial
from typing import Any

import pytest

from drupe.errors import (
    DeadlineError,
    DuplicateSubscriberError,
    MessageError,
    PeerLostError,
    RemoteError,
    UnroutableError,
    UnsavableError,
)
from drupe.interfaces.communicator import Communicator
from drupe.testing.communicator_contract_case import PATIENCE, CommunicatorCase, Heard, soon


def _constantly(answer: Any, body: Any) -> Any:
    return answer


class CommunicatorRpcContract(CommunicatorCase):
    """`rpc_send` and `subscribe_rpc`."""

    async def test_a_call_gets_the_answer(self, here: Communicator, there: Communicator) -> None:
        """Of a plain function and of a coroutine, whether they are far or near."""

        async def double(body: Any) -> Any:
            return body * 2

        await there.subscribe_rpc(double, "double")
        await here.subscribe_rpc(len, "length")

        assert [await here.rpc_send("double", 4), await here.rpc_send("length", "four")] == [8, 4]
        assert [await there.rpc_send("double", 4), await there.rpc_send("length", "four")] == [8, 4]

    async def test_bodies_arrive_as_they_were_and_are_not_shared(self, here: Communicator) -> None:
        """Also those between two who live in one interpreter."""
        body = {"numbers": (1, 2.5, None), "bytes": b"\0\xff", "text": "Å³", "nested": [{"a": {1, 2}}]}
        await here.subscribe_rpc(lambda received: received, "echo")

        answer = await here.rpc_send("echo", body)

        assert answer == body
        assert answer is not body

    async def test_an_unroutable_call_fails_at_once(self, here: Communicator, there: Communicator) -> None:
        """It does not wait for its deadline."""
        handle = await there.subscribe_rpc(Heard(), "gone")
        await soon(handle.unsubscribe())

        for recipient in ("nobody", "gone", handle.identifier, "", "../x", "x" * 1000, "\0"):
            with pytest.raises(UnroutableError):
                await soon(here.rpc_send(recipient, deadline=None))

    async def test_an_exception_arrives_with_type_text_and_traceback(
        self, here: Communicator, there: Communicator
    ) -> None:
        """As a `RemoteError`, whatever was raised."""

        def fail(body: Any) -> None:
            raise KeyError(body)

        await there.subscribe_rpc(fail, "fail")

        with pytest.raises(RemoteError) as caught:
            await here.rpc_send("fail", "no such key")

        assert (caught.value.kind, caught.value.message) == ("KeyError", "'no such key'")
        assert "raise KeyError(body)" in caught.value.traceback_text

    async def test_errors_of_nested_calls_are_not_taken_for_ones_own(
        self, here: Communicator, there: Communicator
    ) -> None:
        """What was unroutable for the receiver was not for the caller."""

        async def relay(body: Any) -> Any:
            return await there.rpc_send("nobody")

        await there.subscribe_rpc(relay, "relay")

        with pytest.raises(RemoteError, match="UnroutableError"):
            await here.rpc_send("relay")

    async def test_a_callback_that_is_cancelled_is_a_failure(self, here: Communicator, there: Communicator) -> None:
        """Its caller does not wait for ever."""

        async def cancelled(body: Any) -> None:
            raise asyncio.CancelledError

        await there.subscribe_rpc(cancelled, "cancelled")

        with pytest.raises(RemoteError, match="CancelledError"):
            await soon(here.rpc_send("cancelled", deadline=None))

    async def test_an_answer_that_cannot_be_sent_is_a_failure(self, here: Communicator, there: Communicator) -> None:
        """It names the path; the communicator goes on."""
        await there.subscribe_rpc(lambda body: {"it": object()} if body else "fine", "odd")

        with pytest.raises(RemoteError, match=r"UnsavableError.*it"):
            await here.rpc_send("odd", True)

        assert await here.rpc_send("odd", False) == "fine"

    async def test_a_body_that_cannot_be_sent_is_refused(self, here: Communicator, there: Communicator) -> None:
        """Too large, too deep, or unreadable: before anything is sent."""
        heard = Heard()
        await there.subscribe_rpc(heard, "heard")
        deep: list[Any] = []
        for _ in range(100):
            deep = [deep]

        for body, error in ((object(), UnsavableError), (b"x" * 2_000_000, MessageError), (deep, MessageError)):
            with pytest.raises(error):
                await here.rpc_send("heard", body)

        await here.rpc_send("heard", "fine")
        assert heard.rest() == ["fine"]

    async def test_a_slow_answer_ends_by_the_deadline(self, here: Communicator, there: Communicator) -> None:
        """The late answer harms nobody."""
        go_on = asyncio.Event()

        async def slow(body: Any) -> Any:
            if body == "slow":
                await go_on.wait()
            return body

        await there.subscribe_rpc(slow, "slow")

        with pytest.raises(DeadlineError, match="slow"):
            await here.rpc_send("slow", "slow", deadline=0.05)

        go_on.set()
        assert await here.rpc_send("slow", "fast") == "fast"

    async def test_a_call_that_awaits_does_not_hold_up_the_next(self, here: Communicator, there: Communicator) -> None:
        """Calls are answered side by side, also to the same name."""
        second_came = asyncio.Event()

        async def meet(body: Any) -> Any:
            if body == "second":
                second_came.set()
            await second_came.wait()
            return body

        await there.subscribe_rpc(meet, "meet")

        answers = asyncio.gather(*(here.rpc_send("meet", body) for body in ("first", "second")))

        assert await soon(answers) == ["first", "second"]

    async def test_many_calls_get_their_own_answers(self, here: Communicator, there: Communicator) -> None:
        """However they are interleaved."""

        async def shuffle(body: int) -> int:
            for _ in range(body % 7):
                await asyncio.sleep(0)
            return body

        await there.subscribe_rpc(shuffle, "shuffle")

        answers = await soon(asyncio.gather(*(here.rpc_send("shuffle", number) for number in range(300))))

        assert answers == list(range(300))

    async def test_a_name_is_answered_to_by_one(self, here: Communicator, there: Communicator) -> None:
        """The second is refused, here and elsewhere; who was first goes on."""
        await there.subscribe_rpc(lambda body: "first", "name")

        for communicator in (here, there):
            with pytest.raises(DuplicateSubscriberError):
                await communicator.subscribe_rpc(Heard(), "name")

        assert await here.rpc_send("name") == "first"

    async def test_a_name_is_free_again(self, here: Communicator, there: Communicator) -> None:
        """After unsubscribing, which may be done twice, and after closing."""
        handle = await there.subscribe_rpc(Heard(), "name")
        await handle.unsubscribe()
        await handle.unsubscribe()
        await there.subscribe_rpc(Heard(), "name")
        await there.close()

        await here.subscribe_rpc(lambda body: "here", "name")

        assert await here.rpc_send("name") == "here"

    async def test_names_that_nobody_chose_are_unique(self, here: Communicator, there: Communicator) -> None:
        """The subscription says them."""
        handles = [await there.subscribe_rpc(partial(_constantly, number)) for number in range(3)]

        assert [await here.rpc_send(handle.identifier) for handle in handles] == [0, 1, 2]

    async def test_a_name_may_be_any_text(self, here: Communicator, there: Communicator) -> None:
        """It is never taken for a path."""
        names = ["../../x", "a/b", "Å", " ", ".", "x" * 200]
        for name in names:
            await there.subscribe_rpc(partial(_constantly, name), name)

        assert [await here.rpc_send(name) for name in names] == names

    async def test_what_was_begun_goes_on_after_unsubscribing(self, here: Communicator, there: Communicator) -> None:
        """Its caller gets the answer."""
        begun, go_on = Heard(), asyncio.Event()

        async def slow(body: Any) -> Any:
            begun(body)
            await go_on.wait()
            return body

        handle = await there.subscribe_rpc(slow, "slow")
        call = asyncio.create_task(here.rpc_send("slow", 1, deadline=PATIENCE))
        await begun.next()
        await handle.unsubscribe()
        go_on.set()

        assert await soon(call) == 1

    async def test_whoever_waits_for_one_that_leaves_is_told_at_once(
        self, here: Communicator, there: Communicator
    ) -> None:
        """Without a deadline too."""
        begun = Heard()

        async def never(body: Any) -> None:
            begun(body)
            await asyncio.Event().wait()

        await there.subscribe_rpc(never, "never")
        call = asyncio.create_task(here.rpc_send("never", 1, deadline=None))
        await begun.next()
        await there.close()

        with pytest.raises(PeerLostError):
            await soon(call)

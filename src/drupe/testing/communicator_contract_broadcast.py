"""What must hold of the broadcasts of a communicator."""

import asyncio
from typing import Any

import pytest

from drupe.errors import MessageError, UnsavableError
from drupe.interfaces.communicator import Communicator, IncomingBroadcast
from drupe.testing.communicator_contract_case import CommunicatorCase, Heard, Meet


class CommunicatorBroadcastContract(CommunicatorCase):
    """`broadcast_send` and `subscribe_broadcast`."""

    async def test_everybody_hears_it(self, here: Communicator, there: Communicator, meet: Meet) -> None:
        """Each subscriber once, the sender's own too."""
        third = await meet()
        heard = [Heard() for _ in range(4)]
        for communicator, callback in zip((here, there, there, third), heard, strict=True):
            await communicator.subscribe_broadcast(callback)

        await here.broadcast_send({"a": 1}, sender="me", subject="news", correlation_id="c")

        expected = IncomingBroadcast({"a": 1}, "me", "news", "c")
        assert [await callback.next() for callback in heard] == [expected] * 4
        assert [callback.rest() for callback in heard] == [[]] * 4

    async def test_everything_but_the_body_may_be_left_out(self, here: Communicator, there: Communicator) -> None:
        """And the body too."""
        heard = Heard()
        await there.subscribe_broadcast(heard)

        await here.broadcast_send()

        assert await heard.next() == IncomingBroadcast()

    async def test_those_of_one_sender_come_in_order(self, here: Communicator, there: Communicator) -> None:
        """Also when the callback awaits."""
        heard = Heard()

        async def slowly(broadcast: IncomingBroadcast) -> None:
            await asyncio.sleep(0)
            heard(broadcast.body)

        await there.subscribe_broadcast(slowly)
        for number in range(100):
            await here.broadcast_send(number)

        assert [await heard.next() for _ in range(100)] == list(range(100))

    async def test_only_what_is_wanted_is_heard(self, here: Communicator, there: Communicator) -> None:
        """The filter gets sender and subject."""
        heard = Heard()
        await there.subscribe_broadcast(heard, lambda sender, subject: (sender, subject) == ("a", "x"))

        for sender, subject in (("a", "y"), ("b", "x"), (None, "x"), ("a", None), ("a", "x")):
            await here.broadcast_send(1, sender=sender, subject=subject)

        broadcast = await heard.next()
        assert (broadcast.sender, broadcast.subject) == ("a", "x")
        assert heard.rest() == []

    async def test_a_filter_or_callback_that_fails_does_not_stop_the_next(
        self, here: Communicator, there: Communicator
    ) -> None:
        """Neither for itself nor for others."""
        heard = Heard()

        def unless_bad(sender: str | None, subject: str | None) -> bool:
            if subject == "bad filter":
                raise ValueError(subject)
            return True

        def fail(broadcast: IncomingBroadcast) -> None:
            heard(("first", broadcast.subject))
            raise ValueError(broadcast.subject)

        await there.subscribe_broadcast(fail, unless_bad)
        await there.subscribe_broadcast(lambda broadcast: heard(("second", broadcast.subject)))
        for subject in ("bad filter", "one", "two"):
            await here.broadcast_send(subject=subject)

        assert sorted([await heard.next() for _ in range(5)]) == [
            ("first", "one"),
            ("first", "two"),
            ("second", "bad filter"),
            ("second", "one"),
            ("second", "two"),
        ]

    async def test_after_unsubscribing_nothing_comes(self, here: Communicator, there: Communicator) -> None:
        """Also what was on its way; twice does nothing; others go on."""
        heard, others = Heard(), Heard()
        first = await there.subscribe_broadcast(heard)
        second = await there.subscribe_broadcast(others)
        await first.unsubscribe()
        await first.unsubscribe()

        await here.broadcast_send(1)

        assert (await others.next()).body == 1
        assert heard.rest() == []
        assert first.identifier != second.identifier

    async def test_a_slow_subscriber_misses_the_oldest_and_is_told(
        self, here: Communicator, there: Communicator, meet: Meet
    ) -> None:
        """Nobody waits for it: those that are fast hear all, and the sender is never held up."""
        total, third = 4200, await meet()
        fast, slow, go_on = Heard(), Heard(), asyncio.Event()

        async def slowly(broadcast: IncomingBroadcast) -> None:
            slow(broadcast)
            await go_on.wait()

        await there.subscribe_broadcast(slowly)
        await third.subscribe_broadcast(fast)
        heard_fast: list[Any] = []
        for number in range(total):
            await here.broadcast_send(number)
            if number % 200 == 199:  # the fast one is not outrun
                heard_fast += [await fast.next() for _ in range(200)]
        go_on.set()
        heard_slow = [await slow.next()]
        while heard_slow[-1].body != total - 1:
            heard_slow.append(await slow.next())

        assert [broadcast.body for broadcast in heard_fast] == list(range(total))
        assert not any(broadcast.missed for broadcast in heard_fast)
        assert sum(1 + broadcast.missed for broadcast in heard_slow) == total
        assert len(heard_slow) < total

    async def test_a_body_that_cannot_be_sent_is_refused(self, here: Communicator, there: Communicator) -> None:
        """Before anybody hears of it."""
        heard = Heard()
        await there.subscribe_broadcast(heard)

        for body, error in ((object(), UnsavableError), (b"x" * 2_000_000, MessageError)):
            with pytest.raises(error):
                await here.broadcast_send(body)

        await here.broadcast_send("fine")
        assert (await heard.next()).body == "fine"

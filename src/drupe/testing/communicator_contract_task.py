"""What must hold of the tasks of a communicator."""

import asyncio
from typing import Any

import pytest

from drupe.errors import DeadlineError, MessageError, RemoteError, TaskLostError, TaskRejectedError, UnsavableError
from drupe.interfaces.communicator import Communicator, IncomingTask
from drupe.testing.communicator_contract_case import CommunicatorCase, Heard, Meet, result, soon


class CommunicatorTaskContract(CommunicatorCase):
    """`task_send`, `subscribe_task`, and what an incoming task can do."""

    async def test_a_task_is_done_and_its_reply_comes(self, here: Communicator, there: Communicator) -> None:
        """By a plain function or a coroutine; its result can be asked for twice."""

        async def double(task: IncomingTask) -> Any:
            return task.body * 2

        await there.subscribe_task(double)
        await there.subscribe_task(lambda task: len(task.body), queue="lengths")

        first, second = await here.task_send(4), await here.task_send("four", queue="lengths")

        assert [await result(first), await result(second), await result(first)] == [8, 4, 8]

    async def test_a_task_waits_for_somebody_who_listens(self, here: Communicator, there: Communicator) -> None:
        """In its queue, not in another."""
        heard, others = Heard(), Heard()
        receipt = await here.task_send("early")
        await there.subscribe_task(others, queue="another")
        with pytest.raises(DeadlineError):
            await receipt.result(deadline=0.05)

        await there.subscribe_task(heard)

        assert await result(receipt) == "early"
        assert others.rest() == []

    async def test_a_task_tells_what_it_is(self, here: Communicator, there: Communicator) -> None:
        """Identifier, queue, body, whether a reply is waited for, and which attempt it is."""
        heard = Heard()
        await there.subscribe_task(heard, queue="named")

        receipt = await here.task_send({"a": (1, 2)}, queue="named", no_reply=True)

        task: IncomingTask = await heard.next()
        assert (task.id, task.queue, task.body) == (receipt.id, "named", {"a": (1, 2)})
        assert (task.no_reply, task.attempt) == (True, 1)

    async def test_without_reply_the_result_is_none_at_once(self, here: Communicator) -> None:
        """Whether or not anybody did it."""
        receipt = await here.task_send(1, no_reply=True)

        assert await soon(receipt.result()) is None

    async def test_each_task_is_done_once(self, here: Communicator, there: Communicator, meet: Meet) -> None:
        """However many listen, and in its order where one alone does."""
        heard = Heard()
        for communicator in (here, there, await meet()):
            await communicator.subscribe_task(heard, prefetch=3)

        receipts = [await here.task_send(number) for number in range(100)]

        assert [await result(receipt) for receipt in receipts] == list(range(100))
        assert sorted(task.body for task in heard.rest()) == list(range(100))

    async def test_tasks_come_in_the_order_they_were_sent(self, here: Communicator, there: Communicator) -> None:
        """Where one subscriber does one at a time."""
        heard = Heard()
        receipts = [await here.task_send(number) for number in range(20)]

        await there.subscribe_task(heard)
        for receipt in receipts:
            await result(receipt)

        assert [task.body for task in heard.rest()] == list(range(20))

    async def test_no_more_than_prefetch_are_done_at_a_time(self, here: Communicator, there: Communicator) -> None:
        """The rest is left to others."""
        begun, go_on = Heard(), asyncio.Event()

        async def slow(task: IncomingTask) -> None:
            begun(task.body)
            await go_on.wait()

        await there.subscribe_task(slow, prefetch=2)
        receipts = [await here.task_send(number) for number in range(3)]
        assert {await begun.next(), await begun.next()} == {0, 1}

        others = Heard()
        await here.subscribe_task(others)
        assert (await others.next()).body == 2
        assert begun.rest() == []
        go_on.set()
        for receipt in receipts:
            await result(receipt)

    @pytest.mark.parametrize("prefetch", [0, -1])
    async def test_a_prefetch_of_none_is_refused(self, prefetch: int, here: Communicator) -> None:
        """It would be a subscriber that does nothing."""
        with pytest.raises(ValueError, match="prefetch"):
            await here.subscribe_task(Heard(), prefetch=prefetch)

    async def test_an_exception_is_the_reply(self, here: Communicator, there: Communicator) -> None:
        """With type, text and traceback; the task is done with, and the next one comes."""

        def fail(task: IncomingTask) -> Any:
            if task.body == "bad":
                raise KeyError(task.body)
            return task.attempt

        await there.subscribe_task(fail)
        receipt = await here.task_send("bad")

        with pytest.raises(RemoteError) as caught:
            await result(receipt)

        assert (caught.value.kind, caught.value.message) == ("KeyError", "'bad'")
        assert "raise KeyError(task.body)" in caught.value.traceback_text
        assert await result(await here.task_send("good")) == 1

    async def test_a_failure_that_nobody_waits_for_harms_nobody(self, here: Communicator, there: Communicator) -> None:
        """It is logged."""

        def fail(task: IncomingTask) -> Any:
            if task.no_reply:
                raise ValueError(task.body)
            return "done"

        await there.subscribe_task(fail)
        await here.task_send("bad", no_reply=True)

        assert await result(await here.task_send("good")) == "done"

    async def test_a_result_that_cannot_be_sent_is_a_failure(self, here: Communicator, there: Communicator) -> None:
        """It names the path."""
        await there.subscribe_task(lambda task: {"it": object()})

        with pytest.raises(RemoteError, match=r"UnsavableError.*it"):
            await result(await here.task_send())

    async def test_a_body_that_cannot_be_sent_is_refused(self, here: Communicator, there: Communicator) -> None:
        """Nothing gets into the queue."""
        heard = Heard()
        for body, error in ((object(), UnsavableError), (b"x" * 2_000_000, MessageError)):
            with pytest.raises(error):
                await here.task_send(body)

        await there.subscribe_task(heard)
        await result(await here.task_send("fine"))

        assert [task.body for task in heard.rest()] == ["fine"]

    # --- acknowledging -----------------------------------------------------------------------------------

    async def test_an_accepted_task_is_not_delivered_again(self, here: Communicator, meet: Meet) -> None:
        """Though its callback never ended; accepting twice does nothing."""
        begun, heard, away = Heard(), Heard(), await meet()

        async def accept(task: IncomingTask) -> None:
            await task.accept()
            await task.accept()
            begun(task.body)
            await asyncio.Event().wait()

        await away.subscribe_task(accept)
        await here.task_send("first", no_reply=True)
        await begun.next()
        await away.close()
        await here.subscribe_task(heard)
        await result(await here.task_send("second"))

        assert [task.body for task in heard.rest()] == ["second"]

    async def test_an_accepted_task_can_be_replied_to(self, here: Communicator, there: Communicator) -> None:
        """By its own method or by what the callback returns, or with an error."""

        async def accept(task: IncomingTask) -> Any:
            await task.accept()
            if task.body == "method":
                await task.reply("by method")
            if task.body == "error":
                await task.fail(ValueError("by error"))
            if task.body == "rejected":
                raise TaskRejectedError("too late")
            return "returned"

        await there.subscribe_task(accept)

        assert await result(await here.task_send("method")) == "by method"
        assert await result(await here.task_send("return")) == "returned"
        for body, text in (("error", "by error"), ("rejected", "too late")):
            with pytest.raises(RemoteError, match=text):
                await result(await here.task_send(body))

    async def test_a_settled_task_takes_nothing_more(self, here: Communicator, there: Communicator) -> None:
        """Every further word is an error, and the first one counts."""
        seen = Heard()

        async def settle_twice(task: IncomingTask) -> str:
            await task.reply("first")
            for more in (task.accept(), task.reply("second"), task.fail(ValueError()), task.reject()):
                with pytest.raises(TaskLostError):
                    await more
            seen("refused")
            return "third"

        await there.subscribe_task(settle_twice)

        assert await result(await here.task_send()) == "first"
        assert await seen.next() == "refused"

    async def test_an_accepted_task_cannot_be_rejected(self, here: Communicator, there: Communicator) -> None:
        """It is out of its queue."""

        async def reject(task: IncomingTask) -> str:
            await task.accept()
            with pytest.raises(TaskLostError):
                await task.reject()
            return "done nevertheless"

        await there.subscribe_task(reject)

        assert await result(await here.task_send()) == "done nevertheless"

    # --- going back --------------------------------------------------------------------------------------

    @pytest.mark.parametrize("by", ["method", "error"])
    async def test_a_rejected_task_goes_to_somebody_else(
        self, by: str, here: Communicator, there: Communicator
    ) -> None:
        """It counts its attempts."""
        rejected = Heard()

        async def reject(task: IncomingTask) -> None:
            rejected(task.attempt)
            if by == "method":
                await task.reject()
            raise TaskRejectedError("not mine")

        handle = await there.subscribe_task(reject)
        receipt = await here.task_send("body")
        assert await rejected.next() == 1
        await handle.unsubscribe()
        await here.subscribe_task(lambda task: task.attempt)

        assert await result(receipt) >= 2 + len(rejected.rest())

    async def test_a_task_that_everybody_rejects_does_not_spin(self, here: Communicator, there: Communicator) -> None:
        """It comes back, ever more slowly, and holds up no other."""
        rejected = Heard()

        def reject(task: IncomingTask) -> str:
            if task.body == "poison":
                rejected(task.attempt)
                raise TaskRejectedError("not mine")
            return "done"

        await there.subscribe_task(reject)
        await here.task_send("poison")
        for _ in range(100):
            assert await result(await here.task_send("fine")) == "done"

        assert await rejected.next() == 1
        assert await rejected.next() == 2
        assert await rejected.next() == 3
        assert len(rejected.rest()) < 10

    async def test_what_was_taken_goes_back_when_its_holder_leaves(self, here: Communicator, meet: Meet) -> None:
        """Whoever takes it next gets it whole."""
        begun, away = Heard(), await meet()

        async def never(task: IncomingTask) -> None:
            begun(task.attempt)
            await asyncio.Event().wait()

        await away.subscribe_task(never)
        receipt = await here.task_send({"a": 1})
        assert await begun.next() == 1
        await away.close()
        await here.subscribe_task(lambda task: [task.body, task.attempt])

        assert await result(receipt) == [{"a": 1}, 2]

    async def test_unsubscribing_leaves_the_rest_to_others(self, here: Communicator, there: Communicator) -> None:
        """What was begun is done; twice does nothing."""
        begun, go_on = Heard(), asyncio.Event()

        async def slow(task: IncomingTask) -> str:
            begun(task.body)
            await go_on.wait()
            return "there"

        handle = await there.subscribe_task(slow)
        first = await here.task_send(1)
        await begun.next()
        await handle.unsubscribe()
        await handle.unsubscribe()
        second = await here.task_send(2)
        await here.subscribe_task(lambda task: "here")
        assert await result(second) == "here"
        go_on.set()

        assert await result(first) == "there"

    async def test_a_sender_that_left_harms_nobody(self, here: Communicator, meet: Meet) -> None:
        """Its task is done, and the reply is dropped."""
        away, heard = await meet(), Heard()
        await away.task_send("orphan")
        await away.close()

        await here.subscribe_task(heard)

        assert (await heard.next()).body == "orphan"
        assert await result(await here.task_send("next")) == "next"

    # --- pulling -----------------------------------------------------------------------------------------

    async def test_tasks_can_be_pulled(self, here: Communicator, there: Communicator) -> None:
        """One by one; the iteration ends with the queue, and each is acknowledged where its block ends."""
        receipts = [await here.task_send(number, queue="pulled") for number in range(3)]

        async with there.pull("pulled") as tasks:
            async for task in tasks:
                async with task:
                    if task.body == 1:
                        await task.reply("one")

        assert [await result(receipt) for receipt in receipts] == [None, "one", None]
        async with there.pull("pulled") as tasks:
            assert [task.body async for task in tasks] == []

    async def test_pulled_tasks_that_were_not_acknowledged_go_back(
        self, here: Communicator, there: Communicator
    ) -> None:
        """Each is met once in the block, and comes to others after it."""
        for number in range(3):
            await here.task_send(number)

        async with there.pull() as tasks:
            seen = [task.body async for task in tasks]
        async with here.pull() as tasks:
            async for _ in tasks:
                break

        heard = Heard()
        await here.subscribe_task(heard)
        assert seen == [0, 1, 2]
        assert sorted([(await heard.next()).body for _ in range(3)]) == [0, 1, 2]

    async def test_the_block_of_a_pulled_task_decides(self, here: Communicator, there: Communicator) -> None:
        """An exception is the reply and is raised; a rejection puts it back, and is not."""
        receipt = await here.task_send(1)

        async with there.pull() as tasks:
            async for task in tasks:
                async with task:
                    raise TaskRejectedError("later")
        async with there.pull() as tasks:
            async for task in tasks:
                assert task.attempt > 1
                with pytest.raises(ValueError, match="bad"):
                    async with task:
                        raise ValueError("bad")

        with pytest.raises(RemoteError, match="bad"):
            await result(receipt)

    async def test_cancelling_the_block_of_a_pulled_task_puts_it_back(
        self, here: Communicator, there: Communicator
    ) -> None:
        """Somebody else does it."""
        held, receipt = Heard(), await here.task_send(1)

        async def hold() -> None:
            async with there.pull() as tasks:
                async for task in tasks:
                    async with task:
                        held(task.attempt)
                        await asyncio.Event().wait()

        holding = asyncio.create_task(hold())
        await held.next()
        holding.cancel()
        await asyncio.wait([holding])
        await here.subscribe_task(lambda task: task.attempt)

        assert await result(receipt) == 2

"""The suite that holds every saved form of processes to the protocol of a saver.

A form binds it in its tests::

    class TestMySaver(SaverContract):
        def saver(self):
            return MySaver()

        def process(self):
            return Asks()

The process needs no inputs. Its first step waits; the step that follows emits what it was resumed with as ``answer``.
"""

from typing import Any

from drupe.interfaces.saver import Saver

STEPS_TO_WAIT = 2
"""From created to running, and on to waiting."""


class SaverContract:
    """Every sentence of `drupe.interfaces.saver.Saver`, as tests."""

    def saver(self) -> Saver:
        """Get the saver."""
        raise NotImplementedError

    def process(self) -> Any:
        """Get a new process, on the running loop."""
        raise NotImplementedError

    async def waiting(self) -> Any:
        """Get a process that waits."""
        process = self.process()
        for _ in range(STEPS_TO_WAIT):
            await process.step()
        assert process.state.value == "waiting"
        return process

    async def answered(self, process: Any, value: Any) -> dict[str, Any]:
        """Resume a process, and get the outputs that it ends with."""
        process.resume(value)
        await process.step_until_terminated()
        return dict(process.outputs)

    async def test_a_new_process_is_loaded_as_new(self) -> None:
        process = self.process()
        loaded = self.saver().load(self.saver().dump(process))
        assert (type(loaded), loaded.pid, loaded.state) == (type(process), process.pid, process.state)
        assert loaded is not process

    async def test_it_stands_where_it_stood_and_goes_on_from_there(self) -> None:
        process = await self.waiting()
        loaded = self.saver().load(self.saver().dump(process))
        assert (loaded.pid, loaded.state) == (process.pid, process.state)
        assert await self.answered(loaded, 5) == {"answer": 5}

    async def test_what_the_process_does_afterwards_leaves_it_alone(self) -> None:
        process = await self.waiting()
        saved = self.saver().dump(process)
        assert await self.answered(process, [1]) == {"answer": [1]}
        loaded = self.saver().load(saved)
        assert (loaded.state.value, dict(loaded.outputs)) == ("waiting", {})

    async def test_each_load_makes_another_one(self) -> None:
        saved = self.saver().dump(await self.waiting())
        first, second = self.saver().load(saved), self.saver().load(saved)
        assert await self.answered(first, 1) == {"answer": 1}
        assert second.state.value == "waiting"
        assert await self.answered(second, 2) == {"answer": 2}

    async def test_a_paused_one_is_paused_and_can_be_played(self) -> None:
        process = self.process()
        process.pause("for a while")
        loaded = self.saver().load(self.saver().dump(process))
        assert (loaded.paused, loaded.status) == (True, "for a while")
        assert loaded.play() is True
        assert (loaded.paused, loaded.status) == (False, None)

    async def test_one_that_ended_has_ended_and_has_its_outputs(self) -> None:
        process = await self.waiting()
        await self.answered(process, "yes")
        loaded = self.saver().load(self.saver().dump(process))
        assert loaded.has_terminated()
        assert (loaded.state, dict(loaded.outputs)) == (process.state, {"answer": "yes"})

    async def test_one_that_was_killed_says_why(self) -> None:
        process = await self.waiting()
        assert process.kill("enough") is True
        loaded = self.saver().load(self.saver().dump(process))
        assert loaded.killed()
        assert loaded.killed_msg() == process.killed_msg()

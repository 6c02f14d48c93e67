"""What a stage, and the life of a process, may say of how steps are taken: what follows, for how long, and within what."""

import asyncio
import types

from drupe import Continue, Process, Wait
from drupe.core.lifecycle import State, Trigger
from drupe.engine import drive
from drupe.engine.behaviour import Running, Stage
from drupe.runtime import portal


class Polite(Running):
    """Waits when a step asks for it in a word of its own."""

    def verdict(self, outcome):
        if outcome == "after you":
            return Trigger.WAIT, Wait(self.command.fn)
        return super().verdict(outcome)


class Hesitant(Process):
    behaviours = types.MappingProxyType({**Process.behaviours, State.RUNNING: Polite})

    def run(self, value=None):
        return "after you" if value is None else value


class Counting(Process):
    left = 50_000

    def run(self):
        self.left -= 1
        return Continue(self.run) if self.left else (portal.is_open(), Process.current() is self)


class Unending:
    def over(self):
        return False


async def begun(process):
    """Have steps taken until the loop is given back."""
    running = asyncio.ensure_future(process.step_until_terminated())
    await asyncio.sleep(0)
    return running


async def test_a_stage_says_what_follows_from_an_outcome():
    process = Hesitant()
    running = await begun(process)
    assert process.state is State.WAITING
    process.resume("thanks")
    await running
    assert process.state is State.FINISHED
    assert process.result() == "thanks"


async def test_a_life_may_have_a_slice_of_time_of_its_own():
    sharing, alone = Counting(), Counting()
    alone._life.turn = Unending()
    tasks = [await begun(sharing), await begun(alone)]
    assert (sharing.state, alone.state) == (State.RUNNING, State.FINISHED)
    await asyncio.gather(*tasks)


async def test_a_life_may_say_what_is_done_in_each_state():
    class Short(Stage):
        state = State.RUNNING

        def __init__(self, command):
            self.before = self.after = lambda process: None

        def run(self, process):
            return "short"

    process = Counting()
    process._life.behaviours = {**Process.behaviours, State.RUNNING: Short}
    await process.step_until_terminated()
    assert process.result() == "short"


async def test_a_portal_and_the_current_process_may_be_left_to_whoever_has_steps_taken():
    within, outside = Counting(), Counting()
    within.left = outside.left = 1
    await drive.run(within._life, within)
    await drive.run(outside._life, outside, bare=True)
    assert [within.result(), outside.result()] == [(True, True), (False, False)]

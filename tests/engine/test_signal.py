"""Signals of a process that no store keeps: they are in memory, and in what `save` makes of it."""

import asyncio

import pytest

from drupe import Process, State, Wait, field, load, save
from drupe.core.snapshot import Snapshot
from drupe.errors import UnsavableError
from drupe.testing.host_case import background, settle, until


class Listening(Process):
    heard = field(factory=list)

    def run(self):
        return Wait(self.hear, "for news", signal="news")

    def hear(self, payload):
        self.heard = [*self.heard, payload]
        return self.heard if payload == "last" else Wait(self.hear, "for more", signal="news")


class Resting(Process):
    def run(self):
        return Wait(None, "for you")


async def waiting():
    process = Listening()
    background(process)
    await until(lambda: process.state is State.WAITING)
    await settle()
    return process


async def test_the_answer_is_there_at_once():
    process = await waiting()
    assert process.signal("news", "last") is True
    await process
    assert process.signal("news", "too late") is False


async def test_what_was_not_taken_is_saved_in_order():
    process = Listening()
    for payload in (1, {"two": 2}, "last"):
        process.signal("news", payload)
    process.signal("other")
    again = load(save(process))
    await again
    assert again.result() == [1, {"two": 2}, "last"]
    assert [signal.name for signal in again._life.signals] == ["other"]


async def test_what_ended_a_wait_is_saved_as_long_as_the_wait_lasts():
    process = await waiting()
    process.signal("news", "first")
    process.signal("news", "last")
    assert process.state is State.WAITING  # nothing has happened yet but that it was told
    again = load(save(process))
    await asyncio.gather(process, again)
    assert process.result() == again.result() == ["first", "last"]


async def test_what_was_taken_is_not_saved_any_more():
    process = await waiting()
    process.signal("news", "first")
    await until(lambda: process.heard)
    await settle()
    again = load(save(process))
    background(again)
    await settle()
    assert (again.state, again.heard, again._life.signals) == (State.WAITING, ["first"], ())


async def test_a_payload_that_cannot_be_saved_is_refused_when_it_is_saved():
    process = Listening()
    process.signal("news", object())
    with pytest.raises(UnsavableError, match=r"signals\[0\]\[1\]"):
        save(process)


async def test_a_wait_that_was_saved_before_there_were_signals_is_loaded():
    process = Resting()
    await process.step()
    await process.step()
    contents = Snapshot.decode(save(process)).contents()
    assert contents["stage"] == {"fn": None, "msg": "for you", "data": None}
    assert load(save(process)).stage.listening is None


def test_a_command_shows_the_signal_it_waits_for():
    assert repr(Wait(msg="now", signal="go")) == "Wait(None, msg='now', data=None, signal='go')"
    assert "signal" not in repr(Wait(msg="now"))

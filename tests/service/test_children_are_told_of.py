"""A child that comes with its parent's step is told of as one that is created by itself: once, after the commit."""

from drupe import Process, ProcessListener
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore


class Quiet(Process):
    entered: tuple = ()

    def run(self):
        pass

    def on_entered(self, from_state):
        type(self).entered += (from_state,)


class Parent(Process):
    def run(self):
        self.submit(Quiet)


class Told(ProcessListener):
    def __init__(self):
        self.created = []

    def on_process_created(self, process):
        self.created.append(type(process).__name__)


async def test_a_submitted_child_is_told_of_once(monkeypatch):
    monkeypatch.setattr(Quiet, "entered", ())
    told = Told()
    async with Runner(MemoryStore()) as runner:
        runner.add_listener(told)
        await (await runner.launch(Parent))
        await runner.drained()
    assert told.created == ["Parent", "Quiet"]
    assert Quiet.entered[0] is None
    assert Quiet.entered.count(None) == 1

"""Snapshots keep the contract of a saved form."""

from drupe import Process, Wait
from drupe.engine.registry import ClassRegistry
from drupe.engine.saving import SnapshotSaver
from drupe.testing.saver_contract import SaverContract


class Asks(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("answer", required=False)

    def run(self):
        return Wait(self.tell)

    def tell(self, value):
        self.out("answer", value)


class TestSnapshots(SaverContract):
    def saver(self):
        return SnapshotSaver(ClassRegistry(Process))

    def process(self):
        return Asks()

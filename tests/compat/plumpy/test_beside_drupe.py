"""Processes of plumpy and of drupe in one program: each library knows its own, though one engine takes the steps of both."""

from tests.compat.both import DROP_IN, told

PROGRAM = """
import asyncio, json, sys

import drupe
import plumpy
from drupe.engine import progress

SEEN = []

def tell(where):
    names = [type(process).__name__ for process in (plumpy.Process.current(), drupe.Process.current())]
    step = progress.stepping(sys._getframe())
    SEEN.append([where, *names, step and step.kind.rpartition(":")[2]])

class Inner(drupe.Process):
    def run(self):
        tell("inner")
        self.out("result", 3)

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("result")

class Theirs(plumpy.Process):
    async def run(self):
        tell("theirs, before")
        inner = Inner()
        SEEN.append([inner._life.parent == drupe.Process.current().pid, (await inner)["result"], Inner().execute()["result"]])
        tell("theirs, after")
        return plumpy.Wait(self.go_on)

    def go_on(self):
        tell("theirs, at the end")

class Ours(drupe.Process):
    async def run(self):
        tell("ours, before")
        theirs = Theirs()
        running = asyncio.ensure_future(theirs.step_until_terminated())
        while theirs.state != plumpy.ProcessState.WAITING:
            await asyncio.sleep(0)
        theirs.resume()
        await running
        Alone().execute()
        tell("ours, after")

class Alone(plumpy.Process):
    def run(self):
        tell("alone")

Ours().execute()
Alone().execute()
print(json.dumps(SEEN))
"""


def test_each_library_knows_its_own_processes():
    assert told(DROP_IN, "-c", PROGRAM) == [
        ["ours, before", "NoneType", "Ours", "Ours"],
        ["theirs, before", "Theirs", "Ours", None],
        ["inner", "Theirs", "Inner", "Inner"],
        ["inner", "Theirs", "Inner", "Inner"],
        [True, 3, 3],
        ["theirs, after", "Theirs", "Ours", None],
        ["theirs, at the end", "Theirs", "Ours", None],
        ["alone", "Alone", "Ours", None],
        ["ours, after", "NoneType", "Ours", "Ours"],
        ["alone", "Alone", "NoneType", None],
    ]

"""Processes that one library saves and the other loads. A program: ``python -m kept write|read FOLDER``."""

import asyncio
import json
import logging
import sys
from pathlib import Path

import plumpy
import yaml


class Waits(plumpy.Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("a", default=1)
        spec.input("deep.b", required=False)
        spec.output("seen")

    def run(self):
        return plumpy.Wait(self.go_on, "for it", {"data": [1]})

    def go_on(self, value=None):
        self.out("seen", [self.inputs.a, self.inputs.deep.b, value])
        return plumpy.Continue(self.end, value)

    def end(self, value):
        return value


class Fails(plumpy.Process):
    def run(self):
        raise ValueError("for good")


class Counts(plumpy.WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.begin, plumpy.while_(cls.more)(cls.count, plumpy.if_(cls.odd)(cls.note)), cls.end)

    def begin(self):
        self.ctx.count, self.ctx.noted = 0, []

    def more(self):
        return self.ctx.count < 5

    def count(self):
        self.ctx.count += 1

    def odd(self):
        return self.ctx.count % 2

    def note(self):
        self.ctx.noted.append(self.ctx.count)

    def end(self):
        return [self.ctx.count, self.ctx.noted]


class Listener(plumpy.ProcessListener):
    pass


async def reached(process, steps):
    """A process some steps later; the last one may be a wait."""
    for _ in range(steps):
        step = asyncio.ensure_future(process.step())
        for _ in range(50):
            await asyncio.sleep(0)
        if not step.done():
            step.cancel()
            break
    return process


async def write(folder):
    made = {
        "created": Waits({"a": 3, "deep": {"b": [2]}}, pid="created"),
        "waiting": await reached(Waits({"a": 3, "deep": {"b": [2]}}, pid="waiting"), 3),
        "paused": await reached(Waits({"deep": {"b": 2}}, pid="paused"), 3),
        "failed": await reached(Fails(pid="failed"), 2),
    }
    for steps in range(14):
        made[f"chain-{steps}"] = await reached(Counts(pid=f"chain-{steps}"), steps)
    made["paused"].pause("for a while")
    made["waiting"].add_process_listener(Listener())
    persister = plumpy.PicklePersister(f"{folder}/pickles")
    for name, process in made.items():
        persister.save_checkpoint(process)
        Path(f"{folder}/{name}.yaml").write_text(yaml.dump(plumpy.Bundle(process)))
    return sorted(made)


async def read(folder):
    found = {}
    persister = plumpy.PicklePersister(f"{folder}/pickles")
    for checkpoint in persister.get_checkpoints():
        written = yaml.load(Path(f"{folder}/{checkpoint.pid}.yaml").read_text(), Loader=yaml.Loader)
        for form, bundle in (("pickle", persister.load_checkpoint(checkpoint.pid)), ("yaml", written)):
            process = bundle.unbundle(plumpy.LoadSaveContext(loop=asyncio.get_running_loop()))
            before = [str(process), process.status, process.paused, len(process._event_helper.listeners)]
            if process.paused:
                process.play()
            running = asyncio.ensure_future(process.step_until_terminated())
            for _ in range(100):
                await asyncio.sleep(0)
            if process.state == plumpy.ProcessState.WAITING:
                process.resume("value")
            await asyncio.gather(running, return_exceptions=True)
            end = str(process.exception()) if process.is_excepted else process.result()
            found[f"{checkpoint.pid} {form}"] = [before, str(process), end, process.outputs]
    return found


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.modules.setdefault("kept", sys.modules["__main__"])
    for kind in (Waits, Fails, Counts, Listener):
        kind.__module__ = "kept"
    print(json.dumps(asyncio.run({"write": write, "read": read}[sys.argv[1]](sys.argv[2]))))

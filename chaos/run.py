"""A run: workers, processes that are submitted, and faults, until everything has ended or time is up."""

import asyncio
import json
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TextIO

from chaos.callers import Callers
from chaos.errand import STEPS, Errand
from chaos.evidence import Journal
from chaos.faults import Fault, drawn, next_to
from chaos.surroundings import Server, Surroundings
from chaos.tables import states
from chaos.workers import Worker
from drupe.core import announcement
from drupe.core.message import Broadcast
from drupe.errors import DrupeError
from drupe.service import profile
from drupe.service.controller import Controller
from drupe.service.wiring import open_remote

LOOKS = 0.02
TOGETHER = 50
"""So many are submitted at once."""


@dataclass(frozen=True)
class Plan:
    """How large a run is."""

    seconds: float
    workers: int = 4
    slots: int = 10
    processes: int = 1000
    kills: int = 0
    freezes: int = 0
    drains: int = 0
    restarts: int = 0
    """Of each server."""
    down: float = 0.0
    """Seconds that a server stays away."""
    callers: int = 0
    """How many ask for something all the time."""
    lease: float = 2.0
    durability: str = "full"
    pause: float | None = None
    """Seconds of a step; by default so many that the slots are half full."""
    patience: float = 60.0
    """Seconds, after the last fault, within which one more has to end as long as any is left."""

    @property
    def step(self) -> float:
        """Get the seconds of a step."""
        if self.pause is not None:
            return self.pause
        steps = self.processes * len(STEPS)
        return round(min(1.0, 0.5 * self.workers * self.slots * self.seconds / steps), 4)


class Run:
    """One run in a folder.

    Args:
        folder: empty.
        plan: how large.
        seed: of the faults.
        surroundings: store and broker.
    """

    def __init__(self, folder: Path, plan: Plan, *, seed: int, surroundings: Surroundings) -> None:
        self._folder = folder
        self._plan = plan
        self._surroundings = surroundings
        self._chance = Random(seed)
        for name in ("effects", "logs"):
            (folder / name).mkdir(parents=True)
        self._journal = Journal(folder / "journal.jsonl")
        variables = surroundings.variables(folder, lease=plan.lease, durability=plan.durability)
        self._variables = variables
        self._workers = [
            Worker(
                ["--slots", str(plan.slots)],
                environment=variables,
                folder=folder,
                log=folder / "logs" / f"{number}.log",
                journal=self._journal,
            )
            for number in range(plan.workers)
        ]
        self._locks = {server.name: asyncio.Lock() for server in surroundings.servers}
        self._launched = 0
        """Processes that callers have launched."""
        self.seconds = 0.0
        """From the first submission until everything had ended."""

    async def go(self) -> None:
        """Do it."""
        settings = profile.load(folder=self._folder, environment=self._variables)
        try:
            for worker in self._workers:
                worker.start()
            async with open_remote(settings) as remote:
                with (self._folder / "told.jsonl").open("w") as told:
                    await remote.communicator.subscribe_broadcast(partial(_write_down, told), _tells_of_states)
                    await self._submit_and_harm(remote.controller)
                    await asyncio.gather(*(worker.drain(again=False) for worker in self._workers))
        finally:
            for worker in self._workers:
                worker.close()
            self._journal.close()

    async def _submit_and_harm(self, controller: Controller) -> None:
        start = time.monotonic()
        submitting = asyncio.create_task(self._submit(controller, start))
        calling = asyncio.create_task(self._call(controller, start))
        try:
            await self._harm(self._faults(), start)
            while not (submitting.done() and calling.done()):  # nobody stays frozen meanwhile
                await self._look()
            await asyncio.gather(submitting, calling)
        finally:
            submitting.cancel()
            calling.cancel()
        await self._settle()
        self.seconds = time.monotonic() - start

    # --- what is to be done ----------------------------------------------------------------------------------

    async def _submit(self, controller: Controller, start: float) -> None:
        """Submit evenly, for as long as there are faults; only what a queue has taken counts."""
        plan = self._plan
        for first in range(0, plan.processes, TOGETHER):
            batch = range(first, min(first + TOGETHER, plan.processes))
            await asyncio.gather(*(self._launch(controller, f"errand-{number:06}") for number in batch))
            await asyncio.sleep(start + 0.95 * plan.seconds * batch.stop / plan.processes - time.monotonic())

    async def _launch(self, controller: Controller, pid: str) -> None:
        while True:
            try:
                await controller.launch(Errand, {"pause": self._plan.step}, pid=pid)
            except DrupeError as error:  # a server is being restarted; asking again is asking once
                self._journal.note("asked again", f"{pid}: {error}")
                await asyncio.sleep(LOOKS)
            else:
                self._journal.note("submitted", pid)
                return

    async def _call(self, controller: Controller, start: float) -> None:
        """Have callers ask for something until the end of the faults; each of them launches a process in a second."""
        plan, stop = self._plan, asyncio.Event()
        callers = Callers(controller, self._folder, self._journal, Random(self._chance.random()), plan.step)
        asyncio.get_running_loop().call_later(start + plan.seconds - time.monotonic(), stop.set)
        try:
            number = round(plan.seconds) * plan.callers
            await asyncio.gather(*(callers.call(f"caller-{name}", number, stop) for name in range(plan.callers)))
        finally:
            callers.close()
        self._launched = len(callers.launched)

    # --- what happens to it ----------------------------------------------------------------------------------

    def _faults(self) -> list[Fault]:
        plan, servers = self._plan, self._surroundings.servers
        counts = {"kills": plan.kills, "freezes": plan.freezes, "drains": plan.drains, "restarts": plan.restarts}
        return drawn(
            self._chance, plan.seconds, workers=plan.workers, servers=len(servers), lease=plan.lease, counts=counts
        )

    async def _harm(self, faults: list[Fault], start: float) -> None:
        waiting, longer = list(faults), set[asyncio.Task[None]]()
        while waiting or longer or time.monotonic() < start + self._plan.seconds:
            for fault in [fault for fault in waiting if start + fault.at <= time.monotonic()]:
                work = self._do(fault)
                if work is not None:
                    waiting.remove(fault)
                    longer.add(asyncio.create_task(work))
            await self._look()
            for task in [task for task in longer if task.done()]:
                longer.remove(task)
                task.result()

    def _do(self, fault: Fault) -> Coroutine[Any, Any, None] | None:
        """Begin to do it; None if there is nobody now to whom it can be done."""
        if fault.kind == "restart":
            return self._restart(self._surroundings.servers[fault.whom])
        able = [worker.is_able for worker in self._workers]
        place = next_to(fault.whom, able)
        if place is None or (fault.kind == "freeze" and sum(able) < 2):  # somebody must be left
            return None
        worker = self._workers[place]
        if fault.kind == "kill":
            return worker.kill()
        return worker.freeze(fault.length) if fault.kind == "freeze" else worker.drain()

    async def _restart(self, server: Server) -> None:
        async with self._locks[server.name]:
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(self._plan.down)
            await asyncio.to_thread(server.start)
            self._journal.note("restarted", server.name)

    async def _look(self) -> None:
        for worker in self._workers:
            worker.look()
        await asyncio.sleep(LOOKS)

    async def _settle(self) -> None:
        """Wait until everything has ended; what has not when none has for long is lost."""
        plan, ended, until = self._plan, -1, 0.0
        while ended < plan.processes + self._launched:
            found = await asyncio.to_thread(states, self._folder, self._surroundings.store)
            if found.get("finished", 0) > ended:
                ended, until = found.get("finished", 0), time.monotonic() + plan.patience
            if time.monotonic() >= until:
                return
            for _ in range(10):
                await self._look()


def _tells_of_states(_: str | None, subject: str | None) -> bool:
    return subject is not None and subject.startswith(announcement.SUBJECT)


def _write_down(told: TextIO, message: Broadcast) -> None:
    heard = announcement.read(message.body)
    told.write(json.dumps([heard.pid, heard.seq, heard.state.value]) + "\n")

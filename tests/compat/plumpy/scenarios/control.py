"""Pause, play, kill, resume and fail at every point of a process, alone and after each other."""

import asyncio
import itertools

import plumpy

from scenarios.telling import SEEN, Listener, each, facts, on_new_loop, plain, raised, turns, watched

VERBS = {
    "pause": lambda process: process.pause("why"),
    "pause_silently": lambda process: process.pause(),
    "play": lambda process: process.play(),
    "kill": lambda process: process.kill("enough"),
    "force": lambda process: process.kill("enough", force_kill=True),
    "resume": lambda process: process.resume(),
    "resume_value": lambda process: process.resume("value"),
    "fail": lambda process: process.fail(ValueError("failed"), None),
    "cancel": lambda process: [action.cancel() for action in process.asked if isinstance(action, asyncio.Future)],
    "future": lambda process: process.future().cancel(),
    "close": lambda process: process.close(),
    "turn": None,
}
POINTS = ("created", "step", "awaiting", "waiting", "ended")
SINGLE = [(verb,) for verb in VERBS if verb != "turn"]
PAIRS = list(itertools.product(("pause", "play", "kill", "force", "resume", "cancel", "fail"), repeat=2))
TRIPLES = [
    ("pause", "turn", "play"), ("pause", "turn", "kill"), ("pause", "turn", "resume"), ("pause", "turn", "pause"),
    ("pause", "play", "pause"), ("pause", "kill", "play"), ("pause", "cancel", "kill"), ("kill", "turn", "play"),
    ("kill", "cancel", "pause"), ("resume", "pause", "play"), ("pause", "turn", "force"), ("pause", "turn", "cancel"),
    ("play", "turn", "pause"), ("pause", "turn", "fail"), ("kill", "kill", "kill"),
]  # fmt: skip
WANTED = ("resume", "pause"), ("resume", "kill"), ("fail", "pause"), ("fail", "kill")
"""Asked for a wait that is over in the same turn, which the original answers with an error of its future."""


class Steered(plumpy.Process):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = []
        self.gate = None
        self.verbs = ()

    def ask(self):
        """What each verb answers at once."""
        return [[verb, raised(lambda verb=verb: self.remember(VERBS[verb](self)))] for verb in self.verbs]

    def remember(self, answer):
        self.asked.append(answer)
        return answer

    async def run(self):
        self.gate = asyncio.Event()
        await self.gate.wait()
        return plumpy.Continue(self.plain)

    def plain(self):
        if self.point == "step":
            SEEN.append(self.ask())
        self.set_status("working")
        return plumpy.Wait(self.go_on, "for it", {"some": "data"})

    def go_on(self, *args):
        SEEN.append(["go on", plain(args)])
        return "over"


@each(**{
    f"{point}-{'-'.join(verbs)}": (point, verbs)
    for point in POINTS
    for verbs in (*SINGLE, *PAIRS, *TRIPLES)
    if not (point == "step" and "turn" in verbs)
})  # fmt: skip
@on_new_loop
async def steering(point, verbs):
    process = watched(Steered)()
    process.point, process.verbs = point, verbs
    process.add_process_listener(Listener())
    if point == "created":
        yield [await ask(process), facts(process)]
    running = asyncio.ensure_future(process.step_until_terminated())
    await turns()
    if point == "awaiting":
        yield [await ask(process), facts(process)]
    await turns()
    if process.gate is not None:
        process.gate.set()
    await turns()
    if point == "waiting":
        yield [await ask(process), facts(process)]
    await turns()
    yield [facts(process), plain(process.asked)]
    if process.paused:
        yield raised(process.play)
        await turns()
    if process.gate is not None:
        process.gate.set()
    await turns()
    if process.state == plumpy.ProcessState.WAITING:
        yield raised(process.resume, 1)
        await turns()
    if point == "ended":
        yield await ask(process)
    yield [facts(process), plain(process.asked)]
    if not running.done():
        running.cancel()
    yield plain(await asyncio.gather(running, return_exceptions=True))


async def ask(process):
    answers = []
    for verb in process.verbs:
        if verb == "turn":
            await turns()
        else:
            answers.append([verb, raised(lambda verb=verb: process.remember(VERBS[verb](process)))])
    return answers

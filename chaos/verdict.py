"""Whether what was promised was kept, from the evidence alone. Nothing of drupe is used here, nor believed."""

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from chaos.errand import STEPS
from chaos.evidence import Effect, Evidence
from chaos.tables import Row

HISTORY = ["created", "running", *["step"] * (len(STEPS) - 1), "finished"]
MOVED = ("paused", "played")
"""Lines of a history that callers bring about, at any place."""
SLACK = 1.0
"""Seconds that a call may end after its deadline: its program is one of many on a machine that is busy."""
NAMES = [None, None, *STEPS]
"""Of the step that each line of a history is about."""
PROBLEMS = {
    "lost": "submitted, and not finished",
    "committed twice": "a step is in a history twice",
    "gap": "a history is not complete and in order",
    "wrong outcome": "what a step was handed is not what the steps before it made",
    "effect missing": "a step was committed, and had no effect",
    "effect under two keys": "a step had its effect under more than one key, or two steps under one",
    "begun twice by one owner": "a step began twice under one fencing token",
    "effect of a fenced owner": "a fenced owner began more than the step that ran",
    "repeated after a drain": "a step began again though its worker had ended in good order",
    "told and not committed": "a broadcast says what is in no history",
    "excepted": "a process ended by an exception",
    "call past its deadline": f"a call lasted longer than its deadline and {SLACK:g} s",
    "call failed otherwise": "a call failed by an error that is none of drupe's",
    "unknown": "there is a process that nobody submitted",
}


@dataclass
class Verdict:
    """What came out."""

    processes: int = 0
    steps: int = 0
    effects: int = 0
    """Effects by their keys, each of which counts once."""
    repeated: int = 0
    """How often a step had its effect again."""
    told: int = 0
    refused: int = 0
    calls: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Calls that failed, by the kind of their errors."""
    latest: float = 0.0
    """The most seconds that a call has ended after its deadline."""
    counts: Counter[str] = field(default_factory=Counter)
    """What was done to the run."""
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    taken_over: list[float] = field(default_factory=list)
    """Seconds from a SIGKILL until each process that the worker had took its next step elsewhere, ascending."""
    beside: list[float] = field(default_factory=list)
    """Those of them in which some other worker was at work all the while: it had begun a step before, and was left alone."""
    thawed: list[float] = field(default_factory=list)
    """Likewise from a freeze."""

    def blame(self, problem: str, what: str) -> None:
        """Note a broken promise."""
        self.problems[problem] += 1
        if len(self.examples[problem]) < 3:
            self.examples[problem].append(what)


def judge(evidence: Evidence) -> Verdict:
    """Compare what is known."""
    verdict = Verdict(refused=evidence.refused, counts=Counter(note.what for note in evidence.notes))
    submitted = {note.whom for note in evidence.notes if note.what == "submitted"}
    effects: dict[str, list[Effect]] = defaultdict(list)
    for effect in evidence.effects:
        effects[effect.pid].append(effect)
    for pid in sorted(submitted):
        _judge_history(verdict, pid, evidence.rows.get(pid))
        _judge_effects(verdict, pid, evidence.rows.get(pid), effects[pid])
    for pid in sorted(set(evidence.rows) - submitted):
        verdict.blame("unknown", pid)
    verdict.processes = len(submitted)
    _judge_keys(verdict, evidence.effects)
    _judge_drains(verdict, evidence, effects)
    _judge_broadcasts(verdict, evidence)
    _judge_calls(verdict, evidence)
    _time_take_overs(verdict, evidence, effects)
    return verdict


def _judge_history(verdict: Verdict, pid: str, row: Row | None) -> None:
    if row is None or row.state != "finished":
        problem = "excepted" if row is not None and row.state == "excepted" else "lost"
        verdict.blame(problem, f"{pid}: {'not in the store' if row is None else row}")
        return
    steps = Counter(event.detail for event in row.events if event.event in ("step", "finished"))
    verdict.steps += len(steps)
    for name, times in steps.items():
        if times > 1:
            verdict.blame("committed twice", f"{pid}: {name} {times} times")
    numbers = [event.seq for event in row.events]
    moves = [event for event in row.events if event.event not in MOVED]
    whole = (
        numbers == [*range(1, row.seq + 1)]
        and [event.event for event in moves] == HISTORY
        and [event.detail for event in moves[2:]] == NAMES[2:]
    )
    if not whole and not any(times > 1 for times in steps.values()):
        verdict.blame("gap", f"{pid}: {row}")


def _judge_effects(verdict: Verdict, pid: str, row: Row | None, effects: Sequence[Effect]) -> None:
    for effect in [effect for effect in effects if effect.total != effect.step - 1]:
        verdict.blame("wrong outcome", f"{pid}: step {effect.step} was handed {effect.total}")
    if row is not None and row.state == "finished":
        for step in set(range(1, len(STEPS) + 1)) - {effect.step for effect in effects}:
            verdict.blame("effect missing", f"{pid}: step {step}")
    for (step, token), times in Counter((effect.step, effect.token) for effect in effects).items():
        if times > 1:
            verdict.blame("begun twice by one owner", f"{pid}: step {step} with token {token}")
    for token, times in Counter(effect.token for effect in _late(effects)).items():
        if times > 1:
            verdict.blame("effect of a fenced owner", f"{pid}: {times} steps with token {token}")


def _late(effects: Sequence[Effect]) -> Iterator[Effect]:
    """Get those that came after one with a higher token. One for each owner may: of the step that ran."""
    highest = 0
    for effect in effects:
        if effect.token < highest:
            yield effect
        highest = max(highest, effect.token)


def _judge_keys(verdict: Verdict, effects: Sequence[Effect]) -> None:
    """Each step has one key, and each key one step: then whoever keeps the keys does everything once."""
    keys: dict[tuple[str, int], str] = {}
    steps: dict[str, tuple[str, int]] = {}
    for effect in effects:
        step = effect.pid, effect.step
        if keys.setdefault(step, effect.key) != effect.key or steps.setdefault(effect.key, step) != step:
            verdict.blame("effect under two keys", f"{step}: {effect.key}, {keys[step]}, {steps.get(effect.key)}")
    verdict.effects = len(steps)
    verdict.repeated = len(effects) - len(steps)


def _judge_drains(verdict: Verdict, evidence: Evidence, effects: dict[str, list[Effect]]) -> None:
    """A worker that was asked to stop, and did, has left no step that begins again."""
    harmed = {note.whom for note in evidence.notes if note.what in ("frozen", "gave up")}
    drained = {int(note.whom) for note in evidence.notes if note.what == "drained" and note.whom not in harmed}
    for pid, done in effects.items():
        for before, after in pairwise(done):
            if before.worker in drained and before.worker != after.worker and before.step == after.step:
                verdict.blame("repeated after a drain", f"{pid}: step {after.step}")


def _judge_broadcasts(verdict: Verdict, evidence: Evidence) -> None:
    verdict.told = len(evidence.told)
    for told in evidence.told:
        row = evidence.rows.get(told.pid)
        events = () if row is None else row.events
        if not any((event.seq, event.state) == (told.seq, told.state) for event in events):
            verdict.blame("told and not committed", f"{told}")


def _judge_calls(verdict: Verdict, evidence: Evidence) -> None:
    verdict.calls = len(evidence.calls)
    for call in evidence.calls:
        late = call.seconds - call.deadline
        verdict.latest = max(verdict.latest, late)
        if late > SLACK:
            verdict.blame("call past its deadline", f"{call}")
        if call.failure is not None:
            verdict.failed[call.failure] += 1
            if call.failure.startswith("untyped"):
                verdict.blame("call failed otherwise", f"{call}")


def _time_take_overs(verdict: Verdict, evidence: Evidence, effects: dict[str, list[Effect]]) -> None:
    killed, frozen = _times(evidence, "killed"), _times(evidence, "frozen")
    at_work = _at_work(evidence)
    for done in effects.values():
        for before, after in pairwise(done):
            if after.token != before.token + 1 or after.worker == before.worker:
                continue  # nobody took it over, or somebody in between did who began nothing
            for times, found in ((killed, verdict.taken_over), (frozen, verdict.thawed)):
                at = bisect_left(times[before.worker], before.at)
                if at < len(times[before.worker]) and times[before.worker][at] < after.at:
                    hit = times[before.worker][at]
                    found.append((after.at - hit) / 1e9)
                    if times is killed and any(begun < hit and after.at < gone for begun, gone in at_work):
                        verdict.beside.append(found[-1])
                    break
    verdict.taken_over.sort()
    verdict.beside.sort()
    verdict.thawed.sort()


def _at_work(evidence: Evidence) -> list[tuple[int, float]]:
    """Get from when until when each worker was at work: from its first step until something was done to it."""
    begun: dict[int, int] = {}
    for effect in evidence.effects:
        begun[effect.worker] = min(begun.get(effect.worker, effect.at), effect.at)
    gone: dict[int, float] = {}
    for note in evidence.notes:
        if note.what in ("killed", "frozen", "drained"):
            gone.setdefault(int(note.whom), note.at)
    return [(at, gone.get(worker, math.inf)) for worker, at in begun.items()]


def _times(evidence: Evidence, what: str) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for note in evidence.notes:
        if note.what == what:
            found[int(note.whom)].append(note.at)
    return found


def share(ascending: Sequence[float], part: float) -> float:
    """Get the value below which ``part`` of them are."""
    return ascending[min(int(part * len(ascending)), len(ascending) - 1)]

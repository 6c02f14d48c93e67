"""Every write is crashed at, or this fails: no store is written, and none of its writes is called, beside the probes."""

import ast
import contextlib
from collections import Counter
from pathlib import Path

import pytest

import drupe
from drupe.core.record import Query
from drupe.errors import ExceptedError
from drupe.interfaces.inbox import Inbox
from drupe.interfaces.store import Store
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.storage.sqlite import SqliteStore
from drupe.testing.probe import Recorder
from tests.crash.test_everywhere import PLAYS

ALL = Query(limit=1000)
SOURCE = Path(drupe.__file__).parent

WRITES = {
    "join",
    "renew",
    "leave",
    "claim",
    "claim_many",
    "release",
    "park",
    "create",
    "save",
    "delete",
    "ask",
    "answer",
    "overrule",
}
READS = {
    "held",
    "free",
    "next_wake",
    "owners",
    "record",
    "inputs",
    "checkpoint",
    "latest",
    "checkpoints",
    "history",
    "find",
    "list",
    "orders",
    "asked",
    "first_signal",
    "receipt",
}
INSIDE = ["store.begin", "store.apply", "store.commit", "store.committed"]
AROUND = {
    "save": ("host.commit", "host.committed"),
    "create": ("host.create", "host.created"),
    "ask": ("host.ask", "host.asked"),
    "answer": ("host.answer", "host.answered"),
}
"""Writes of a running process, which pass a place of their host before and after."""

HOST_FREE = {
    ("service/recovery.py", "save"): "a process that could not be brought up to date is paused before it has a host",
    ("service/retrying.py", "create"): "whoever retries holds nothing, before nor after",
    ("service/queueing.py", "create"): "whoever hands something in leaves it to others",
    ("service/ordering.py", "ask"): "whoever asks holds nothing of the process",
    ("service/overruling.py", "answer"): "nor does who answers for what nobody holds",
}
"""Calls in the service that need no place of the host: the store's own are enough, since nothing is kept in memory."""


def test_every_method_of_a_store_is_known_as_a_write_or_a_read():
    """A new one has to be put in its place here, and thereby under the tests that crash it."""
    methods = {
        name for name, found in (vars(Store) | vars(Inbox)).items() if callable(found) and not name.startswith("_")
    }
    assert methods - {"open", "close"} == WRITES | READS


@pytest.mark.parametrize("name", sorted(WRITES))
async def test_a_write_passes_the_places_of_a_store(name):
    """What `drupe.testing.store_failure_contract` crashes at is what the service passes: counted in a whole run below."""
    recorder = Recorder()
    store = MemoryStore(probe=recorder)
    await store.open()
    with contextlib.suppress(Exception):  # what it is asked is nonsense, and refused: it passes its places before
        await getattr(store, name)(*ARGUMENTS[name][0], **ARGUMENTS[name][1])
    assert recorder.places[:3] == [f"store.{name}", "store.begin", "store.apply"]
    await store.close()


ARGUMENTS = {
    "join": (["me"], {"lease": 1.0}),
    "renew": (["me"], {"lease": 1.0}),
    "leave": (["me"], {}),
    "claim": (["p"], {"owner": "me"}),
    "claim_many": (["p"], {"owner": "me"}),
    "release": ([None], {}),
    "park": ([None, None], {}),
    "create": ([[]], {}),
    "save": ([None], {}),
    "delete": (["p"], {}),
    "ask": ([None], {}),
    "answer": ([None, []], {}),
    "overrule": ([None], {}),
}


@pytest.mark.parametrize("play", PLAYS.values(), ids=PLAYS)
@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_what_a_run_writes_is_what_its_probe_saw(play, kind, tmp_path):
    """Each change of the store is between its places: as many commits as there are checkpoints, owners and claims."""
    recorder, state = Recorder(), MemoryState()

    def store(probe):
        if kind == "memory":
            return MemoryStore(state, probe=probe)
        return SqliteStore(tmp_path / "store.db", durability="process", probe=probe)

    async with Runner(store(recorder), probe=recorder) as runner:
        with contextlib.suppress(ExceptedError):
            await play(runner)
        rows = (await runner.store.list(ALL)).records
    seen = Counter(recorder.places)
    checkpoints = sum(row.seq for row in rows)
    with_a_step = checkpoints - len(rows)  # the first one of each process comes with its birth
    assert seen["store.save"] == seen["host.commit"] == seen["host.committed"] == with_a_step
    assert seen["host.create"] == seen["host.created"] == seen["store.create"]
    assert 0 < seen["store.create"] <= len(rows)
    asked = sum(seen[f"store.{name}"] for name in WRITES)
    assert seen["store.apply"] == asked
    assert seen["store.begin"] == seen["store.commit"] == seen["store.committed"] <= asked


def calls(path):
    """Calls of a store's writes in a file: line, method, the function around it."""
    tree = ast.parse(path.read_text())
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
                owner = node.func.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if name.lstrip("_") == "store":
                    yield node.lineno, node.func.attr, function


def places(function):
    """The places that a function passes, by line."""
    return {
        node.args[0].value: node.lineno
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr.lstrip("_") == "probe"
        and isinstance(node.args[0], ast.Constant)
    }


@pytest.mark.untraced
def test_a_write_of_a_running_process_has_a_place_before_and_after_it():
    """Seen in the syntax: `host.commit` where a change is put together, `host.committed` after the store has it."""
    found, elsewhere = [], []
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).as_posix()
        if name.startswith(("storage/", "testing/")):
            continue
        for line, method, function in calls(path):
            if method not in AROUND:
                continue
            after = AROUND[method][1]
            if places(function).get(after, 0) > line or (name, function.name) == ("service/stored.py", "_saved"):
                found.append(method)
            else:
                elsewhere.append((name, method))
    assert set(found) == set(AROUND)
    assert set(elsewhere) == set(HOST_FREE)
    passed = {
        place
        for name in ("service/stored.py", "service/attendant.py")
        for node in ast.walk(ast.parse((SOURCE / name).read_text()))
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
        for place in places(node)
    }
    assert passed >= {place for pair in AROUND.values() for place in pair}


@pytest.mark.untraced
def test_only_the_service_writes_to_a_store():
    """The engine, the commands and everybody else ask the service; what they would write themselves, nobody crashes at."""
    writing = {
        path.relative_to(SOURCE).parts[0]
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE).parts[0] not in ("storage", "testing")
        for _ in calls(path)
    }
    assert writing == {"service"}

"""What is measured, and what is wanted: the whole list."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from measure import Clock, Work

Kind = Literal["times other", "at most of floor", "at most", "works"]


@dataclass(frozen=True)
class Target:
    """What is wanted of drupe.

    ``times other``: at least so many times as fast as the library beside it. ``at most of floor``: takes at most so many times what the
    floor takes. ``at most``: takes no more than so many seconds, or bytes. ``works``: gets to its end.
    """

    kind: Kind
    value: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        group: what it is about, one word for the command line.
        works: what each side does: ``floor``, ``drupe``, and the library beside it under its name.
        clock: which time counts: that of the processor where nothing waits, the clock's where a disk or thread does.
    """

    group: str
    name: str
    works: Mapping[str, Work]
    target: Target | None = None
    clock: Clock = "cpu"
    runs: int | None = None

    @property
    def other(self) -> str:
        """The library that drupe is measured beside."""
        return next((name for name in self.works if name not in ("floor", "drupe")), "plumpy")


def _work(place: str, **options: Any) -> Work:
    return Work(place=place, options=options)


def _sides(place: str, floor: Work, *, size: int, **options: Any) -> dict[str, Work]:
    """Get a work of `both`, with its floor."""
    work = _work(f"both.{place}", size=size, **options)
    return {"floor": floor, "drupe": work, "plumpy": work}


SIX: Final = Target("times other", 6.0)
THREE: Final = Target("times other", 3.0)
SHORT: Final = 15
"""How often what takes a tenth of a second is measured: one run in three is half as slow again on a virtual machine."""


def _processes() -> Iterator[Row]:
    for body in ("sync", "async"):
        floor = _work("bare.process:one_after_the_other", size=1000)
        works = _sides("process:one_after_the_other", floor, size=500, body=body)
        name = f"no-op process, one after the other, {body} run"
        yield Row(group="process", name=name, works=works, target=SIX, runs=SHORT)
    for body in ("sync", "async"):
        floor = _work("bare.process:at_once", size=5000)
        works = _sides("process:at_once", floor, size=5000, body=body)
        yield Row(
            group="process", name=f"no-op process, 5,000 at once, {body} run", works=works, target=SIX, runs=SHORT
        )


def _steps() -> Iterator[Row]:
    floor = _work("bare.step:turns", size=10_000)
    for body in ("sync", "async"):
        works = _sides("step:continued", floor, size=10_000, body=body)
        yield Row(group="step", name=f"`Continue`, {body} step", works=works, target=SIX)


def _chains() -> Iterator[Row]:
    floor = _work("bare.step:turns", size=20_000)
    works = _sides("chain:loop", floor, size=20_000, depth=0)
    yield Row(group="chain", name="`while_` of 10,000 x 2 steps", works=works, target=SIX)
    for depth in (1, 10, 50, 100):
        works = _sides("chain:loop", floor, size=4_000, depth=depth)
        yield Row(group="chain", name=f"`while_` of 2,000 x 2 steps, {depth} deep in `if_`", works=works, target=SIX)
    deep = {
        "floor": _work("both.chain:loop", size=20_000, depth=0),
        "drupe": _work("both.chain:loop", size=20_000, depth=100),
    }
    yield Row(
        group="chain", name="drupe 100 deep (floor: drupe 0 deep)", works=deep, target=Target("at most of floor", 1.3)
    )
    for length in (10, 100, 1_000, 10_000):
        works = _sides("chain:flat", floor, size=max(2_000, length), length=length)
        yield Row(group="chain", name=f"outline of {length:,} steps, with its process", works=works, target=SIX)


def _nesting() -> Iterator[Row]:
    for depth in (1, 10, 50):
        floor = _work("bare.process:nested", size=500, depth=depth)
        works = _sides("nesting:executed", floor, size=500, depth=depth)
        yield Row(group="nesting", name=f"nested `execute()`, depth {depth}", works=works, target=THREE, runs=SHORT)
    work = _work("both.nesting:executed", size=1, depth=5_000)
    works = {"drupe": work, "plumpy": work}
    yield Row(group="nesting", name="nested `execute()`, depth 5,000", works=works, target=Target("works"))


def _checkpoints() -> Iterator[Row]:
    for label, data, sizes, wanted in (("5 integers", 0, (500, 500), 5.0), ("1 MB", 1_000_000, (5, 2), 10.0)):
        size, theirs = sizes
        for verb, place in (("save", "save"), ("load", "load")):
            works = {
                "floor": _work(f"bare.checkpoint:{place}", size=size, data=data),
                "drupe": _work(f"ours.checkpoint:{place}", size=size, data=data),
                "plumpy": _work(f"theirs.checkpoint:{place}", size=theirs, data=data),
            }
            target = Target("times other", wanted)
            yield Row(group="checkpoint", name=f"{verb} a checkpoint, {label}", works=works, target=target)
        works = {**works, "floor": _work("bare.checkpoint:save", size=size, data=data)}
        works["drupe"] = _work("ours.checkpoint:save_again", size=size, data=data)
        works["plumpy"] = _work("theirs.checkpoint:save", size=theirs, data=data)
        yield Row(group="checkpoint", name=f"save one more checkpoint, {label}", works=works)


def _durable() -> Iterator[Row]:
    for handover, label in (("condition", ""), ("queue", " (floor with a faster hand-over)")):
        for processes, size, rates in (
            (100, 50, {"full": 0.45, "process": 0.45}),
            (1, 1_000, {"full": 0.8, "process": 0.5}),
        ):
            for durability, rate in rates.items():
                options = {"processes": processes, "size": size, "durability": durability}
                works = {
                    "floor": _work("bare.durable:steps", handover=handover, **options),
                    "drupe": _work("ours.durable:steps", **options),
                }
                yield Row(
                    group="durable",
                    name=f"durable step, {processes} at once, {durability}{label}",
                    works=works,
                    target=None if label else Target("at most of floor", 1 / rate),
                    clock="wall",
                    runs=11,
                )


def _beside() -> Iterator[Row]:
    """What another thread of the interpreter costs, which wants Python's lock, too: a step with `thread=True`, for example."""
    options = {"processes": 100, "size": 20, "durability": "full", "beside": True}
    works = {
        "floor": _work("bare.durable:steps", handover="condition", **options),
        "drupe": _work("ours.durable:steps", **options),
    }
    name = "durable step, 100 at once, full, beside a thread that computes"
    yield Row(group="durable", name=name, works=works, clock="wall", runs=5)


def _in_database() -> Iterator[Row]:
    for processes, size, target in ((100, 100, Target("at most of floor", 2.0)), (1, 300, None)):
        options = {"processes": processes, "size": size}
        works = {
            "floor": _work("bare.database:steps", **options),
            "drupe": _work("ours.durable:steps_in_database", **options),
        }
        name = f"durable step, {processes} at once, PostgreSQL"
        yield Row(group="postgres", name=name, works=works, target=target, clock="wall")


def _lists() -> Iterator[Row]:
    floor = _work("bare.listing:listed", size=50, processes=100_000)
    for query in ("all", "page 2", "class and state"):
        works = {"floor": floor, "drupe": _work("ours.listing:listed", size=50, processes=100_000, query=query)}
        target = Target("at most", 0.005)
        yield Row(group="listing", name=f"list 100 of 100,000: {query}", works=works, target=target, clock="wall")


def _imports() -> Iterator[Row]:
    for place, label, target in (
        ("whole", "whole `python -c`", Target("at most of floor", 1.6)),
        ("imported", "by -X importtime", None),
    ):
        works = {
            "floor": _work(f"bare.start:{place}", module="asyncio"),
            "drupe": _work(f"bare.start:{place}", module="drupe"),
            "plumpy": _work(f"bare.start:{place}", module="plumpy"),
        }
        name = f"import, {label} (floor: asyncio)"
        yield Row(group="import", name=name, works=works, target=target, clock="wall", runs=20)


def _messages() -> Iterator[Row]:
    """Over a broker; the third side is kiwipy, which comes with plumpy."""
    near, many = Target("at most of floor", 1.3), Target("at most of floor", 1 / 0.75)
    for name, function, options, target in (
        ("RPC, one after the other", "calls", {"size": 200, "flight": 1}, near),
        ("RPC, 50 at once", "calls", {"size": 1_000, "flight": 50}, many),
        ("task and its reply, 50 at once", "calls", {"size": 500, "flight": 50, "tasks": True}, many),
        ("task without reply, 100 at once", "sends", {"size": 1_000, "flight": 100}, many),
    ):
        sides = {"floor": "bare", "drupe": "ours", "plumpy": "theirs"}
        works = {side: _work(f"{place}.messages:{function}", **options) for side, place in sides.items()}
        yield Row(group="messages", name=f"{name} (RabbitMQ)", works=works, target=target, clock="wall")
    for name, flight, size, target in (
        ("one after the other", 1, 200, Target("at most of floor", 1.7)),
        ("50 at once", 50, 1_000, THREE),
    ):
        options = {"size": size, "flight": flight}
        works = {
            "floor": _work("bare.messages:calls", **options),
            "drupe": _work("ours.messages:threaded", **options),
            "plumpy": _work("theirs.messages:threaded", **options),
        }
        label = f"RPC through threads on both ends, {name} (RabbitMQ)"
        yield Row(group="messages", name=label, works=works, target=target, clock="wall")
    options = {"size": 500, "flight": 100}
    works = {
        "floor": _work("bare.messages:sends", **options),
        "drupe": _work("ours.messages:sends_threaded", **options),
        "plumpy": _work("theirs.messages:sends_threaded", **options),
    }
    target = Target("times other", 10.0)
    label = "task without reply, through a thread (RabbitMQ)"
    yield Row(group="messages", name=label, works=works, target=target, clock="wall")
    works = {side: _work(f"{place}.messages:registered", size=1_000) for side, place in THEIRS.items()}
    target = Target("at most", 0.5)
    yield Row(group="messages", name="1,000 names answered to (RabbitMQ)", works=works, target=target, clock="wall")
    works = {"drupe": _work("ours.messages:killed", size=1_000)}
    target = Target("at most", 1.0)
    yield Row(
        group="messages", name="1,000 waiting processes killed (RabbitMQ)", works=works, target=target, clock="wall"
    )
    works = {"drupe": _work("ours.messages:local_calls", size=1_000, flight=1)}
    target = Target("at most", 0.3e-3)
    yield Row(group="messages", name="RPC, one after the other (local)", works=works, target=target, clock="wall")
    works = {"drupe": _work("ours.messages:local_sends", size=10_000, flight=64)}
    target = Target("at most", 1e-4)
    yield Row(group="messages", name="durable task, 64 at once (local)", works=works, target=target, clock="wall")


def _drop_in() -> Iterator[Row]:
    """The same programs with plumpy and kiwipy, and with these import names on top of drupe: nothing may be slower."""
    for name, place, options, times in (
        (
            "no-op process, one after the other, sync run",
            "engine:one_after_the_other",
            {"size": 500, "body": "sync"},
            2.0,
        ),
        (
            "no-op process, one after the other, async run",
            "engine:one_after_the_other",
            {"size": 500, "body": "async"},
            2.0,
        ),
        ("no-op process, 1,000 at once, sync run", "engine:at_once", {"size": 1_000, "body": "sync"}, 2.0),
        ("no-op process, 1,000 at once, async run", "engine:at_once", {"size": 1_000, "body": "async"}, 2.0),
        ("`Continue`, sync step", "engine:continued", {"size": 2_000, "body": "sync"}, 2.0),
        ("`Continue`, async step", "engine:continued", {"size": 2_000, "body": "async"}, 2.0),
        ("`while_` of 1,000 x 2 steps", "engine:loop", {"size": 2_000, "depth": 0}, 2.0),
        ("`while_` of 1,000 x 2 steps, 10 deep in `if_`", "engine:loop", {"size": 2_000, "depth": 10}, 2.0),
        ("outline of 100 steps, with its process", "engine:flat", {"size": 2_000, "length": 100}, 2.0),
        ("nested `execute()`, depth 10", "engine:executed", {"size": 500, "depth": 10}, 1.0),
        ("save a checkpoint, 5 integers", "checkpoint:save", {"size": 500, "data": 0}, 2.0),
        ("load a checkpoint, 5 integers", "checkpoint:load", {"size": 500, "data": 0}, 2.0),
        ("save a checkpoint, 1 MB", "checkpoint:save", {"size": 2, "data": 1_000_000}, 2.0),
        ("load a checkpoint, 1 MB", "checkpoint:load", {"size": 2, "data": 1_000_000}, 2.0),
    ):
        works = {side: _work(f"theirs.{place}", **options) for side in ("drupe", "plumpy")}
        yield Row(group="drop-in", name=f"drop-in: {name}", works=works, target=Target("times other", times))
    works = {side: _work("theirs.engine:waiting", size=300) for side in ("drupe", "plumpy")}
    name = "drop-in: 300 processes get to wait (RabbitMQ)"
    yield Row(group="drop-in", name=name, works=works, target=Target("times other", 2.0), clock="wall")
    for name, function, options, times in (
        ("RPC, one after the other", "calls", {"size": 200, "flight": 1}, 1.0),
        ("RPC, 50 at once", "calls", {"size": 500, "flight": 50}, 1.0),
        ("task and its reply, 50 at once", "calls", {"size": 500, "flight": 50, "tasks": True}, 1.0),
        ("task without reply, 100 at once", "sends", {"size": 500, "flight": 100}, 1.0),
        ("RPC through threads, 50 at once", "threaded", {"size": 500, "flight": 50}, 1.0),
        ("task without reply, through a thread", "sends_threaded", {"size": 200, "flight": 1}, 1.0),
        ("1,000 names answered to", "registered", {"size": 1_000}, 2.0),
    ):
        works = {side: _work(f"theirs.messages:{function}", **options) for side in ("drupe", "plumpy")}
        target = Target("times other", times)
        yield Row(group="drop-in", name=f"drop-in: {name} (RabbitMQ)", works=works, target=target, clock="wall")


THEIRS: Final = {"drupe": "ours", "plumpy": "theirs"}


ROWS: Final = (
    *_processes(),
    *_steps(),
    *_chains(),
    *_nesting(),
    *_checkpoints(),
    *_durable(),
    *_beside(),
    *_in_database(),
    *_lists(),
    *_imports(),
    *_messages(),
    *_drop_in(),
)

"""What services do, beside what a newcomer would pick for it: DBOS on the same database, and Celery."""

from collections.abc import Iterator
from typing import Any, Final

from measure import Work
from rows import Row, Target

FIVE: Final = Target("times other", 5.0)
"""Wanted where it is about how much."""
AHEAD: Final = Target("times other", 1.0)
"""Wanted where it is about how soon, or how little memory."""
STORES: Final = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


def service_rows() -> Iterator[Row]:
    """Get the rows, in the order of the table."""
    for store, label in STORES.items():
        yield from _beside_dbos(store, label)
    for name, function, options in (
        ("to its first step, one after the other", "started", {"size": 20}),
        ("to its result, one after the other", "through_worker", {"size": 20, "flight": 1}),
        ("to its result, 100 at a time", "through_worker", {"size": 500, "flight": 100}),
    ):
        ours = {**options, "store": "sqlite", "broker": "rabbitmq"}
        works = {
            "drupe": Work(place=f"ours.service:{function}", options=ours),
            "celery": Work(place=f"theirs.celery_engine:{function}", options=options),
        }
        label = f"through a worker, {name} (RabbitMQ; Celery keeps nothing)"
        yield Row(group="celery", name=label, works=works, clock="wall")


def _beside_dbos(store: str, label: str) -> Iterator[Row]:
    for name, function, target, options in (
        ("a process of one step, one after the other", "one_after_the_other", AHEAD, {"size": 100}),
        ("a process of one step, 100 at a time", "at_once", FIVE, {"size": 300, "flight": 100}),
        ("step, one process", "steps", AHEAD, {"processes": 1, "size": 200, "body": "sync"}),
        ("step, one process, async", "steps", AHEAD, {"processes": 1, "size": 200, "body": "async"}),
        ("step, 100 processes at once", "steps", FIVE, {"processes": 100, "size": 20, "body": "sync"}),
        ("step, 100 processes at once, async", "steps", FIVE, {"processes": 100, "size": 20, "body": "async"}),
        ("through a worker, to its first step, one after the other", "started", AHEAD, {"size": 3}),
        ("through a worker, to its result, one after the other", "through_worker", AHEAD, {"size": 3, "flight": 1}),
        ("through a worker, to its result, 100 at a time", "through_worker", FIVE, {"size": 300, "flight": 100}),
        ("signal from another program, to the result", "signalled", AHEAD, {"size": 3}),
        ("list the newest 100 of 2,000", "listed", AHEAD, {"size": 50, "processes": 2_000}),
    ):
        works = _works(function, {**options, "store": store})
        yield Row(group="dbos", name=f"{name} ({label})", works=works, target=target, clock="wall")
    for name, function, extra in (
        ("memory of a waiting process, 1,000 in a worker", "waiting", {"size": 1_000}),
        ("memory of an idle worker", "idle", {}),
    ):
        works = _works(function, {**extra, "store": store})
        yield Row(group="dbos", name=f"{name} ({label})", works=works, target=AHEAD, clock="bytes", runs=3)


def _works(function: str, options: dict[str, Any]) -> dict[str, Work]:
    sides = {"drupe": "ours.service", "dbos": "theirs.dbos_engine"}
    return {side: Work(place=f"{module}:{function}", options=options) for side, module in sides.items()}

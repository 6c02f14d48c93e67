"""Which processes a command is about: those that are named, or all that a filter lets pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from drupe.cli.pid import PID, resolve
from drupe.core.lifecycle import LIVING, State
from drupe.core.record import Query
from drupe.interfaces.store import Store

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Target:
    """What was named.

    Attributes:
        pids: the whole pids; empty if there is a query.
        query: which living processes; None if they are named.
    """

    pids: Sequence[str] = ()
    query: Query | None = None


def targets(command: F) -> F:
    """Give a command the argument PID… and the options that stand for many."""
    for add in (
        click.option("--parent", metavar="PID", type=PID, help="All living children of this process."),
        click.option("--class", "kind", metavar="MODULE:CLASS", help="All living ones of this class."),
        click.option(
            "--state",
            "states",
            multiple=True,
            type=click.Choice([state.value for state in LIVING], case_sensitive=False),
            help="All in this state; may be given again.",
        ),
        click.option("--all", "every", is_flag=True, help="All living ones."),
        click.argument("pids", metavar="[PID]...", nargs=-1, type=PID),
    ):
        command = add(command)
    return command


async def found(store: Store, given: Mapping[str, Any]) -> Target:
    """Get what was named, with the pids in full.

    Raises:
        UsageError: nothing was named, or both pids and a filter.
        UnknownProcessError: no pid ends like this.
        AmbiguousPidError: more than one does.
    """
    many = given["every"] or given["states"] or given["kind"] or given["parent"]
    if bool(many) == bool(given["pids"]):
        raise click.UsageError("name processes by their PIDs, or many at once by --all, --state, --class or --parent")
    if given["pids"]:
        return Target(pids=[await resolve(store, pid) for pid in given["pids"]])
    parent = given["parent"]
    return Target(
        query=Query(
            states=tuple(State(state) for state in given["states"]) or LIVING,
            kind=given["kind"],
            parent=None if parent is None else await resolve(store, parent),
            limit=500,
        )
    )

"""`drupe pause`, `play`, `kill` and `signal`: orders to processes, whoever runs them, and what became of each."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import click

from drupe.cli.exit_code import ExitCode
from drupe.cli.pid import PID, short
from drupe.cli.session import Session, global_flags, session_of
from drupe.cli.target import found, targets
from drupe.core.order import Outcome, Receipt

if TYPE_CHECKING:
    from drupe.core.record import Query
    from drupe.service.controller import Controller
    from drupe.service.ordering import Handle

    One = Callable[[Controller, str], Coroutine[Any, Any, Handle]]
    Many = Callable[[Controller, Query], Coroutine[Any, Any, list[Handle]]]

DEADLINE = 10.0
DONE = {"pause": "paused", "play": "played", "kill": "killed", "signal": "taken"}

_deadline = click.option(
    "--deadline",
    type=click.FloatRange(0),
    default=DEADLINE,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the answer; the order stays. 0: not at all.",
)
_reason = click.option("--reason", metavar="TEXT", help="Why, for people.")
_cascade = click.option("--cascade", is_flag=True, help="Also those that came from it.")


@click.command(short_help="Have processes take no more steps.")
@targets
@_reason
@_cascade
@_deadline
@global_flags()
@click.pass_context
def pause(context: click.Context, /, *, reason: str | None, cascade: bool, deadline: float, **given: Any) -> int:
    """Have processes take no more steps, until they are played.

    A step that runs ends first. What nobody runs is paused at once; whoever runs the others is told.
    """
    return _steer(
        session_of(context),
        given,
        lambda controller, pid: controller.pause(pid, reason, cascade=cascade),
        lambda controller, query: controller.pause_all(query, reason),
        deadline,
    )


@click.command(short_help="Have paused processes go on.")
@targets
@_cascade
@_deadline
@global_flags()
@click.pass_context
def play(context: click.Context, /, *, cascade: bool, deadline: float, **given: Any) -> int:
    """Have paused processes go on, wherever they run; what nobody runs waits for a worker or `drupe resume`."""
    return _steer(
        session_of(context),
        given,
        lambda controller, pid: controller.play(pid, cascade=cascade),
        lambda controller, query: controller.play_all(query),
        deadline,
    )


@click.command(short_help="End processes as killed.")
@targets
@click.option("--force", is_flag=True, help="At once, also in the middle of a step; no hook of it is called.")
@_reason
@_cascade
@_deadline
@global_flags()
@click.pass_context
def kill(
    context: click.Context, /, *, force: bool, reason: str | None, cascade: bool, deadline: float, **given: Any
) -> int:
    """End processes as killed, when the step that runs has ended."""
    return _steer(
        session_of(context),
        given,
        lambda controller, pid: controller.kill(pid, reason, force=force, cascade=cascade),
        lambda controller, query: controller.kill_all(query, reason, force=force),
        deadline,
    )


@click.command(short_help="Send a process something that it waits for.")
@click.argument("pid", type=PID)
@click.argument("name", metavar="NAME")
@click.argument("payload", metavar="[JSON|-]", required=False)
@_deadline
@global_flags()
@click.pass_context
def signal(context: click.Context, pid: str, name: str, payload: str | None, *, deadline: float) -> int:
    """Send a process a signal: a step that waits for NAME gets the payload, now or when it comes to wait.

    The payload is JSON, `-` reads it from the standard input; what is no JSON is a text.
    """
    session = session_of(context)
    value = _payload(payload)
    given = {"pids": (pid,), "every": False, "states": (), "kind": None, "parent": None}
    return _steer(session, given, lambda controller, pid: controller.signal(pid, name, value), None, deadline)


def _payload(text: str | None) -> Any:
    import sys

    import msgspec

    if text is None:
        return None
    if text == "-":
        text = sys.stdin.read()
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _steer(session: Session, given: dict[str, Any], one: "One", many: "Many | None", deadline: float) -> ExitCode:
    from drupe.cli.log import logged
    from drupe.cli.reading import refuse_missing
    from drupe.service.deadline import within
    from drupe.service.wiring import open_remote

    async def ask() -> list[Receipt]:
        async with open_remote(session.settings, deadline=deadline) as remote:
            async with within(deadline or DEADLINE, "the store has not answered"):
                target = await found(remote.store, given)
            if target.query is not None and many is not None:
                handles = await many(remote.controller, target.query)
            else:
                handles = [await one(remote.controller, pid) for pid in target.pids]
            every = [each for handle in handles for each in (handle, *handle.below)]
            return list(await asyncio.gather(*(_settled(handle, deadline) for handle in every)))

    refuse_missing(session.settings)
    with logged(session):
        receipts = asyncio.run(ask())
    return tell(session, receipts)


async def _settled(handle: "Handle", deadline: float) -> Receipt:
    from drupe.errors import DeadlineError

    try:
        return await handle.settled(deadline=deadline)
    except DeadlineError:
        return handle.receipt


def tell(session: Session, receipts: Sequence[Receipt]) -> ExitCode:
    """Write what became of orders, and get the exit code."""
    if session.json:
        import msgspec

        session.put([msgspec.to_builtins(receipt) for receipt in receipts])
    else:
        for receipt in receipts:
            session.say(f"{receipt.pid if not session.fancy else short(receipt.pid)}  {line(receipt)}")
        if not receipts:
            session.note("no process fits")
    if any(receipt.outcome is Outcome.REFUSED for receipt in receipts):
        return ExitCode.REFUSED
    return ExitCode.OK


def line(receipt: Receipt) -> str:
    """Get what became of an order, in words."""
    match receipt.outcome:
        case Outcome.APPLIED:
            return DONE.get(receipt.verb, receipt.verb)
        case Outcome.REFUSED:
            return f"refused: {receipt.detail or 'it cannot be'}"
        case Outcome.REQUESTED if receipt.verb == "signal":
            return f"sent: it lies there until the process waits for {receipt.name!r}"
        case Outcome.REQUESTED:
            return f"{receipt.verb} requested: it comes when the running step ends"

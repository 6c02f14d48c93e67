"""`drupe show`: everything about one process, or what a class takes and gives."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from drupe.cli.pid import PID, name, resolve, short
from drupe.cli.session import Session, global_flags, session_of
from drupe.core.lifecycle import State

if TYPE_CHECKING:
    from rich.tree import Tree

    from drupe.cli.reading import Family, Portrait
    from drupe.core.status import Lack
    from drupe.interfaces.store import Store


@click.command(short_help="Show all about one process, or about a class.")
@click.argument("pid", metavar="PID|MODULE_OR_FILE:CLASS", type=PID)
@click.option("--seq", type=click.IntRange(1), metavar="N", help="As it was at its checkpoint N.")
@global_flags()
@click.pass_context
def show(context: click.Context, pid: str, seq: int | None) -> None:
    """Show all about one process: inputs, outputs, state, children, its error with the traceback.

    For MODULE_OR_FILE:CLASS, show what the class takes and gives, and its outline.
    """
    from drupe.cli.reading import family, open_for_reading
    from drupe.runtime.clock import SystemClock
    from drupe.service.wiring import lacks_of

    session = session_of(context)
    if ":" in pid or pid.endswith(".py"):
        from drupe.cli.description import describe

        describe(session, pid)
        return

    async def read() -> "tuple[Portrait, Family, Lack | None]":
        async with open_for_reading(session.settings) as store:
            portrait = await _portray(session, store, await resolve(store, pid), seq)
            record = portrait.record
            lacks = await lacks_of(session.settings, store, [record], now=SystemClock().now())
            return portrait, await family(store, record), lacks.get(record.pid)

    portrait, tree, lack = asyncio.run(read())
    if session.json:
        told = portrait.as_json() | {"children": tree.as_json().get("children", [])}
        session.put(told if lack is None else told | {"lack": lack})
    elif session.fancy:
        _draw(session, portrait, tree, lack)
    else:
        for line in lines(portrait, tree, lack):
            session.say(line)


async def _portray(session: Session, store: "Store", pid: str, seq: int | None) -> "Portrait":
    from drupe.cli.reading import portray
    from drupe.cli.run import bring_classes
    from drupe.errors import SnapshotError

    try:
        return await portray(store, pid, seq)
    except SnapshotError:  # it holds values of types that the project registers: only then is its code run
        bring_classes(session)
        return await portray(store, pid, seq)


def facts(portrait: "Portrait", lack: "Lack | None" = None) -> Iterator[tuple[str, str]]:
    """Get what is to be said of a process, but for values, children and traceback."""
    from drupe.cli.appearance import moment
    from drupe.cli.outcome import why

    record = portrait.record
    yield "pid", record.pid
    yield "class", record.kind
    yield "state", f"{portrait.state}{', paused' if portrait.snapshot.paused else ''}"
    if portrait.state is State.FINISHED and not portrait.successful:
        yield "successful", "no"
    if (reason := why(portrait)) is not None:
        yield "reason", reason
    elif portrait.snapshot.status is not None:
        yield "status", portrait.snapshot.status
    if portrait.failure is None and portrait.doing is not None:
        yield "step", portrait.doing
    if lack is not None:
        yield "lacks", str(lack)
    yield "created", moment(record.created)
    yield "changed", moment(record.updated)
    for what, text in (("parent", record.parent), ("retry of", record.retry_of), ("owner", record.owner)):
        if text is not None:
            yield what, text
    yield "checkpoint", f"{portrait.seq} of {', '.join(map(str, portrait.checkpoints))}"


def lines(portrait: "Portrait", tree: "Family", lack: "Lack | None" = None) -> list[str]:
    """Get all about a process as lines ``name: value``."""
    from drupe.cli.appearance import leaves

    found = [f"{what}: {text}" for what, text in facts(portrait, lack)]
    for what, values in (
        ("inputs", portrait.inputs),
        ("outputs", portrait.outputs),
        ("fields", portrait.fields),
        ("ctx", portrait.ctx or {}),
    ):
        found += [f"{what}.{path}: {value}" for path, value in leaves(values)]
    if (result := portrait.stage.get("result")) is not None:
        found.append(f"result: {result}")
    found += [
        f"child: {'  ' * depth}{each.record.pid}  {each.record.kind}  {each.record.state}"
        for depth, each in _below(tree)
    ]
    if portrait.failure is not None:
        found += ["traceback:", *(f"    {line}" for line in portrait.failure.traceback.splitlines())]
    return found


def _below(tree: "Family", depth: int = 0) -> "Iterator[tuple[int, Family]]":
    for child in tree.children:
        yield depth, child
        yield from _below(child, depth + 1)


# --- on a terminal -----------------------------------------------------------------------------------------


def _draw(session: Session, portrait: "Portrait", tree: "Family", lack: "Lack | None") -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from drupe.cli.appearance import state_text, values_table

    rows = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    rows.add_column(style="bright_black", justify="right", no_wrap=True)
    rows.add_column(overflow="fold")
    finished = portrait.state is State.FINISHED
    for what, text in facts(portrait, lack):
        state = state_text(
            portrait.state, paused=portrait.snapshot.paused, successful=portrait.successful or not finished
        )
        rows.add_row(what, state if what == "state" else Text(text, "bold" if what == "pid" else ""))
    session.show(rows)
    result = {"": portrait.stage["result"]} if portrait.stage.get("result") is not None else {}
    parts: tuple[tuple[str, Any], ...] = (
        ("inputs", portrait.inputs),
        ("outputs", portrait.outputs),
        ("result", result),
        ("fields", portrait.fields),
        ("context", portrait.ctx or {}),
    )
    for what, values in parts:
        if values:
            session.show(Text(f"\n{what}", "bold underline"), Padding(values_table(values), (0, 0, 0, 2), expand=False))
    if tree.children:
        session.show(Text("\nchildren", "bold underline"), Padding(_tree(tree), (0, 0, 0, 2), expand=False))
    if portrait.failure is not None:
        from rich.syntax import Syntax

        shown = Syntax(
            portrait.failure.traceback.rstrip(), "pytb", theme="ansi_dark", background_color="default", word_wrap=True
        )
        session.show(Text("\ntraceback", "bold underline"), Padding(shown, (0, 0, 0, 2), expand=False))


def _tree(family: "Family", tree: "Tree | None" = None) -> "Tree":
    from rich.text import Text
    from rich.tree import Tree

    from drupe.cli.appearance import state_text

    tree = Tree("", hide_root=True, guide_style="bright_black") if tree is None else tree
    for child in family.children:
        record = child.record
        label = Text.assemble((short(record.pid), "bold"), f"  {name(record.kind)}  ").append_text(
            state_text(record.state, paused=record.paused)
        )
        if record.status:
            label.append(f"  {record.status.splitlines()[0]}", "bright_black")
        _tree(child, tree.add(label))
    if family.more:
        tree.add(Text(f"… more: drupe ps --parent {short(family.record.pid)}", "bright_black"))
    return tree

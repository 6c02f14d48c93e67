"""What came of a process that was followed: its end with outputs, or where it stands and how to go on."""

from drupe.cli.exit_code import ExitCode, of_outcome
from drupe.cli.pid import short
from drupe.cli.reading import Portrait
from drupe.cli.session import Session
from drupe.core.lifecycle import TERMINAL, State


def tell(session: Session, portrait: Portrait, resume_line: str) -> ExitCode:
    """Write what came of it, and get the exit code."""
    code = of_outcome(portrait.state, successful=portrait.successful)
    if session.json:
        session.put(portrait.as_json())
    elif session.fancy:
        _draw(session, portrait)
    else:
        for line in lines(portrait):
            session.say(line)
    if code is ExitCode.INTERRUPTED:
        session.note(f"interrupted; resume with: {resume_line}")
    return code


def lines(portrait: Portrait) -> list[str]:
    """Get what came of it as lines ``name: value``."""
    from drupe.cli.appearance import leaves

    unsuccessful = portrait.state is State.FINISHED and not portrait.successful
    paused = portrait.snapshot.paused
    found = [f"state: {portrait.state}{', not successful' if unsuccessful else ', paused' if paused else ''}"]
    if (unsuccessful or paused) and portrait.snapshot.status is not None:
        found.append(f"status: {portrait.snapshot.status}")
    if (reason := why(portrait)) is not None:
        found.append(f"reason: {reason}")
    found += [f"outputs.{name}: {value}" for name, value in leaves(portrait.outputs)]
    if (result := portrait.stage.get("result")) is not None:
        found.append(f"result: {result}")
    return found


def why(portrait: Portrait) -> str | None:
    """Get the reason for an end that was not the one hoped for."""
    match portrait.state:
        case State.EXCEPTED:
            return str(portrait.failure)
        case State.KILLED:
            return portrait.stage.get("msg")
        case _:
            return None


def _draw(session: Session, portrait: Portrait) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from drupe.cli.appearance import state_text, values_table

    finished = portrait.state is State.FINISHED
    head = state_text(portrait.state, paused=portrait.snapshot.paused, successful=portrait.successful or not finished)
    if portrait.state in TERMINAL:
        begun, ended = portrait.record.created, portrait.record.updated
        head.append(f" after {ended - begun:.1f} s", "bright_black")
    reason = why(portrait) or (portrait.snapshot.status if finished and not portrait.successful else None)
    if reason is not None:
        head.append(f"\n{reason}")
    values = dict(portrait.outputs)
    session.show(head)
    if values:
        session.show(Padding(values_table(values), (1, 0, 1, 2), expand=False))
    if (result := portrait.stage.get("result")) is not None:
        session.show(Padding(values_table({"result": result}), (0, 0, 1, 2), expand=False))
    if portrait.state is State.EXCEPTED:
        session.show(Text(f"drupe show {short(portrait.record.pid)} has the traceback", "bright_black"))

"""One call of a command: its global flags, its settings, and where it writes.

Results go to the standard output and nothing else does; progress, advice and errors go to the standard error.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from drupe.service.profile import Settings

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Session:
    """What holds for one call of a command.

    Attributes:
        json: whether programs read the output.
        debug: whether tracebacks are shown.
        plain: whether colours are not wanted.
        flags: settings that flags set.
    """

    json: bool = False
    debug: bool = False
    plain: bool = False
    flags: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def settings(self) -> "Settings":
        """All settings.

        Raises:
            SettingsError: one cannot be what it is set to.
        """
        from drupe.service import profile

        return profile.load(flags=self.flags)

    # --- writing -------------------------------------------------------------------------------------------

    @property
    def fancy(self) -> bool:
        """Whether a person reads the results, on a terminal."""
        return not self.json and sys.stdout.isatty()

    @property
    def live(self) -> bool:
        """Whether a person follows the progress, on a terminal."""
        return not self.json and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def console(self, *, stderr: bool = False) -> "Console":
        """Get a terminal to draw on."""
        from rich.console import Console

        return Console(stderr=stderr, highlight=False, no_color=True if self.plain else None)

    def show(self, *renderables: "RenderableType") -> None:
        """Draw results on the terminal."""
        console = self.console()
        for renderable in renderables:
            console.print(renderable)

    def say(self, line: str) -> None:
        """Write a line of the results, at once."""
        click.echo(line)

    def put(self, value: Any) -> None:
        """Write the results for programs: one value, as JSON."""
        click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))

    def note(self, line: str) -> None:
        """Write a line of advice or progress."""
        click.echo(line, err=True, color=False if self.plain or "NO_COLOR" in os.environ else None)

    @contextlib.contextmanager
    def user_code(self) -> Iterator[None]:
        """Have what user code prints go where it is not taken for a result."""
        with contextlib.redirect_stdout(sys.stderr):
            yield


# --- global flags ------------------------------------------------------------------------------------------


def session_of(context: click.Context) -> Session:
    """Get the session that a command is called in."""
    return context.find_root().ensure_object(Session)


def global_flags(*, hidden: bool = True) -> Callable[[F], F]:
    """Give a command the flags that all have; only ``--json`` is named in the help of each."""

    def attribute(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(session_of(context), str(parameter.name), value)

    def setting(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            flags, name = session_of(context).flags, str(parameter.name)
            flags[name] = [*flags.get(name, ()), *value] if parameter.multiple else value

    def option(*names: str, callback: Callable[..., None], hidden: bool = hidden, **kinds: Any) -> Callable[[F], F]:
        return click.option(*names, callback=callback, expose_value=False, hidden=hidden, **kinds)

    options = [
        option(
            "--store", callback=setting, metavar="FILE|URL", help="Where processes are kept.", shell_complete=_files
        ),
        option(
            "--import",
            "imports",
            callback=setting,
            multiple=True,
            metavar="FILE|MODULE",
            help="Import process classes from it; may be given again.",
            shell_complete=_files,
        ),
        option("--broker", callback=setting, metavar="local|amqp://…", help="How programs reach each other."),
        option("--json", callback=attribute, is_flag=True, hidden=False, help="Write JSON, for programs."),
        option("--log-level", callback=setting, metavar="LEVEL", help="debug, info, warning, error or critical."),
        option("--no-color", "plain", callback=attribute, is_flag=True, help="Use no colours (as does $NO_COLOR)."),
        option("--debug", callback=attribute, is_flag=True, help="Show the traceback of an error."),
    ]

    def decorate(command: F) -> F:
        for add in reversed(options):
            command = add(command)
        return command

    return decorate


def _files(*_: Any) -> list[Any]:
    from click.shell_completion import CompletionItem

    return [CompletionItem("", type="file")]

"""`drupe`, the command: its subcommands, its global flags, and the one place where errors become exit codes.

Modules of commands import what they need when they are called, so that `drupe --help` and a key press of the shell's
completion are quick.
"""

import os
import sys
from collections.abc import Sequence

import click

from drupe.cli.completion import VARIABLE, completion
from drupe.cli.config import config
from drupe.cli.demo.command import demo
from drupe.cli.doctor import doctor
from drupe.cli.exit_code import MEANING, ExitCode
from drupe.cli.failure import report
from drupe.cli.history import history
from drupe.cli.keys import keys
from drupe.cli.migrate import migrate
from drupe.cli.ps import ps
from drupe.cli.retry import retry
from drupe.cli.run import resume, run
from drupe.cli.session import Session, global_flags
from drupe.cli.show import show
from drupe.cli.steer import kill, pause, play, signal
from drupe.cli.watching import status, wait, watch
from drupe.cli.worker import submit, worker
from drupe.cli.workers import workers
from drupe.version import __version__

SECTIONS = {
    "Run": (run, resume),
    "Share out": (submit, worker),
    "Steer": (pause, play, kill, signal, retry),
    "Look": (ps, show, history, status, wait, watch, workers),
    "Set up": (demo, config, doctor, keys, migrate, completion),
}


class Sections(click.Group):
    """A group whose help has its commands in sections, and the exit codes behind them."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands and the exit codes."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(command.name or "", command.get_short_help_str(80)) for command in commands])
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), meaning) for code, meaning in MEANING.items()])


@click.group(
    cls=Sections,
    commands=[command for commands in SECTIONS.values() for command in commands],
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Global options may stand before or behind the command. A PID may be any end of it that no other has.",
)
@click.version_option(__version__, prog_name="drupe", message="%(prog)s %(version)s")
@global_flags(hidden=False)
@click.pass_context
def cli(context: click.Context) -> None:
    r"""Run processes that outlive the interpreter they started in.

    \b
    drupe run minimum.py:Minimum --inputs volumes.json    # Ctrl-C, power cut, kill -9: then
    drupe resume 7f3a91c2                                 # goes on where it stopped
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and get its exit code; errors are written, never raised."""
    session = Session()
    words = list(sys.argv[1:] if arguments is None else arguments)
    session.json = "--json" in words  # also a wrong use of options is told as JSON
    session.debug = "--debug" in words
    try:
        if VARIABLE in os.environ:  # a key press in a shell: answered by click, which ends the program
            cli.main(prog_name="drupe")
        with cli.make_context("drupe", words, obj=session) as context:
            return int(cli.invoke(context) or ExitCode.OK)
    except click.exceptions.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        return ExitCode.UNEXPECTED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (nobody is to see a bare traceback)
        return report(session, error)

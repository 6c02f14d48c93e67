"""`drupe demo`."""

import click

from drupe.cli.session import global_flags


@click.command(short_help="See a process survive kill -9, in ten seconds.")
@global_flags()
@click.pass_context
def demo(context: click.Context) -> None:
    """See a process survive kill -9."""

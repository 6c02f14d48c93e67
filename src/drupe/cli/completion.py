"""`drupe completion`: the script that teaches a shell the commands, the newest pids, and the classes in files."""

import click
from click.shell_completion import get_completion_class

from drupe.cli.session import global_flags, session_of

VARIABLE = "_DRUPE_COMPLETE"
SHELLS = {
    "bash": 'eval "$(drupe completion bash)"      # in ~/.bashrc',
    "zsh": 'eval "$(drupe completion zsh)"       # in ~/.zshrc',
    "fish": "drupe completion fish | source      # in ~/.config/fish/config.fish",
}
# A colon ends a word for bash unless it is told otherwise, and class paths have one.
_COLONS = "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n"


@click.command(
    short_help="Print the completion script of a shell.",
    epilog="\b\n" + "\n".join(SHELLS.values()),
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
@global_flags()
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete commands, pids and classes."""
    found = get_completion_class(shell)
    root = context.find_root().command
    script = "" if found is None else found(root, {}, "drupe", VARIABLE).source()
    session_of(context).say((_COLONS if shell == "bash" else "") + script)

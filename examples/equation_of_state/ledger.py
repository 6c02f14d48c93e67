"""What the store knows in the end, read the way anybody reads it: by the commands, as JSON."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from shifts import DemoError, Workplace
from tally import Event, Life


def read(place: Workplace, pid: str) -> tuple[Mapping[str, Mapping[str, Any]], list[Life]]:
    """Get the outputs of the process, and the life of every process in the store.

    Raises:
        DemoError: the process did not finish, or a command failed.
    """
    process = _ask(place, "show", pid)
    if process["state"] != "finished":
        raise DemoError(f"process {pid} is {process['state']}, not finished; what the workers said is in {place.log}")
    return process["outputs"], [_life(place, record) for record in _ask(place, "ps", "--all", "--limit", "1000")]


def _life(place: Workplace, record: Mapping[str, Any]) -> Life:
    return Life(
        pid=record["pid"],
        kind=record["kind"].rpartition(":")[2],
        state=record["state"],
        parent=record["parent"],
        events=tuple(Event(at=event["at"], state=event["state"]) for event in _ask(place, "history", record["pid"])),
    )


def _ask(place: Workplace, *arguments: str) -> Any:
    """Get the answer of a drupe command."""
    command = [sys.executable, "-m", "drupe", *arguments, "--json"]
    answer = subprocess.run(command, cwd=place.folder, env=dict(place.environment), capture_output=True, check=False)
    if answer.returncode != 0:
        raise DemoError(f"drupe {' '.join(arguments)}: {answer.stderr.decode().strip()}")
    return json.loads(answer.stdout)

"""Commands as a person gives them: real programs in a folder of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SRC = Path(__file__).parents[2] / "src"

FLOWS = '''
import os
from pathlib import Path
from drupe import Continue, Process, Stop, ToContext, WorkChain

def note(word):
    with Path("diary").open("a") as diary:
        print(word, file=diary)

class Double(Process):
    """Twice a number."""
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("number", valid_type=float, help="Any number.")
        spec.input("cell.size", valid_type=int, default=1)
        spec.output("double", valid_type=float)

    def run(self):
        print("a word of the user")
        self.out("double", 2 * self.inputs.number)
        return "done"

class Sum(WorkChain):
    """The sum of some doubles."""
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("numbers", valid_type=list, default=lambda: [1.0, 2.0])
        spec.output("found.sum", valid_type=float)
        spec.outline(cls.start, cls.add)

    def start(self):
        return ToContext(doubles=[self.submit(Double, number=number) for number in self.inputs.numbers])

    def add(self):
        self.out("found.sum", sum(found["double"] for found in self.ctx.doubles))

class Bad(Process):
    def run(self):
        raise ValueError("it went wrong")

class Unlucky(Process):
    def run(self):
        return Stop("nearly", False)

class Killer(Process):
    def run(self):
        self.kill("on purpose")

class Gate(Process):
    """Three steps; the second blocks its interpreter until somebody writes into the pipe."""
    def run(self):
        note("first")
        return Continue(self.block)

    def block(self):
        note("block")
        print("blocked", flush=True)
        with open("pipe") as pipe:
            pipe.read()
        return Continue(self.last)

    def last(self):
        note("last")
'''


def environment(**variables: str) -> dict[str, str]:
    """What a command finds around it: what a test does, but for the settings of drupe."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DRUPE_")}
    own = {"PYTHONPATH": str(SRC), "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return inherited | own | variables


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of an error."""
        (line,) = self.err.splitlines()
        assert line.startswith("error: "), line
        return line.removeprefix("error: ")


class Shell:
    """A folder with process classes, and commands given in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "flows.py").write_text(FLOWS)

    def __call__(
        self, *words: str, stdin: str = "", before: Callable[[], None] | None = None, **variables: str
    ) -> Answer:
        """Give a command and wait for its end."""
        done = subprocess.run(
            [sys.executable, "-m", "drupe", *words],
            cwd=self.folder,
            env=environment(**variables),
            input=stdin,
            capture_output=True,
            text=True,
            preexec_fn=before,
            timeout=50,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str) -> Answer:
        """Give a command that has to succeed."""
        answer = self(*words)
        assert answer.code == 0, answer
        return answer

    def pid(self, *words: str) -> str:
        """Run a process and get its pid."""
        return self(*words).out.splitlines()[0]

    @contextmanager
    def started(self, *words: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
        """Give a command and do something meanwhile; it is dead in the end, and so are its children."""
        command = subprocess.Popen(
            [sys.executable, "-m", "drupe", *words],
            cwd=self.folder,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with command:
            try:
                yield command
            finally:
                children = children_of(command.pid)
                command.kill()
                for child in children:
                    with suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)

    @contextmanager
    def blocked(self, *words: str) -> Iterator["tuple[subprocess.Popen[str], str]"]:
        """Have a process of the class `Gate` run until its step blocks; get the command and the pid."""
        if not (self.folder / "pipe").exists():
            os.mkfifo(self.folder / "pipe")
        with self.started(*(words or ("run", "flows.py:Gate"))) as command:
            assert command.stdout is not None
            pid = command.stdout.readline().strip()
            assert command.stdout.readline() == "blocked\n"
            yield command, pid

    def open_gate(self) -> None:
        """Let the step that blocks go on."""
        (self.folder / "pipe").write_text("")

    def diary(self) -> list[str]:
        """Get the steps of `Gate` that began."""
        return (self.folder / "diary").read_text().split()


def children_of(pid: int) -> list[int]:
    """Get the children of a process, which are nobody else's as long as it does not wait for them."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:  # it has ended
        return []


def line_with(stream: Any, word: str) -> str:
    """Read lines until one has the word."""
    for line in stream:
        if word in line:
            return str(line)
    raise AssertionError(f"no line with {word!r}")


SIGNALS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}


@contextmanager
def worker(drupe: Shell, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Have a worker, once it is at work."""
    with drupe.started("worker", *words) as command:
        assert line_with(command.stdout, "worker")
        yield command

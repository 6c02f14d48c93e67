"""How a command becomes the parent of workers: the workers are what it has been so far, and it goes on as a small program.

It forks its children, which have all that they need already, and then starts this very file in its own place: its pid
stays, what it has imported goes. Children that come later are started by the words that it was started by itself.
"""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn


def become_parent(count: int, *, patience: float, ready_file: str | None) -> int:
    """Return in each of ``count`` children, with the descriptor of its wire to the parent, which does not return.

    The caller is to have no thread but this one, and nothing open that it would miss.
    """
    import socket

    sys.stdout.flush()
    sys.stderr.flush()
    born: list[tuple[int, socket.socket]] = []
    for _ in range(count):
        wire, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            for other in (wire, *(other for _, other in born)):
                other.close()  # or nobody would notice the end of the parent
            os.setpgid(0, 0)  # Ctrl-C is for the parent, which hands it on once
            return theirs.detach()
        theirs.close()
        wire.set_inheritable(True)
        born.append((pid, wire))
    return _go_on(
        [f"--patience={patience}", *([] if ready_file is None else [f"--ready-file={ready_file}"])]
        + [f"--child={pid}:{wire.fileno()}" for pid, wire in born]
    )


def _go_on(words: Sequence[str]) -> NoReturn:
    """Be this file, run by an interpreter that looks at nothing else."""
    plain = ["-I", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    again = [sys.executable, *sys.orig_argv[1:]]
    os.execv(sys.executable, [sys.executable, *plain, __file__, *words, "--", *again])  # noqa: S606 (it is itself)


def _main(words: list[str]) -> int:
    """Look after the children that the words name."""
    import socket

    from drupe.cli.nursery import Child, Nursery
    from drupe.cli.readiness import Readiness

    def note(text: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more, which is no reason to end the children
            os.write(2, f"{text}\n".encode())

    end = words.index("--")
    children, ready_file, patience = [], None, 0.0
    for word in words[:end]:
        name, _, value = word.partition("=")
        if name == "--child":
            pid, _, wire = value.partition(":")
            os.set_inheritable(int(wire), False)
            children.append(Child(int(pid), socket.socket(fileno=int(wire))))
        elif name == "--ready-file":
            ready_file = value
        elif name == "--patience":
            patience = float(value)
    readiness = Readiness(os.environ, file=ready_file, note=note)
    return Nursery(children, words[end + 1 :], patience=patience, readiness=readiness, note=note).run()


if __name__ == "__main__":
    from types import ModuleType

    # Not the package with its façade, which imports what this program is to be free of; its files, one by one.
    bare = ModuleType("drupe")
    bare.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    sys.modules["drupe"] = bare
    sys.exit(_main(sys.argv[1:]))

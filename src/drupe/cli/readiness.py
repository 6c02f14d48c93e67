"""Telling whoever started this program how it stands: systemd by its notify protocol, others by a file.

The protocol is that of sd_notify(3): lines of text in one datagram to the socket that ``NOTIFY_SOCKET`` names. The file is
there as long as tasks are taken. Neither is the program's business, so what cannot be told is noted, once, and it goes on.
This module imports nearly nothing: the parent of workers has it, too.
"""

import contextlib
import os
import socket
from collections.abc import Callable, MutableMapping
from typing import Final

from drupe.runtime.clock import tick

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"
_WATCHED: Final = "WATCHDOG_PID"
_WAIT: Final = 1.0
"""Seconds for a manager that hangs, and does not read."""


class Readiness:
    """What is told of this program.

    Args:
        environment: the variables; those of the protocol are taken out, since they are for no program that this one starts.
        file: what is written when tasks are taken, with the pid in it, and removed when none are any more; None for no file.
        note: is told what cannot be told.

    Attributes:
        watchdog: seconds within which `alive` has to be said; None if nobody waits for it.
    """

    def __init__(
        self, environment: MutableMapping[str, str], *, file: str | None, note: Callable[[str], object]
    ) -> None:
        self._address = environment.get(_SOCKET)
        micros, watched = environment.get(_WATCHDOG, ""), environment.get(_WATCHED)
        forget(environment)
        ours = self._address is not None and watched in (None, str(os.getpid()))
        self.watchdog = int(micros) / 1e6 if ours and micros.isdecimal() and int(micros) else None
        self._fed = tick() - (self.watchdog or 0.0)
        self._file = file
        self._note = note
        self._noted: set[str] = set()
        self._socket: socket.socket | None = None
        self._remove()  # what somebody left behind who was killed

    def ready(self, status: str) -> None:
        """Tasks are taken; it may be said again, with another status."""
        self._write()
        self._send("READY=1", f"STATUS={status}")

    def unready(self, status: str) -> None:
        """No task is taken for a while: others are starting."""
        self._remove()
        self.say(status)

    def say(self, status: str) -> None:
        """How it stands, in words, for people."""
        self._send(f"STATUS={status}")

    def stopping(self, status: str) -> None:
        """No task is taken any more."""
        self._remove()
        self._send("STOPPING=1", f"STATUS={status}")

    def alive(self) -> None:
        """All is well; the watchdog waits for it again from now on. It may be said as often as one likes."""
        if self.watchdog is not None and tick() - self._fed >= self.watchdog / 4:
            self._fed = tick()
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """This program ends."""
        self._remove()
        self._hang_up()

    # --- systemd -------------------------------------------------------------------------------------------

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        knew = self._socket is not None
        try:
            if self._socket is None:
                self._socket = _connected(self._address)
            self._socket.send("\n".join(lines).encode())
        except (OSError, ValueError) as error:
            self._hang_up()
            if knew:  # a manager that was started anew has another socket at its address
                self._send(*lines)
            else:
                self._complain(f"the socket of $NOTIFY_SOCKET, {self._address!r}, cannot be written to: {error}")

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # --- the file ------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Write the file, whole or not at all: who finds it finds the pid in it."""
        if self._file is None or os.path.exists(self._file):
            return
        draft = f"{self._file}.{os.getpid()}"
        try:
            with open(draft, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
            os.replace(draft, self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(draft)
            self._complain(f"the file {self._file} cannot be written: {error}")

    def _remove(self) -> None:
        if self._file is None:
            return
        try:
            os.unlink(self._file)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._complain(f"the file {self._file} cannot be removed: {error}")

    def _complain(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self._note(f"warning: {text}")


def forget(environment: MutableMapping[str, str]) -> None:
    """Take the variables of the protocol out, for a program that is not the one that systemd started."""
    for name in (_SOCKET, _WATCHDOG, _WATCHED):
        environment.pop(name, None)


def _connected(address: str) -> socket.socket:
    """Get a socket to write to; an address that begins with @ is one in Linux' abstract namespace."""
    if not address.startswith(("/", "@")):
        raise ValueError("expected a path, or a name that begins with @")
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        found.settimeout(_WAIT)
        found.connect("\0" + address[1:] if address[0] == "@" else address)
    except BaseException:
        found.close()
        raise
    return found

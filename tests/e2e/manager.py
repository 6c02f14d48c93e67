"""The side of a service manager in the notify protocol of systemd."""

import selectors
import socket
from pathlib import Path


class Manager:
    """A service manager's socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.address = str(path)

    def heard(self, word: str) -> str:
        """Listen until a line begins with a word, and get the message that it is in."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            while selector.select(40):
                message = self._socket.recv(4096).decode()
                if any(line.startswith(word) for line in message.splitlines()):
                    return message
        raise AssertionError(f"{word!r} was not told")

    def drain(self) -> None:
        """Forget what was told so far."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(4096):
                pass
        except BlockingIOError:
            self._socket.setblocking(True)

    def close(self) -> None:
        self._socket.close()

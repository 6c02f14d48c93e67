"""The folder in which participants meet: a socket for each, and a link for each name that is answered to.

Only its user may enter it. Whether somebody is alive is asked of the kernel: a socket that nobody listens to refuses.
What the dead left behind is removed under a lock, so that nobody removes what somebody else has just made anew.
"""

import fcntl
import hashlib
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from drupe.errors import DuplicateSubscriberError, SettingsError

_SOCKET: Final = ".s"
_NAME: Final = ".n"
_LOCK: Final = "lock"
_MAX_PATH: Final = 107
"""Bytes in the path of a socket: the kernel takes no more."""
_WAITING: Final = 1024
"""So many connections may wait to be accepted."""


class Place:
    """The folder of those who meet.

    Args:
        folder: made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> None:
        """Make the folder, and see to it that it is the user's alone.

        Raises:
            SettingsError: it is not, or its path is too long.
        """
        longest = len(os.fsencode(self._path("x" * 16, _SOCKET)))
        if longest > _MAX_PATH:
            raise SettingsError(
                f"{self._folder} is {longest - _MAX_PATH} bytes too long for sockets; choose a shorter one"
            )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise SettingsError(f"{self._folder} must be a folder of yours that nobody else may enter (chmod 700)")

    # --- sockets -----------------------------------------------------------------------------------------

    def listen(self, address: str) -> socket.socket:
        """Get a socket that listens at ``address``."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with self._locked():  # whoever holds the lock sees no socket that is bound and does not listen yet
            path = self._path(address, _SOCKET)
            listener.bind(path)
            Path(path).chmod(0o600)
            listener.listen(_WAITING)
        listener.setblocking(False)
        return listener

    def connect(self, address: str) -> socket.socket | None:
        """Get a connection to who listens at ``address``; None when nobody does (any more).

        Raises:
            BlockingIOError: somebody does, and does not take in those who wait already: it is stopped.
        """
        connection = self._try(address)
        if connection is None:
            with self._locked():
                connection = self._try(address)
                if connection is None:
                    self._bury(address)
        return connection

    def addresses(self) -> list[str]:
        """Get the addresses at which there are sockets, of the living and of the dead."""
        return [path.stem for path in self._folder.glob(f"*{_SOCKET}")]

    def leave(self, address: str) -> None:
        """Remove a socket, and the names that lead to it."""
        with self._locked():
            self._bury(address)

    def _try(self, address: str) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)  # one that is stopped takes in as many as may wait, and would hold up all others
        try:
            connection.connect(self._path(address, _SOCKET))
        except (ConnectionRefusedError, FileNotFoundError):
            connection.close()
            return None
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_alive(self, address: str) -> bool:
        try:
            connection = self._try(address)
        except BlockingIOError:
            return True
        if connection is not None:
            connection.close()
        return connection is not None

    def _bury(self, address: str) -> None:
        Path(self._path(address, _SOCKET)).unlink(missing_ok=True)
        for name in self._folder.glob(f"*{_NAME}"):
            if _target(name) == address:
                name.unlink()

    # --- names -------------------------------------------------------------------------------------------

    def register(self, identifier: str, address: str) -> None:
        """Have ``identifier`` lead to ``address``.

        Raises:
            DuplicateSubscriberError: it leads to somebody who is alive.
        """
        name = self._name(identifier)
        try:
            name.symlink_to(address)
        except FileExistsError:
            self._register_again(identifier, name, address)

    def unregister(self, identifier: str) -> None:
        """Have ``identifier`` lead nowhere."""
        self._name(identifier).unlink(missing_ok=True)

    def locate(self, identifier: str) -> str | None:
        """Get the address that ``identifier`` leads to, or None."""
        return _target(self._name(identifier))

    def _register_again(self, identifier: str, name: Path, address: str) -> None:
        with self._locked():
            other = _target(name)
            if other is not None:
                if self._is_alive(other):
                    raise DuplicateSubscriberError(f"{identifier!r} is answered to by somebody else")
                self._bury(other)
            name.symlink_to(address)

    def _name(self, identifier: str) -> Path:
        digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / f"{digest}{_NAME}"

    def _path(self, address: str, suffix: str) -> str:
        return str(self._folder / f"{address}{suffix}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self._folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _target(name: Path) -> str | None:
    with suppress(OSError):
        return str(name.readlink())
    return None

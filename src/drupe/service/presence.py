"""Knowing at once that an owner on this machine is dead: it holds a file lock as long as it lives.

The kernel lets go of the lock however the interpreter ends, so a peer that gets the lock knows.
An owner without a presence file is not known to be dead; then its lease has to run out.
"""

import fcntl
from pathlib import Path
from typing import IO


class Presence:
    """Presence files in one folder.

    Args:
        folder: where they are; made for its owner only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, IO[bytes]] = {}

    def announce(self, owner: str) -> None:
        """Show that ``owner`` lives, until `withdraw` or the end of this interpreter."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._path(owner).open("wb")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._held[owner] = file

    def withdraw(self, owner: str) -> None:
        """Take the file of an owner of this interpreter away. Withdrawing twice does nothing."""
        file = self._held.pop(owner, None)
        if file is not None:
            self._path(owner).unlink(missing_ok=True)
            file.close()

    def known(self) -> set[str]:
        """Get all owners that have a file, living and dead."""
        return {path.stem for path in self._folder.glob(self._path("*").name)}

    def stamp(self) -> int | None:
        """Get what is another number when somebody has come or left; None as long as nobody was there."""
        try:
            return self._folder.stat().st_mtime_ns
        except OSError:
            return None

    def is_dead(self, owner: str) -> bool:
        """Tell whether ``owner`` is known to be dead. Its file stays, and free: whoever asks later learns the same."""
        if owner in self._held:
            return False
        path = self._path(owner)
        try:
            file = path.open("rb")
        except OSError:
            return False
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: others may be asking at this moment
            except OSError:
                return False
            return True

    def _path(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"

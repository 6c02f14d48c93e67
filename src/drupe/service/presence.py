"""Knowing at once that an owner on this machine is dead: it holds a file lock as long as it lives.

The kernel lets go of the lock however the interpreter ends, so a peer that gets the lock knows.
An owner without a presence file is not known to be dead; then its lease has to run out.

The lock belongs to the open file. A program that a step forks inherits that, and would hold the lock beyond its parent's
death: so it gives its end up at once, which leaves the lock with the parent alone.

A file gets its name when it is locked already, so that nobody takes a new owner for a dead one. From then on its name is
taken away only by whoever has it locked for itself: by its owner, or by a peer after the owner's death. So whoever has the
lock and finds that the name still leads to the file it has locked, can rely on that.
"""

import contextlib
import fcntl
import os
import threading
from pathlib import Path
from typing import IO, Final

from drupe.errors import DuplicateProcessError
from drupe.runtime.inheritance import keep_from_children

_TRIES: Final = 200
_DRAFT: Final = ".new"
"""What a file is called that has no name yet."""
_PAUSE: Final = 0.005
"""Seconds between two tries: a peer that looks has the lock for a moment."""


class Presence:
    """Presence files in one folder.

    Args:
        folder: where they are; made for its owner only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, IO[bytes]] = {}
        self._program = os.getpid()
        """A program that was forked has this object, too, and holds nothing."""

    def announce(self, owner: str) -> None:
        """Show that ``owner`` lives, until `withdraw` or the end of this interpreter.

        Raises:
            DuplicateProcessError: somebody of this name lives.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pause = threading.Event()
        for _ in range(_TRIES):
            file = self._inherited(owner) if self._path(owner).exists() else self._made(owner)
            if file is not None:
                self._held[owner] = file
                return
            pause.wait(_PAUSE)
        raise DuplicateProcessError(f"an owner {owner} is there already: each worker needs a name of its own")

    def _inherited(self, owner: str) -> IO[bytes] | None:
        """Lock the file that a dead owner of the same name left behind."""
        return self._locked(self._path(owner))

    def _made(self, owner: str) -> IO[bytes] | None:
        """Make a file, lock it, and then give it its name; None if a peer was in the way."""
        draft = self._folder / f"{owner}.{os.getpid()}{_DRAFT}"
        file = _opened(draft, "wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _name(draft, self._path(owner))
        except (BlockingIOError, FileExistsError, FileNotFoundError):  # the draft looked like that of a dead owner
            file.close()
            return None
        except BaseException:
            file.close()
            raise
        finally:
            draft.unlink(missing_ok=True)
        return file

    def withdraw(self, owner: str) -> None:
        """Take the file of an owner of this interpreter away. Withdrawing twice does nothing."""
        file = self._held.pop(owner, None) if self._holds(owner) else None
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
        if self._holds(owner):
            return False
        try:
            file = self._locked(self._path(owner), how=fcntl.LOCK_SH)  # shared: others may be asking at this moment
        except OSError:  # nothing is known
            return False
        if file is None:
            return False
        file.close()
        return True

    def forget(self, owner: str) -> bool:
        """Take away the file of a dead owner of whom nobody will ask any more; tell whether it is gone.

        One that lives, or that somebody is looking at, is left alone.
        """
        return not self._holds(owner) and self._removed(self._path(owner))

    def _holds(self, owner: str) -> bool:
        return owner in self._held and self._program == os.getpid()

    def tidy(self) -> None:
        """Take away what those left behind who died while they announced themselves."""
        for draft in self._folder.glob(f"*{_DRAFT}"):
            self._removed(draft)  # one that is not locked yet, its owner makes again

    def _removed(self, path: Path) -> bool:
        file = self._locked(path)
        if file is None:
            return False
        with file:
            path.unlink(missing_ok=True)  # whoever makes a draft takes its name away when somebody was in the way
        return True

    @staticmethod
    def _locked(path: Path, *, how: int = fcntl.LOCK_EX) -> IO[bytes] | None:
        """Open and lock a file; None if it is not there, or somebody else has it locked."""
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(_opened(path, "rb"))
                fcntl.flock(file, how | fcntl.LOCK_NB)
                if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return None
            except (BlockingIOError, FileNotFoundError):  # or its name was taken away before it was locked
                return None
            stack.pop_all()
            return file

    def _path(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"


def _opened(path: Path, mode: str) -> IO[bytes]:
    file: IO[bytes] = path.open(mode)
    keep_from_children(file)
    return file


def _name(draft: Path, path: Path) -> None:
    """Give a file its name, unless that is taken.

    Raises:
        FileExistsError: it is.
        FileNotFoundError: there is no such file any more.
    """
    try:
        os.link(draft, path)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # the file system has no links; two of one name, at one moment, are not told apart then
        draft.rename(path)

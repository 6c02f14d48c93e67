"""Where a store file may lie, and whether what lies there is one.

Nothing here changes a file that is not a store: it is looked at through SQLite in a mode that
neither locks nor repairs.
"""

import contextlib
import os
import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

from drupe.errors import StoreFormatError, StoreUnavailableError

APPLICATION_ID: Final = 0x64727570
"""What says in the header of an SQLite file that it is a drupe store ("drup")."""

# Not 9p and virtiofs: these are how a container or a virtual machine sees the disk of its one host.
_NETWORK: Final = frozenset(
    {"nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "lustre", "gpfs"}
    | {"beegfs", "panfs", "pvfs2", "orangefs", "glusterfs", "gfs2", "ocfs2", "moosefs", "mfs", "davfs"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse"}
    | {"fuse.mfs", "fuse.juicefs", "fuse.smbnetfs", "fuse.davfs", "fuse.beegfs"}
)
_MOUNTS: Final = Path("/proc/self/mounts")

# Closing a file drops every lock this interpreter has on it (POSIX), so two stores must not create one at once.
creating: Final = threading.Lock()


def network_mount(path: Path, mounts: str) -> tuple[str, str] | None:
    """Get mount point and type of the network file system that ``path`` lies on; None if it is a local one.

    Args:
        path: an absolute path without symbolic links; it need not exist.
        mounts: the mounted file systems as ``/proc/mounts`` lists them, later ones over earlier ones.
    """
    best, kind = Path("/"), ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1]))
        if (point == path or point in path.parents) and len(point.parts) >= len(best.parts):
            best, kind = point, fields[2]
    return (str(best), kind) if kind in _NETWORK else None


def refuse_network(path: Path) -> None:
    """Refuse a file whose locks and shared memory would be seen by one machine only.

    Raises:
        StoreUnavailableError: it lies on a network file system.
    """
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux: there is no list to look at
        return
    found = network_mount(path.resolve(), mounts)
    if found is not None:
        point, kind = found
        raise StoreUnavailableError(
            f"store {path}: {point} is a network file system ({kind}), where SQLite can lose data; set `store` to a path on"
            " a local disk"
        )


def prepare(path: Path) -> None:
    """Make the folder and an empty file, both for their owner only; leave what is there as it is.

    Raises:
        OSError: they cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        with contextlib.suppress(FileExistsError):  # another program was faster
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def refuse_foreign(path: Path) -> None:
    """Refuse a file that is something else, without touching it.

    One whose pages do not fit together passes: without a lock, that is also what a file looks like to which another
    program is writing. Who has the lock looks again.

    Raises:
        StoreFormatError: it is not a drupe store.
        sqlite3.Error: it cannot be read.
    """
    if not path.exists() or path.stat().st_size == 0:
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as db:
        try:
            refuse_foreign_database(db, path)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise


def refuse_foreign_database(db: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that has tables, but not drupe's mark.

    Raises:
        StoreFormatError: it is another program's.
        sqlite3.Error: it is no database at all, or cannot be read.
    """
    # In this order: another program may make the store in between, and what has drupe's tables has its mark too.
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (mark,) = db.execute("PRAGMA application_id").fetchone()
    if mark != APPLICATION_ID and (mark or tables):
        raise StoreFormatError(
            f"store {path}: it is a database of another program, not a drupe store; set `store` to another path"
        )

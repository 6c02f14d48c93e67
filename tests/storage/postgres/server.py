"""A PostgreSQL server of one's own: in a folder, and on a socket there, that nobody else has."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

PATIENCE = 60.0
USER = "drupe"
SECRETIVE = "secretive"
"""A user who has to give a password."""
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""What no power cut must happen to: for all tests but those of durability."""


def programs() -> Path | None:
    """The folder of the server's programs: those on the path, else the newest of Debian's."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return versions[-1].parent if versions else None


def _unprivileged() -> dict[str, object]:
    """Who runs the server: it refuses root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise AssertionError("there is no user who may run PostgreSQL")


class Server:
    """A server that is started, stopped and killed.

    It listens on a socket in its folder, and nowhere else unless a port is given: a port that is free now may be taken
    by the next moment.
    """

    def __init__(self, folder: Path, *settings: str, port: int | None = None, host: str = "127.0.0.1") -> None:
        self.folder = folder
        self.port = port
        self.host = host
        self._settings = settings
        self._who = _unprivileged()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / ".s.PGSQL.5432"

    def url(self, user: str = USER) -> str:
        return f"postgresql://{user}@/postgres?host={quote(str(self.folder), safe='')}"

    def create(self) -> None:
        """Make what it keeps its data in."""
        if self._who:
            os.chown(self.folder, self._who["user"], self._who["group"])
        options = ["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
        self._run("initdb", "--pgdata", self.folder / "data", *options)
        hba = self.folder / "data" / "pg_hba.conf"
        hba.write_text(
            f"local all {SECRETIVE} scram-sha-256\nhost all {SECRETIVE} all scram-sha-256\n{hba.read_text()}"
            f"hostssl all {USER} samenet trust\n"
        )

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        address = "" if self.port is None else self.host
        settings = [
            f"unix_socket_directories={self.folder}",
            f"listen_addresses={address}",
            "port=5432",
            *self._settings,
        ]
        if self.port is not None:
            settings.append(f"port={self.port}")
        output = (self.folder / "output").open("ab")
        self._process = subprocess.Popen(
            [programs() / "postgres", "-D", self.folder / "data", *(f"--{setting}" for setting in settings)],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            **self._who,
        )
        output.close()
        until = time.monotonic() + PATIENCE
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                said = (self.folder / "output").read_text(errors="replace")[-3000:]
                raise AssertionError(f"the server did not start:\n{said}")
            time.sleep(0.02)

    def crash(self) -> None:
        """End it as a power cut would, but for what the disk has."""
        self._end(signal.SIGQUIT)

    def close(self) -> None:
        """End it in good order, whoever is still connected."""
        self._end(signal.SIGINT)

    def freeze(self) -> None:
        """Stop all of its programs, whose machine goes on: it takes connections, and what is sent, and nobody answers."""
        self._send_to_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        self._send_to_all(signal.SIGCONT)

    def _send_to_all(self, number: int) -> None:
        if self._process is None:
            return
        pid = self._process.pid
        self._process.send_signal(number)  # the first one first: it starts no others then
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), number)

    def _end(self, number: int) -> None:
        self.thaw()
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()  # what it has started notices, and ends
            process.wait(PATIENCE)

    def _is_ready(self) -> bool:
        """Whether it takes connections, as it says in the file of its lock."""
        try:
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"

    def _run(self, name: str, *given: object) -> None:
        done = subprocess.run(
            [programs() / name, *map(str, given)], capture_output=True, text=True, check=False, cwd="/", **self._who
        )
        assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def a_server(*settings: str) -> Iterator[Server]:
    """Get a server in a folder of its own, not started yet; both are gone in the end."""
    with tempfile.TemporaryDirectory(prefix="drupe-pg-") as folder:
        server = Server(Path(folder), *settings)
        server.create()
        try:
            yield server
        finally:
            server.close()

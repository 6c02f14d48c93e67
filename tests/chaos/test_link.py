"""Two machines and a database, and the cable of one of them: the other one takes over, and the two never work at the same time.

A network namespace stands for the machine that is cut off; everybody else is here, at the other end of its cable.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cli.shell import FLOWS, environment, line_with
from tests.messaging.rabbitmq.node import free_ports
from tests.storage.postgres.server import QUICK, USER, Server

pytestmark = [pytest.mark.slow, pytest.mark.service("postgres")]

LEASE = 2.0
STEPS = 30
MORE = f"""
import asyncio, time

class Steps(Process):
    async def run(self, number=0):
        note(f"{{number}}:{{time.monotonic()}}")
        await asyncio.sleep(0.2)
        return Continue(self.run, number + 1) if number < {STEPS - 1} else "done"
"""


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=20)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


class Cable:
    """A cable to another machine, which is as if it were one."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        mark = secrets.token_hex(3)
        self.machine, self._here = f"drupe-{mark}", f"drupe{mark}"
        net = f"10.{secrets.randbelow(100) + 100}.{secrets.randbelow(256)}"
        self.address = f"{net}.1"
        ip("netns", "add", self.machine)
        stack.callback(ip, "netns", "del", self.machine)  # and with it both ends of the cable
        ip("link", "add", self._here, "type", "veth", "peer", "name", "eth0", "netns", self.machine)
        ip("addr", "add", f"{self.address}/30", "dev", self._here)
        ip("link", "set", self._here, "up")
        for words in (
            ("addr", "add", f"{net}.2/30", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            ip("-n", self.machine, *words)

    def cut(self) -> None:
        ip("link", "set", self._here, "down")

    def mend(self) -> None:
        ip("link", "set", self._here, "up")


@pytest.fixture
def cable() -> Iterator[Cable]:
    if shutil.which("ip") is None:
        pytest.skip("there is no program `ip` to make network namespaces with")
    with contextlib.ExitStack() as stack:
        try:
            found = Cable(stack)
        except OSError as error:
            pytest.skip(f"no network namespace can be made here: {error}")
        yield found


@pytest.fixture
def server(cable: Cable, tmp_path: Path) -> Iterator[Server]:
    """It is at this end, and shows who it is."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    certificate = authority.issue_cert(cable.address)
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="drupe-pg-") as name:
        folder = Path(name)
        tls = ("ssl=on", "ssl_cert_file=server.crt", "ssl_key_file=server.key")
        server = Server(folder, *QUICK, *tls, port=port, host=cable.address)
        server.create()
        key = folder / "data" / "server.key"
        certificate.cert_chain_pems[0].write_to_path(folder / "data" / "server.crt")
        certificate.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        os.chown(key, folder.stat().st_uid, -1)
        try:
            server.start()
            yield server
        finally:
            server.close()


class Machine:
    """A folder with a project, and where its commands run."""

    def __init__(self, folder: Path, store: str, *where: str) -> None:
        folder.mkdir()
        self.folder = folder
        self._where = where
        (folder / "flows.py").write_text(FLOWS + MORE)
        (folder / "drupe.toml").write_text(f'store = "{store}"\nlease = {LEASE}\nimports = ["flows.py"]\n')

    def command(self, *words: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*self._where, sys.executable, "-m", "drupe", *words],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )

    def said(self, *words: str) -> str:
        with self.command(*words) as command:
            out, err = command.communicate(timeout=50)
        assert command.returncode == 0, err
        return out

    @contextlib.contextmanager
    def worker(self) -> Iterator[Any]:
        with self.command("worker") as command:
            try:
                line_with(command.stdout, "worker")
                yield command
            finally:
                command.kill()

    def steps(self) -> list[tuple[int, float]]:
        """Get the number of each step that was begun here, and when."""
        if not (self.folder / "diary").exists():
            return []
        words = [line.split(":") for line in (self.folder / "diary").read_text().splitlines()]
        return [(int(number), float(at)) for number, at in words]

    def until_step(self) -> None:
        until = time.monotonic() + 40
        while not self.steps():
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.mark.untraced
def test_a_worker_whose_cable_is_cut_stops_before_another_one_goes_on(
    cable: Cable, server: Server, tmp_path: Path, record_property: Any
) -> None:
    far = f"postgresql://{USER}@{cable.address}:{server.port}/postgres?sslmode=verify-full&sslrootcert={tmp_path}/trusted.pem"
    near = server.url().replace("?", f"?port={server.port}&")
    there = Machine(tmp_path / "there", far, "ip", "netns", "exec", cable.machine)
    here = Machine(tmp_path / "here", near)
    with there.worker() as cut_off:
        pid = here.said("submit", "flows.py:Steps").strip()
        there.until_step()
        with here.worker():
            assert not here.steps()
            begun = time.monotonic()
            cable.cut()
            here.until_step()
            taken_over = here.steps()[0][1] - begun
            record_property("seconds until it was taken over", round(taken_over, 2))
            assert taken_over < 1.2 * LEASE + 1.5  # the machine may be busy
            assert "could not be renewed for" in line_with(cut_off.stderr, "gives up")
            assert here.said("wait", pid, "--deadline", "40").splitlines()[-1] == "result: done"
            mine, others = there.steps(), here.steps()
            assert max(at for _, at in mine) < min(at for _, at in others)
            cable.mend()
            line_with(cut_off.stdout, "worker")
            cut_off.send_signal(signal.SIGTERM)
            assert cut_off.wait(30) == 0
    assert there.steps() == mine
    assert here.steps() == others
    numbers = [number for number, _ in mine + others]
    assert sorted(set(numbers)) == list(range(STEPS))
    assert len(numbers) <= STEPS + 1  # the step that was given up, once more
    events = here.said("history", pid, "--json")
    assert events.count('"seq"') == STEPS + 2

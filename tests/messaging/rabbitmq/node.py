"""A RabbitMQ node of one's own: on ports, in a folder and under a name that nobody else has."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

SCRIPT = "/usr/lib/rabbitmq/bin/rabbitmq-server"
PATIENCE = 60.0


def is_installed() -> bool:
    return Path(SCRIPT).exists() and shutil.which("erl") is not None


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Node:
    """A broker that is started, stopped and killed."""

    def __init__(self, folder: Path, **config: str) -> None:
        self.folder = folder
        self.port, self._distribution, self._mapper = free_ports(3)
        self._name = f"drupe-{secrets.token_hex(4)}@localhost"
        self._process: subprocess.Popen[bytes] | None = None
        config = {
            "loopback_users": "none",
            "vm_memory_high_watermark.absolute": "1GB",
            "disk_free_limit.absolute": "10MB",
            **config,
        }
        (folder / "rabbitmq.conf").write_text("".join(f"{key} = {value}\n" for key, value in config.items()))
        (folder / "plugins").write_text("[].")

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        log = (self.folder / "output").open("ab")
        self._process = subprocess.Popen(
            [SCRIPT], env=self._environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        log.close()
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                output = (self.folder / "output").read_text(errors="replace")[-3000:]
                raise AssertionError(f"the broker did not start:\n{output}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Have it end in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it, and the port mapper that came with it."""
        self.kill()
        subprocess.run(["epmd", "-kill"], env=self._environment(), capture_output=True, check=False)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        os.killpg(process.pid, number)  # the group that it was started in: the script and the broker
        process.wait(PATIENCE)

    def _answers(self) -> bool:
        """Whether it speaks AMQP: it answers a header of another protocol with its own, and hangs up."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"AMQP\x00\x00\x00\x00")
                return connection.recv(8).startswith(b"AMQP")
        except OSError:
            return False

    def _environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": folder,
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "ERL_EPMD_PORT": str(self._mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

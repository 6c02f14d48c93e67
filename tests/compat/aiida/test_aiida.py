"""AiiDA runs on the drop-in: from the registry, unchanged, with a profile on SQLite; without a broker and with each it knows.

What it tells is what it tells with the original libraries; that was looked at when these tests were written.
`make test-aiida` runs all of them, `make test` those that do not take minutes.
"""

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.messaging.rabbitmq.conftest import broker_url  # noqa: F401 - a fixture

HERE = Path(__file__).parent
BIN = HERE.parents[2] / ".venv-aiida/bin"
ALL = os.environ.get("DRUPE_TEST_AIIDA") == "all"

pytestmark = [pytest.mark.service("rabbitmq"), pytest.mark.slow, pytest.mark.timeout(400)]


class Profile:
    """A profile in a folder of its own, and its daemon."""

    def __init__(self, folder, broker):
        self.folder = folder
        path = os.pathsep.join((str(BIN), os.environ["PATH"]))
        self.env = {**os.environ, "AIIDA_PATH": str(folder), "PYTHONPATH": str(HERE), "PATH": path}
        self.verdi("presto", "-n", {"none": "--no-broker"}.get(broker, "--use-zeromq"))
        self.verdi("config", "set", "runner.poll.interval", "1")
        self.verdi("config", "set", "daemon.timeout", "60")  # two seconds are few where other tests run beside this one
        if broker not in ("none", "zeromq"):
            at = urlsplit(broker)
            self.verdi(
                "profile", "configure-broker", "core.rabbitmq", "--force", "-n", "--broker-protocol", at.scheme,
                "--broker-username", at.username or "guest", "--broker-password", at.password or "guest",
                "--broker-host", at.hostname, "--broker-port", str(at.port or 5672),
                "--broker-virtual-host", at.path.strip("/"),
            )  # fmt: skip

    def verdi(self, *words):
        return self.command(BIN / "verdi", *words)

    def command(self, *words):
        ended = subprocess.run(
            list(map(str, words)), env=self.env, capture_output=True, text=True, timeout=300, check=False
        )
        assert ended.returncode == 0, (words, ended.stdout, ended.stderr, self.logs())
        return ended.stdout

    def told(self, verb):
        said = json.loads(self.command(BIN / "python", HERE / "program.py", verb, self.folder))
        assert said["plumpy"].startswith(str(HERE.parents[2] / "compat"))
        return said["told"]

    def logs(self):
        return "".join(log.read_text()[-3000:] for log in self.folder.rglob("daemon/log/*.log"))


@pytest.fixture
def daemon(tmp_path, broker_url, request):  # noqa: F811
    profile = Profile(tmp_path, broker_url if request.param == "rabbitmq" else request.param)
    try:
        profile.verdi("daemon", "start", "2")
        yield profile
    finally:
        profile.verdi("daemon", "stop")


def finished(name, status=0, **outputs):
    return [name, "ProcessState.FINISHED", status, None, outputs]


def test_processes_run_without_a_broker(tmp_path):
    assert Profile(tmp_path, "none").told("run") == [
        3,
        [7, finished("ArithmeticAddCalculation", sum=7)],
        [17, finished("MultiplyAddWorkChain", result=17)],
        [{"sum": 6}, finished("Adds", sum=6)],
        [{}, finished("Adds", 410)],
        [finished("Counts", count=3), ["0", "1", "2"]],
        "Error occurred validating port 'inputs.limit': value 'limit' is not of the right type. Got "
        "'<class 'aiida.orm.nodes.data.str.Str'>', expected '<class 'aiida.orm.nodes.data.int.Int'>'",
    ]


@pytest.mark.parametrize("daemon", ["rabbitmq", "zeromq"] if ALL else ["rabbitmq"], indirect=True)
def test_processes_of_the_daemon_run_and_are_steered(daemon):
    assert daemon.told("submit") == [
        *(finished("ArithmeticAddCalculation", sum=number + 4) for number in range(3)),
        *(finished("Adds", sum=3 * number + 3) for number in range(3)),
        finished("Counts", count=3),
    ]
    assert daemon.told("steer") == [
        [True, "for a while", False],
        ["Counts", "ProcessState.KILLED", None, "enough"],
        True,
        [finished("Counts", count=30), finished("Counts", count=30)],
        True,
    ]


if ALL:

    @pytest.mark.parametrize("daemon", ["rabbitmq", "zeromq"], indirect=True)
    def test_processes_outlive_the_workers_that_ran_them(daemon):
        assert daemon.told("crash") == [
            *(finished("Counts", count=40) for _ in range(4)),
            *(finished("Adds", sum=3 * number + 3) for number in range(3)),
            *([True, True] for _ in range(4)),
        ]

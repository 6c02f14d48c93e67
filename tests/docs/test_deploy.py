"""What is there to be copied for systemd and for containers is what these take, and its commands do what they are to do."""

import configparser
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from drupe.cli.main import cli
from drupe.cli.session import Session
from drupe.cli.worker import worker
from drupe.service.profile import SETTINGS
from tests.architecture.source import ROOT
from tests.cli.shell import Shell, environment, line_with
from tests.e2e.manager import Manager

UNIT = ROOT / "deploy" / "systemd" / "drupe-worker.service"
COMPOSE = ROOT / "deploy" / "compose" / "compose.yaml"
HOW_TO = ROOT / "docs" / "how-to"


def seconds(text: str) -> float:
    """A span of time, as both have it: a number of seconds."""
    return float(text.removesuffix("s"))


def options(words: list[str]) -> dict[str, object]:
    """What `drupe worker` makes of its words."""
    assert Path(words[0]).name == "drupe"
    assert words[1] == "worker"
    return worker.make_context("worker", words[2:], parent=cli.make_context("drupe", ["worker"], obj=Session())).params


# --- systemd -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read_string(UNIT.read_text())
    assert parser.sections() == ["Unit", "Service", "Install"]
    return parser["Service"]


def test_the_unit_gives_workers_the_time_that_they_are_promised(service) -> None:
    given = options(shlex.split(service["ExecStart"]))

    assert not given["alone"], "what the unit says of its workers it says of a parent"
    assert seconds(service["TimeoutStopSec"]) >= given["grace"] + 15
    assert (service["Type"], service["KillMode"]) == ("notify", "mixed")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """But for the paths, which are somebody else's, and here those of an existing program."""
    program = shutil.which("true")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/srv/project/.venv/bin/drupe", program).replace("User=drupe\n", ""))
    verify = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False, timeout=40)
    assert (done.returncode, mentioned(done.stderr)) == (0, [])

    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMod=mixed"))
    spoilt = subprocess.run(verify, capture_output=True, text=True, check=False, timeout=40)
    assert mentioned(spoilt.stderr), "what is wrong is found"


def mentioned(said: str) -> list[str]:
    """What is said of the unit; that of units of this machine is not our business."""
    return [line for line in said.splitlines() if UNIT.name in line]


@pytest.mark.slow
def test_its_line_starts_workers_that_end_as_systemd_ends_them(service, tmp_path: Path) -> None:
    words = shlex.split(service["ExecStart"])
    manager = Manager(tmp_path / "notify")
    micros = str(int(seconds(service["WatchdogSec"]) * 1e6))
    shell = Shell(tmp_path)
    with shell.started(*words[1:], NOTIFY_SOCKET=manager.address, WATCHDOG_USEC=micros) as started:
        manager.heard(f"STATUS={options(words)['processes']} of")
        shell.ok("submit", "flows.py:Double", "--input", "number=1", "--wait", "--deadline", "40")
        started.send_signal(signal.SIGTERM)
        manager.heard("STOPPING=1")
        assert started.wait() == 0
    manager.close()


def test_the_page_explains_lines_of_the_unit_and_no_others(service) -> None:
    page = (HOW_TO / "systemd.md").read_text()
    explained = [row.split("`")[1] for row in page.splitlines() if row.startswith("| `")]

    assert explained
    for line in explained:
        name, _, value = line.partition("=")
        assert service[name].startswith(value), line
    assert str(UNIT.relative_to(ROOT)) in page


# --- containers --------------------------------------------------------------------------------------------

SERVICE = {
    *("build", "command", "depends_on", "environment", "healthcheck", "hostname", "image", "init", "network_mode"),
    *("restart", "stop_grace_period", "volumes"),
}
"""What a service may have: those keys of the specification that are used here."""


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load(COMPOSE.read_text())


def test_the_file_has_the_form_of_a_compose_file(compose) -> None:
    assert set(compose) == {"name", "services", "volumes"}
    for name, service in compose["services"].items():
        assert set(service) <= SERVICE, name
        assert ("image" in service) is not ("build" in service), name
        mounted = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert mounted <= set(compose["volumes"]), name
        for other, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert "healthcheck" in compose["services"][other]
        if name != "net":
            assert service["network_mode"] == "service:net", "else drupe asks for TLS"
    assert (COMPOSE.parent / compose["services"]["worker"]["build"] / "Dockerfile").is_file()


def test_the_command_of_its_workers_is_one_and_fits_what_is_around_it(compose) -> None:
    service = compose["services"]["worker"]
    given = options(service["command"])

    assert seconds(service["stop_grace_period"]) >= given["grace"] + 15
    assert service["healthcheck"]["test"] == ["CMD", "test", "-e", given["ready_file"]]
    assert {name for name in service["environment"] if name.startswith("DRUPE_")} <= {one.variable for one in SETTINGS}


def test_no_password_gets_into_the_image(compose) -> None:
    assert "DRUPE_PASSWORD:?" in compose["services"]["worker"]["environment"]["DRUPE_STORE"]
    assert ".env" in (COMPOSE.parent / ".dockerignore").read_text().split()


@pytest.mark.slow
@pytest.mark.service("rabbitmq")
@pytest.mark.service("postgres")
def test_its_workers_work_on_such_servers(compose, tmp_path: Path, postgres_url: str, broker_url: str) -> None:
    """With the addresses of other servers in the places where the file has those of its own."""
    service = compose["services"]["worker"]
    ready = tmp_path / "ready"
    words = [str(ready) if word == service["healthcheck"]["test"][-1] else word for word in service["command"]]
    flows = {"DRUPE_STORE": postgres_url, "DRUPE_BROKER": broker_url, "DRUPE_IMPORTS": "flows.py"}
    assert set(flows) == set(service["environment"])
    shell = Shell(tmp_path)
    with shell.started(*words[1:], **flows) as started:
        line_with(started.stdout, "worker ")
        submit = ["submit", "flows.py:Double", "--input", "number=4", "--wait", "--deadline", "40"]
        done = subprocess.run(
            [sys.executable, "-m", "drupe", *submit],
            cwd=tmp_path,
            env=environment(**flows),
            capture_output=True,
            text=True,
            check=True,
        )
        assert "outputs.double: 8.0" in done.stdout
        assert int(ready.read_text()) == started.pid
        os.kill(started.pid, signal.SIGTERM)
        assert started.wait() == 0
    assert not ready.exists()


def test_the_example_on_the_page_is_of_the_same_form() -> None:
    page = (HOW_TO / "compose.md").read_text()
    (shown,) = [block.partition("```")[0] for block in page.split("```yaml\n")[1:]]
    service = yaml.safe_load(shown)["services"]["worker"]

    assert set(service) <= SERVICE
    assert seconds(service["stop_grace_period"]) >= options(service["command"])["grace"] + 15

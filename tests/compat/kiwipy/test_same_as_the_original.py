"""The import name kiwipy does what kiwipy 0.9.0 does: both are run, and their traces must be equal."""

import secrets
import subprocess
from pathlib import Path

import pytest

from tests.compat.both import DROP_IN, ORIGINAL, command, differing_names, told
from tests.messaging.rabbitmq.conftest import broker_url  # noqa: F401 - a fixture

SCENARIOS = str(Path(__file__).parent / "scenarios.py")

WANTED = {
    "rpc_that_is_cancelled": [["raised", "concurrent.futures._base", "CancelledError"], True],
    "a_task_that_cannot_be_decoded": [["returned", "next"]],
}
"""Where the original never answers, and the drop-in does: the caller is told of a future that was cancelled; a task that
cannot be decoded is dropped, and does not keep its place among those that are held at a time."""

pytestmark = [pytest.mark.service("rabbitmq"), pytest.mark.slow, pytest.mark.untraced, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def traces(broker_url):  # noqa: F811
    return {library: told(library, SCENARIOS, "all", broker_url) for library in (ORIGINAL, DROP_IN)}


def test_every_scenario_goes_as_with_the_original(traces):
    same = {name: trace for name, trace in traces[ORIGINAL].items() if name not in WANTED}

    assert len(same) > 15
    assert {name: traces[DROP_IN][name] for name in same} == same
    assert all(trace[0] == "returned" for trace in same.values())


@pytest.mark.parametrize("name", WANTED)
def test_what_differs_is_wanted(traces, name):
    assert traces[DROP_IN][name] == ["returned", WANTED[name]]
    assert traces[ORIGINAL][name] != traces[DROP_IN][name]  # else it need not be listed


@pytest.mark.parametrize(("server", "client"), [(ORIGINAL, DROP_IN), (DROP_IN, ORIGINAL)])
def test_it_talks_with_the_original_over_one_broker(broker_url, server, client):  # noqa: F811
    def conversation(server, client):
        name = f"peers-{secrets.token_hex(6)}"
        serving = subprocess.Popen(
            **command(server, SCENARIOS, "serve", broker_url, name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with serving:
            try:
                assert serving.stdout.readline() == b"ready\n"
                return told(client, SCENARIOS, "ask", broker_url, name)
            finally:
                serving.stdin.close()
                serving.wait(20)

    trace = conversation(server, client)

    assert trace == conversation(ORIGINAL, ORIGINAL)
    assert len(trace) == 9


def test_every_public_name_is_there_and_takes_the_same():
    assert differing_names("kiwipy") == {}


def test_importing_it_loads_no_broker_and_no_yaml():
    program = (
        "import sys; before = set(sys.modules); import kiwipy; "
        "print(sorted({'aio_pika', 'yaml', 'kiwipy.rmq', 'pickle'} & (set(sys.modules) - before)))"
    )
    ended = subprocess.run(**command(DROP_IN, "-c", program), capture_output=True, text=True, check=True)

    assert ended.stdout == "[]\n"

"""What every test runs under: one event loop backend, one rule for chance, one for what is traced.

Fixtures of one part live in the conftest of its own folder; here is only what holds for all.
"""

import os
import sys
import threading
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No limits of time: the machine is shared, and a slow example is not a wrong one.
settings.register_profile("dev", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
# A commit passes or fails whenever it is asked.
settings.register_profile("ci", settings.get_profile("dev"), max_examples=100, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop of all async tests: asyncio, its debug mode off, because it makes steps ten times slower."""
    return "asyncio", {"debug": False}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Have the coverage of a test that is marked `untraced` not be looked at, nor that of programs that it starts.

    It is for what goes through the same lines thousands of times, or measures: that takes a third of the time then, and
    other tests go through these lines too.
    """
    if item.get_closest_marker("untraced") is None:
        return (yield)
    kept = {name: os.environ.pop(name) for name in tuple(os.environ) if name.startswith("COVERAGE_PROCESS_")}
    here, in_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        os.environ.update(kept)
        threading.settrace(in_threads)
        sys.settrace(here)

"""What every test runs under: one event loop backend, one rule for chance.

Fixtures of one part live in the conftest of its own folder; here is only what holds for all.
"""

import os

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

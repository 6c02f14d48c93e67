"""Processes that take real workers down with them: so many, and no more, and nobody else notices."""

from pathlib import Path

import pytest

from tests.cli.shell import Shell, line_with

pytestmark = pytest.mark.slow

LIMIT = 3
POISON = '''

class Poison(Process):
    """Its second step ends its interpreter, unless somebody has left an antidote."""
    def run(self):
        return Continue(self.kill_all)

    def kill_all(self):
        note("poison")
        if not Path("antidote").exists():
            os._exit(1)

class Slow(Process):
    """Its step is at work whenever a worker dies, and ends only when it is told to."""
    async def run(self):
        import asyncio
        while not Path("done").exists():
            await asyncio.sleep(0.01)
'''


@pytest.fixture
def drupe(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    with (tmp_path / "flows.py").open("a") as flows:
        flows.write(POISON)
    (tmp_path / "drupe.toml").write_text(f"attempts = {LIMIT}\n")
    return shell


@pytest.mark.untraced
def test_a_poison_starts_as_often_as_it_may_and_nobody_else_notices(drupe: Shell) -> None:
    slow = drupe.ok("submit", "flows.py:Slow").out.strip()
    poison = drupe.ok("submit", "flows.py:Poison").out.strip()
    for _ in range(LIMIT - 1):
        with drupe.started("worker", "--alone") as worker:
            assert worker.wait() == 1
    (drupe.folder / "done").touch()  # from now on it is one at a time
    with drupe.started("worker", "--alone") as worker:
        assert worker.wait() == 1
    with drupe.started("worker", "--alone") as worker:
        line_with(worker.stderr, "quarantined")
        drupe.ok("wait", slow, "--deadline", "40")

    assert drupe.diary() == ["poison"] * LIMIT
    said = f"quarantined: {LIMIT} programs in a row died while it was in kill_all"
    for words in (("ps",), ("show", poison), ("status", poison), ("history", poison)):
        assert said in drupe.ok(*words).out
    assert "quarantine: 1 took too many programs down" in drupe.ok("doctor").out

    (drupe.folder / "antidote").touch()
    assert drupe.ok("play", poison).out == f"{poison}  played\n"
    with drupe.started("worker", "--alone"):
        drupe.ok("wait", poison, "--deadline", "40")
    assert drupe.diary() == ["poison"] * (LIMIT + 1)

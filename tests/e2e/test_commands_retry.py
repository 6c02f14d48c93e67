"""`drupe retry`, as a person gives it."""

from pathlib import Path

import pytest

from tests.cli.shell import Shell

pytestmark = pytest.mark.slow


def test_what_excepted_is_tried_again_and_everything_else_is_refused(tmp_path: Path) -> None:
    drupe = Shell(tmp_path)
    with (tmp_path / "flows.py").open("a") as flows:
        flows.write("""
class Mended(Process):
    def run(self):
        note("run")
        return Continue(self.read)

    def read(self):
        note("read")
        return Path("file").read_text()
""")
    pid = drupe.pid("run", "flows.py:Mended")
    (tmp_path / "file").write_text("there")

    again = drupe.ok("retry", pid).out.strip()
    assert drupe.ok("retry", pid[-8:], "--json").json == [{"retried": pid, "pid": again, "refused": None}]
    assert drupe.ok("resume", again).out.splitlines()[-1] == "result: there"

    assert drupe.diary() == ["run", "read", "read"]
    assert f"retry of: {pid}" in drupe.ok("show", again).out
    refused = drupe("retry", again)
    assert (refused.code, refused.out) == (
        11,
        f"refused: process {again} is finished: only what excepted or is quarantined is retried\n",
    )
    assert drupe("retry", "nobody").code == 8

"""What a forked program gives up of what it inherited: its parent's files lead to nowhere there, and nowhere else."""

import os
import subprocess
import sys

import pytest

from drupe.runtime import inheritance

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

CODE = """
import os, tempfile
from drupe.runtime.inheritance import keep_from_children

kept, given, closed = tempfile.TemporaryFile(), tempfile.TemporaryFile(), tempfile.TemporaryFile()
for file in (kept, closed):
    keep_from_children(file)
closed.close()
child = os.fork()
for file in (kept, given):
    os.write(file.fileno(), b"x")  # it has the same number still
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(os.fstat(kept.fileno()).st_size, os.fstat(given.fileno()).st_size)
"""


def test_a_child_writes_no_more_into_what_it_gives_up():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["1", "2"]
    assert done.stderr == ""


def test_what_is_closed_is_left_alone(tmp_path, monkeypatch):
    kept, closed = (tmp_path / "kept").open("wb"), (tmp_path / "closed").open("wb")
    closed.close()
    monkeypatch.setattr(inheritance, "_OPEN", [kept, closed])

    inheritance._give_up()  # as if this were the child

    with kept:
        kept.write(b"x")
    assert (tmp_path / "kept").read_bytes() == b""

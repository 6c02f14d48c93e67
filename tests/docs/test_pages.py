"""What the documentation shows is what happens."""

import contextlib
import os
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.architecture.source import ROOT
from tests.docs.page import PAGES, Reader, agrees, blocks

BROKERED = [ROOT / "docs" / "how-to" / "rabbitmq.md"]
STORED = [ROOT / "docs" / "how-to" / "move-to-postgresql.md"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, out of which modules can be imported; they are forgotten in the end."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    end_workers(folder)
    for name in set(sys.modules) - before:
        if name == "page" or str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def end_workers(folder: Path) -> None:
    """End what a page has started in the background, if it did not get to the line that does."""
    for file in folder.glob("*.pid"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted({*PAGES} - {*BROKERED, *STORED}), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_of_a_page_does_what_the_page_says(path: Path, folder: Path) -> None:
    Reader(path, folder).read()


@pytest.mark.slow
@pytest.mark.service("rabbitmq")
@pytest.mark.parametrize("path", BROKERED, ids=lambda path: str(path.relative_to(ROOT)))
def test_so_does_every_block_of_a_page_with_a_broker(path: Path, folder: Path, broker_url: str) -> None:
    Reader(
        path,
        folder,
        {
            "amqp://guest:guest@localhost/": broker_url,
            "@localhost/": f"@{urlsplit(broker_url).netloc.rpartition('@')[2]}/",
        },
    ).read()


@pytest.mark.slow
@pytest.mark.service("postgres")
@pytest.mark.parametrize("path", STORED, ids=lambda path: str(path.relative_to(ROOT)))
def test_so_does_every_block_of_a_page_with_a_database(path: Path, folder: Path, postgres_url: str) -> None:
    Reader(path, folder, {"postgresql://me@localhost/lab": f"'{postgres_url}'"}).read()


def read(text: str, folder: Path) -> None:
    page = folder.parent / "page.md"
    page.write_text(text)
    Reader(page, folder).read()


@pytest.mark.parametrize(
    "text",
    [
        "```python\nraise ValueError\n```\n",
        "```python\nprint(1)\n```\n```text\n2\n```\n",
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ false\n$ echo $?\n0\n```\n",
        "```toml\nstore = 'x'\n```\n",
        "```console\n$ drupe nonsense\n```\n",
    ],
)
def test_a_page_that_is_wrong_is_found_out(text: str, folder: Path) -> None:
    with pytest.raises((AssertionError, ValueError)):
        read(text, folder)


def test_a_page_can_write_files_run_them_and_go_on_in_python(folder: Path) -> None:
    read(
        "```python\n# one.py\nprint(1)\n```\n- so:\n  ```console\n  $ python one.py\n  1\n  ```\n"
        "```python\nimport one\n```\n```text\n1\n```\n```python\nfound = 2\n```\n```python\nassert found == 2\n```\n",
        folder,
    )


def test_a_block_knows_its_line() -> None:
    assert [block.line for block in blocks("a\n```python\nb\n```\n\n```text\nc\n```\n")] == [3, 7]


@pytest.mark.parametrize(
    ("shown", "there"),
    [
        ("pid 0123abcd", "pid deadbeef"),
        ("a  b", "a b"),
        ("a…c", "a b\nb c"),
        ("2026-01-01T00:00:00.000", "2027-12-31T23:59:59.999"),
    ],
)
def test_what_may_differ_may_differ(shown: str, there: str) -> None:
    assert agrees(shown, there)
    assert not agrees(shown + "x", there)

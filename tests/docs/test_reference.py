"""What the code decides stands in the pages as the code decides it."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs import draw, tables
from drupe import errors
from drupe.cli.main import cli
from drupe.core.lifecycle import NEXT, State
from drupe.service.profile import SETTINGS
from tests.architecture.source import ROOT
from tests.docs.page import PAGES

REFERENCE = ROOT / "docs" / "reference"


def codes(tree: type[errors.DrupeError]) -> set[str]:
    return {tree.code}.union(*(codes(kind) for kind in tree.__subclasses__() if kind.__module__ == errors.__name__))


def test_the_drawing_of_the_states_is_the_table() -> None:
    tree = ElementTree.fromstring(draw.FILE.read_text("utf-8"))
    drawn = [
        (arrow.get("data-from"), arrow.get("data-trigger"), arrow.get("data-to"))
        for arrow in tree.findall(".//{*}g")
        if arrow.get("class") == "arrow"
    ]

    assert sorted(drawn) == sorted((*cell,) for cell in draw.arrows())
    assert len(drawn) == sum(map(len, NEXT.values()))


def test_the_drawing_has_every_state() -> None:
    tree = ElementTree.fromstring(draw.FILE.read_text("utf-8"))

    assert {state.name for state in State} <= {text.text for text in tree.findall(".//{*}text")}


def test_the_drawing_is_the_one_that_is_drawn_now() -> None:
    assert draw.FILE.read_text("utf-8") == draw.picture(), "python docs/draw.py"


@pytest.mark.parametrize("path", tables.pages(), ids=lambda path: path.stem)
def test_the_tables_of_a_page_are_those_of_the_code(path: Path) -> None:
    text = path.read_text("utf-8")

    assert text == tables.filled(text), "python docs/tables.py"


def test_every_table_is_on_a_page() -> None:
    found = [name for path in tables.pages() for name, _ in tables.PLACE.findall(path.read_text("utf-8"))]

    assert sorted(found) == sorted(tables.TABLES)


def test_a_stale_table_is_found_out() -> None:
    stale = "<!-- table: exit-codes -->\n\n| 0 | fine |\n\n<!-- end of table -->\n"

    assert "fine" not in tables.filled(stale)
    assert tables.filled(tables.filled(stale)) == tables.filled(stale)


def test_every_setting_is_in_the_documentation() -> None:
    text = (REFERENCE / "settings.md").read_text("utf-8")

    assert not [setting.name for setting in SETTINGS if f"`{setting.name}`" not in text]
    assert not [setting.name for setting in SETTINGS if f"`{setting.variable}`" not in text]


def test_every_command_is_in_the_documentation() -> None:
    text = (REFERENCE / "commands.md").read_text("utf-8")

    assert set(re.findall(r"^### `drupe (\w+)", text, re.MULTILINE)) == set(cli.commands)


def test_every_error_code_is_in_the_documentation() -> None:
    text = (REFERENCE / "errors.md").read_text("utf-8")

    assert not [code for code in codes(errors.DrupeError) if f"| `{code}` |" not in text]


def test_every_name_of_the_facade_is_in_the_documentation() -> None:
    facade = (ROOT / "src" / "drupe" / "__init__.py").read_text("utf-8")
    names = set(re.findall(r"import (\w+) as \1", facade)) - {"__version__"}
    text = (REFERENCE / "api.md").read_text("utf-8")

    assert not [name for name in names if not re.search(rf"\b{name}\b", text)]


def test_every_page_can_be_reached() -> None:
    pages = {path.resolve() for path in PAGES if path.is_relative_to(ROOT / "docs")}
    reached = set()
    todo = [ROOT / "docs" / "index.md"]
    while todo:
        page = todo.pop().resolve()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([\w./-]+\.md)(?:#[\w-]+)?\)", page.read_text("utf-8"))
        todo += [page.parent / link for link in links if (page.parent / link).exists()]

    assert not pages - reached


def test_every_link_leads_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "examples" / "README.md", *(ROOT / "docs").rglob("*.md")]
    dead = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in re.findall(
            r"\]\((?!https?:|#)([^)#\s]+)", re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
        )
        if not (page.parent / link).exists()
    ]

    assert not dead

"""Where process classes come from: what a person names, and nothing that hides or pretends to be something else."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drupe.engine.registry import kind_of
from drupe.errors import ClassPathError, DefinitionError, SettingsError
from drupe.service import classes, profile

FLOW = """
from drupe import Process, WorkChain
import json

class Flow(Process):
    class Inner(Process):
        pass

def make():
    class Hidden(Process):
        pass
    return Hidden

Hidden = make()
number = 3

class Plain:
    pass
"""


@pytest.fixture(autouse=True)
def _imports_are_undone() -> Iterator[None]:
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


def message(project: Path, class_path: str) -> str:
    with pytest.raises(ClassPathError) as caught:
        classes.load(class_path, folder=project)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_file_is_the_module_of_its_stem(project: Path) -> None:
    found, source = classes.load("flow.py:Flow", folder=project)

    assert kind_of(found) == "flow:Flow"
    assert sys.modules["flow"].Flow is found
    assert source == str(project / "flow.py")


def test_a_module_is_found_in_the_project_folder(project: Path) -> None:
    found, source = classes.load("flow:Flow", folder=project)

    assert (kind_of(found), source) == ("flow:Flow", "flow")


def test_a_class_may_be_inside_a_class(project: Path) -> None:
    found, _ = classes.load("flow.py:Flow.Inner", folder=project)

    assert kind_of(found) == "flow:Flow.Inner"


def test_a_file_is_imported_once_however_it_is_written(project: Path) -> None:
    first, _ = classes.load("flow.py:Flow", folder=project)
    second, _ = classes.load(f"{project}/../{project.name}/flow.py:Flow", folder=project)

    assert first is second


def test_a_file_finds_what_is_beside_it(project: Path) -> None:
    (project / "inner").mkdir()
    (project / "inner" / "beside.py").write_text("x = 1")
    (project / "inner" / "chain.py").write_text("import beside\nfrom drupe import Process\nclass Chain(Process): pass")

    found, _ = classes.load("inner/chain.py:Chain", folder=project)

    assert found.__name__ == "Chain"


@pytest.mark.parametrize(
    ("class_path", "named"),
    [
        ("flaw.py:Flow", ["there is no file", "flaw.py", "did you mean 'flow.py'"]),
        ("flow.py:Flo", ["no 'Flo'", "did you mean 'Flow'"]),
        ("flow.py", ["which class", "flow.py:CLASS", "'Flow'"]),
        ("flow.py:number", ["not a process class", "3", "drupe.Process"]),
        ("flow.py:Plain", ["not a process class"]),
        ("flow.py:json", ["not a process class"]),
        ("flow.py:Hidden", ["flow:make.<locals>.Hidden", "top level"]),
        ("flew:Flow", ["no module 'flew'"]),
        ("no.such.module:Flow", ["no module 'no.such.module'"]),
        ("two words:Flow", ["neither a module nor a .py file"]),
        ("json:Flow", ["no 'Flow'", "no process class at all"]),
        ("flow.txt/x:Flow", ["there is no file"]),
        ("", ["neither"]),
    ],
)
def test_a_path_that_leads_nowhere_says_what_is_in_the_way(project: Path, class_path: str, named: list[str]) -> None:
    told = message(project, class_path)

    assert all(word in told for word in named), told


def test_a_module_that_is_not_there_but_is_a_file_gets_the_advice(project: Path) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "deep.py").touch()
    (project / "sub" / "__init__.py").write_text("raise ModuleNotFoundError(name='sub.deep')")

    assert "sub/deep.py:CLASS" in message(project, "sub.deep:Deep")


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("json.py", "would hide Python's own module 'json'"),
        ("pytest.py", "would be the module 'pytest'"),
        ("flow.v2.py", "has a dot in its name"),
    ],
)
def test_a_file_that_would_hide_a_module_is_refused(project: Path, name: str, named: str) -> None:
    (project / name).write_text(FLOW)

    told = message(project, f"{name}:Flow")

    assert named in told
    assert "rename" in told


def test_two_files_of_one_stem_are_refused(project: Path) -> None:
    (project / "other").mkdir()
    (project / "other" / "flow.py").write_text(FLOW)
    classes.load("flow.py:Flow", folder=project)

    assert str(project / "flow.py") in message(project, "other/flow.py:Flow")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("x = 1\nraise ValueError('broken\\nin two')", "line 2: ValueError: broken in two"),
        ("import nothing_of_this_name", "line 1: ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("def f(:\n", "line 1: SyntaxError"),
        ("raise SystemExit(3)", "line 1: SystemExit: 3"),
        ("from . import x", "ImportError"),
    ],
)
def test_a_file_that_raises_is_told_in_one_line_and_leaves_no_module(project: Path, text: str, named: str) -> None:
    (project / "broken.py").write_text(text)

    assert named in message(project, "broken.py:Flow")
    assert "broken" not in sys.modules


def test_a_module_that_raises_is_told_in_one_line(project: Path) -> None:
    (project / "broken.py").write_text("1 / 0")

    assert "broken cannot be imported: ZeroDivisionError" in message(project, "broken:Flow")


def test_the_original_error_is_kept_for_who_debugs(project: Path) -> None:
    (project / "broken.py").write_text("1 / 0")

    with pytest.raises(ClassPathError) as caught:
        classes.load("broken.py:Flow", folder=project)

    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_interrupt_during_an_import_is_an_interrupt(project: Path) -> None:
    (project / "slow.py").write_text("raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        classes.load("slow.py:Flow", folder=project)

    assert "slow" not in sys.modules


def test_a_class_that_cannot_be_defined_is_told(project: Path) -> None:
    (project / "bad.py").write_text(
        "from drupe import Process\n"
        "class Bad(Process):\n"
        "    @classmethod\n"
        "    def define(cls, spec):\n"
        "        super().define(spec)\n"
        "        spec.nothing\n"
        "class Lazy(Process):\n"
        "    @classmethod\n"
        "    def define(cls, spec): pass\n"
    )

    assert "line 6: AttributeError" in message(project, "bad.py:Bad")
    with pytest.raises(DefinitionError, match="Lazy"):
        classes.load("bad.py:Lazy", folder=project)


# --- settings, the project's list, distributions -----------------------------------------------------------


def settings_of(folder: Path, *imports: str) -> profile.Settings:
    return profile.load(folder=folder, environment={}, flags={"imports": list(imports)})


def test_what_settings_name_is_imported_or_an_error(project: Path) -> None:
    classes.import_set(settings_of(project, "flow.py"))

    assert "flow" in sys.modules
    with pytest.raises(ClassPathError, match="there is no file"):
        classes.import_set(settings_of(project, "gone.py"))


def test_imports_of_a_file_that_anybody_may_write_are_refused(project: Path) -> None:
    (project / "drupe.toml").write_text('imports = ["flow.py"]')
    (project / "drupe.toml").chmod(0o666)

    with pytest.raises(SettingsError, match=r"others may write it \(chmod go-w"):
        classes.import_set(profile.load(folder=project, environment={}))

    assert "flow" not in sys.modules


def test_a_file_that_anybody_may_write_may_still_set_a_lease(project: Path) -> None:
    (project / "drupe.toml").write_text("lease = 3")
    (project / "drupe.toml").chmod(0o666)

    classes.import_set(profile.load(folder=project, environment={}))


def test_what_distributions_name_is_imported_and_a_failure_does_not_stop_the_rest(project: Path) -> None:
    site = project / "site"
    metadata = site / "orchard-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Name: orchard\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[drupe.processes]\na = orchard_broken\nb = orchard\n")
    (site / "orchard.py").write_text(FLOW)
    (site / "orchard_broken.py").write_text("1 / 0")
    sys.path.insert(0, str(site))

    failed = classes.import_listed(settings_of(project))

    assert "orchard" in sys.modules
    assert ["orchard_broken cannot be imported" in str(error) for error in failed] == [True]

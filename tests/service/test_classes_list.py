"""The project's own list of what to import: short, private, and refused when it may be somebody else's."""

import os
import secrets
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drupe.errors import ClassPathError, SettingsError, UnknownClassError
from drupe.service import profile, project
from drupe.service.classes import ListedClasses


@pytest.fixture
def settings(tmp_path: Path) -> profile.Settings:
    return profile.load(folder=tmp_path, environment={})


def file(settings: profile.Settings, name: str) -> str:
    path = settings.folder / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return str(path)


def test_without_a_list_nothing_is_listed(settings: profile.Settings) -> None:
    assert project.listed(settings) == ()
    assert not settings.private.exists()


def test_what_is_added_is_listed_once_and_in_order(settings: profile.Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path.parent / 'else "where" \\ \x7f.py'
    elsewhere.touch()
    names = (file(settings, "flow.py"), "package.flow", str(elsewhere))

    for name in (*names, names[0]):
        project.add(settings, name)

    assert project.listed(settings) == names


def test_files_of_the_project_move_with_it(settings: profile.Settings, tmp_path: Path) -> None:
    project.add(settings, file(settings, "flow.py"))

    assert '"flow.py"' in (settings.private / project.LIST).read_text()


def test_list_and_folder_are_for_their_owner_only(settings: profile.Settings) -> None:
    project.add(settings, "flow")

    assert stat.S_IMODE(settings.private.stat().st_mode) == 0o700
    assert stat.S_IMODE((settings.private / project.LIST).stat().st_mode) == 0o600


@pytest.mark.parametrize("place", [".drupe", ".drupe/classes.toml"])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_a_list_that_others_may_write_is_refused(settings: profile.Settings, place: str, mode: int) -> None:
    project.add(settings, "flow")
    path = settings.folder / place
    path.chmod(path.stat().st_mode | mode)

    with pytest.raises(SettingsError, match=rf"{place} .*others may write it \(chmod go-w"):
        project.listed(settings)
    with pytest.raises(SettingsError, match="others may write it"):
        project.add(settings, "other")


@pytest.mark.parametrize("place", [".drupe", ".drupe/classes.toml"])
def test_a_list_of_somebody_else_is_refused(
    settings: profile.Settings, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.add(settings, "flow")
    path = settings.folder / place
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)

    with pytest.raises(SettingsError, match="belongs to another user"):
        project.listed(settings)


@pytest.mark.parametrize("text", ["imports = ", "imports = 3", "imports = [1]"])
def test_a_damaged_list_is_told(settings: profile.Settings, text: str) -> None:
    project.add(settings, "flow")
    (settings.private / project.LIST).write_text(text)

    with pytest.raises(SettingsError, match=r"classes\.toml is damaged"):
        project.listed(settings)


def test_two_files_of_one_stem_are_refused(settings: profile.Settings) -> None:
    project.add(settings, file(settings, "a/flow.py"))

    with pytest.raises(ClassPathError, match=r"would be one module, 'flow'; rename one of them"):
        project.add(settings, file(settings, "b/flow.py"))


def test_a_file_that_is_gone_makes_room(settings: profile.Settings) -> None:
    gone = file(settings, "a/flow.py")
    project.add(settings, gone)
    Path(gone).unlink()

    project.add(settings, file(settings, "b/flow.py"))

    assert project.listed(settings) == (str(settings.folder / "b/flow.py"),)


def test_adding_at_once_loses_nothing(settings: profile.Settings) -> None:
    names = [f"flow{number}" for number in range(24)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: project.add(settings, name), names))

    assert sorted(project.listed(settings)) == sorted(names)
    assert [path.name for path in settings.private.iterdir()] == [project.LIST]


def test_a_list_that_cannot_be_written_is_told(settings: profile.Settings) -> None:
    settings.private.touch()  # a file where the folder should be

    with pytest.raises(SettingsError, match=r"classes.toml cannot be written"):
        project.add(settings, "flow")


def test_what_is_listed_before_somebody_stays_and_was_not_imported_is_found(settings: profile.Settings) -> None:
    name = f"late_{secrets.token_hex(4)}"
    path = Path(file(settings, f"{name}.py"))
    path.write_text("from drupe import Process\n\n\nclass Late(Process):\n    pass\n")
    project.add(settings, str(path))

    classes = ListedClasses(settings)

    assert classes.find(f"{name}:Late").__name__ == "Late"
    with pytest.raises(UnknownClassError):
        classes.find(f"{name}:Later")


def test_which_versions_are_at_hand_is_told_and_nothing_is_imported_for_it(settings: profile.Settings) -> None:
    name = f"told_{secrets.token_hex(4)}"
    path = Path(file(settings, f"{name}.py"))
    path.write_text("from drupe import Process\n\n\nclass Late(Process):\n    version = 3\n")
    classes, kinds = ListedClasses(settings), [f"{name}:Late", f"{name}:Later"]
    assert classes.versions(kinds) == dict.fromkeys(kinds)

    project.add(settings, str(path))

    assert classes.versions(kinds) == {}, "what is to be imported may have them"
    assert name not in sys.modules
    with pytest.raises(UnknownClassError):
        classes.find(f"{name}:Later")
    assert classes.versions(kinds) == {f"{name}:Late": 3, f"{name}:Later": None}


def test_what_is_being_imported_may_have_a_class(settings: profile.Settings) -> None:
    """Somebody asks from another thread."""
    name, told = f"slow_{secrets.token_hex(4)}", []
    path = Path(file(settings, f"{name}.py"))
    path.write_text(f"import sys\nsys.modules['{name}_asks']()\n")
    project.add(settings, str(path))
    classes = ListedClasses(settings)
    sys.modules[f"{name}_asks"] = lambda: told.append(classes.versions(["m:C"]))  # type: ignore[assignment]

    with pytest.raises(UnknownClassError):
        classes.find("m:C")

    del sys.modules[f"{name}_asks"]
    assert told == [{}]
    assert classes.versions(["m:C"]) == {"m:C": None}


def test_a_list_that_cannot_be_read_names_nothing(settings: profile.Settings) -> None:
    project.add(settings, "flow")
    (settings.private / project.LIST).write_text("imports = 3")

    assert ListedClasses(settings).versions(["m:C"]) == {"m:C": None}

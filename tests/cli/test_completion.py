"""What the shell completes: commands, the newest pids, and classes in files that are read but never run."""

from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from drupe.cli.class_path import CLASS_PATH, classes_in
from drupe.cli.completion import SHELLS
from drupe.cli.main import cli, main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.py").write_text(
        "raise SystemExit\nfrom drupe import Process\nclass Flow(Process): pass\nclass Plain: pass\n"
    )
    (tmp_path / "inner").mkdir()
    (tmp_path / "broken.py").write_text("class (")
    (tmp_path / ".hidden.py").touch()
    return tmp_path


def completed(*words: str) -> list[str]:
    *before, last = words
    return [item.value for item in ShellComplete(cli, {}, "drupe", "_X").get_completions(before, last)]


def test_commands_are_completed(folder: Path) -> None:
    assert completed("re") == ["resume", "retry"]


def test_files_are_completed_with_their_classes_and_none_is_run(folder: Path) -> None:
    assert completed("run", "") == ["flow.py:Flow", "inner/"]
    assert completed("run", "fl") == ["flow.py:Flow"]
    assert completed("run", "flow.py:F") == ["flow.py:Flow"]
    assert completed("run", "flow.py:X") == []


def test_files_in_folders_are_completed(folder: Path) -> None:
    (folder / "inner" / "deep.py").write_text("class Deep(Process): pass")

    assert completed("run", "inner/") == ["inner/deep.py:Deep"]
    assert completed("run", "inner/de") == ["inner/deep.py:Deep"]


def test_a_file_that_cannot_be_read_has_no_classes(folder: Path) -> None:
    assert classes_in(folder / "broken.py") == classes_in(folder / "gone.py") == []


def test_pids_are_completed_short_or_in_full_once_that_is_begun(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "quick.py").write_text("from drupe import Process\nclass Quick(Process):\n    def run(self): pass\n")
    main(["run", "quick.py:Quick"])
    pid = capfd.readouterr().out.splitlines()[0]

    assert completed("show", "") == [pid[-8:]]
    assert completed("show", pid[:6]) == [pid]
    assert completed("history", pid[-8:-5]) == [pid[-8:]]


def test_without_a_store_no_pid_is_completed_and_no_store_is_made(folder: Path) -> None:
    assert completed("show", "") == []
    assert not (folder / ".drupe").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0

    assert "_DRUPE_COMPLETE" in capsys.readouterr().out


def test_bash_is_told_that_a_colon_ends_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])

    assert capsys.readouterr().out.startswith("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n")


def test_a_key_press_is_answered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_DRUPE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "drupe run fl")
    monkeypatch.setenv("COMP_CWORD", "2")

    with pytest.raises(SystemExit):
        main([])

    assert capsys.readouterr().out == "plain,flow.py:Flow\n"


def test_a_class_path_is_taken_as_it_is() -> None:
    assert CLASS_PATH.convert("flow.py:Flow", None, None) == "flow.py:Flow"
    assert isinstance(CLASS_PATH, click.ParamType)

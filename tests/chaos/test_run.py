"""A short run of the real thing: workers are killed and stopped, and nothing is lost and nothing done twice."""

import pytest

from chaos.__main__ import main


def figures(text):
    return {line[:56].strip(): line[56:66].strip() for line in text.splitlines()}


@pytest.mark.untraced
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_workers_are_killed_and_stopped_and_everything_comes_to_its_end_once(tmp_path, capsys):
    words = (
        "--seconds 3 --processes 60 --kills 2 --freezes 0 --drains 1 --workers 2 --lease 20 --step 0.02 --patience 90"
    )
    words += f" --callers 0 --durability process --seed 1 --folder {tmp_path / 'run'}"

    assert main(words.split()) == 0

    found = figures(capsys.readouterr().out)
    assert found["processes submitted"] == "60"
    assert found["steps committed"] == found["effects by their key, each once"] == "300"
    assert found["workers killed"] == "2"
    assert found["lost"] == found["committed twice"] == "0"
    assert main(["--judge", str(tmp_path / "run")]) == 0  # the evidence is still there

    # It can say no.
    with (tmp_path / "run" / "journal.jsonl").open("a") as journal:
        journal.write('[1, "submitted", "errand-never"]\n')
    assert main(["--judge", str(tmp_path / "run")]) == 1
    assert figures(capsys.readouterr().out)["lost"] == "1"

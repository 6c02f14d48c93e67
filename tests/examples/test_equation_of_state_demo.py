"""The demonstration as a whole: real commands, real kills, smaller numbers."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "equation_of_state"))

import demo

COMMANDS = Path(__file__).parents[2] / "src" / "drupe" / "cli" / "main.py"
SMALL = ["--metals", "Cu", "Al", "--points", "5", "--repeat", "4"]


@pytest.mark.untraced
@pytest.mark.slow
@pytest.mark.skipif(not COMMANDS.exists(), reason="there are no commands yet")
def test_a_run_that_is_killed_three_times_keeps_every_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = demo.main([*SMALL, "--seed", "3", "--folder", str(tmp_path)])

    told = capsys.readouterr().out
    assert code == 0, told
    assert told.count("SIGKILL after") == 1 + 3
    assert told.count("✓") == 3
    for name in ("equation_of_state", "timeline"):
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
        assert (tmp_path / f"{name}.svg").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metals", "Fe"], "invalid choice: 'Fe'"),
        (["--points", "4"], "4 is less than 5"),
        (["--kills", "-1"], "-1 is less than 0"),
        (["--repeat", "many"], "invalid"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        demo.main(arguments)

    assert refused.value.code == 2
    assert message in capsys.readouterr().err

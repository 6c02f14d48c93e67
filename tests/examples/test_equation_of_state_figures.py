"""What the equation-of-state example shows people: the figures and the table."""

import sys
from io import StringIO
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "equation_of_state"))

import crystal
import curves
import palette
import report
import tally
import timeline
from birch_murnaghan import BirchMurnaghan
from direct import Reference
from shifts import Shift
from step_log import Start
from tally import Event, Life, Tally

PNG = b"\x89PNG\r\n"


def curve(volume: float, repeated: frozenset[float] = frozenset()) -> curves.Curve:
    best = BirchMurnaghan(volume=volume, energy=-1.0, bulk_modulus=100.0, pressure_derivative=4.0)
    volumes = crystal.volumes_around(volume, points=7, strain=0.05)
    return curves.Curve(volumes=volumes, energies=[best(v) for v in volumes], best=best, repeated=repeated)


def events(*pairs: tuple[float, str]) -> tuple[Event, ...]:
    return tuple(Event(at=at, state=state) for at, state in pairs)


# One metal at one volume; the first worker is killed while it calculates, the second calculates again.
LIVES = [
    Life(
        pid="point",
        kind="SinglePoint",
        parent="chain",
        state="finished",
        events=events((102, "created"), (102, "running"), (107, "finished")),
    ),
    Life(
        pid="chain",
        kind="EquationOfState",
        parent="all",
        state="finished",
        events=events((101, "created"), (101, "running"), (102, "waiting"), (107, "running"), (108, "finished")),
    ),
    Life(
        pid="all",
        kind="AllMetals",
        parent=None,
        state="finished",
        events=events((100, "created"), (100.5, "running"), (101, "waiting"), (108, "running"), (109, "finished")),
    ),
]
STARTS = [
    Start(at=100.5, worker=1, pid="all", kind="AllMetals", step="start"),
    Start(at=101.2, worker=1, pid="chain", kind="EquationOfState", step="scan", metal="Cu"),
    Start(at=102.5, worker=1, pid="point", kind="SinglePoint", step="run", metal="Cu", volume=11.5),
    Start(at=105.0, worker=2, pid="point", kind="SinglePoint", step="run", metal="Cu", volume=11.5),
    Start(at=107.2, worker=2, pid="chain", kind="EquationOfState", step="fit", metal="Cu"),
    Start(at=108.5, worker=2, pid="all", kind="AllMetals", step="collect"),
]
SHIFTS = [
    Shift(worker=1, begun=99.5, ended=103.0, killed=True, steps=3),
    Shift(worker=2, begun=103.1, ended=109.5, killed=False, steps=5),
]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are written, caught on their way to disk."""
    figures: list[Figure] = []

    def catch(figure: Figure, stem: Path) -> tuple[Path, Path]:
        figures.append(figure)
        return stem.with_suffix(".png"), stem.with_suffix(".svg")

    monkeypatch.setattr(palette, "write", catch)
    return figures


def test_there_is_a_colour_and_a_name_for_each_metal() -> None:
    assert set(palette.METAL) == set(palette.NAME) == set(crystal.METALS)
    assert len(set(palette.METAL.values())) == 7


@pytest.mark.slow
def test_the_figure_of_the_equations_is_written_twice(tmp_path: Path) -> None:
    png, svg = curves.draw({"Cu": curve(11.5), "Al": curve(16.0)}, tmp_path / "new" / "figure")

    assert png.read_bytes().startswith(PNG)
    assert "</svg>" in svg.read_text()


@pytest.mark.slow
def test_the_timeline_is_written_twice(tmp_path: Path) -> None:
    png, svg = timeline.draw(LIVES, tally.attempts(STARTS, LIVES), SHIFTS, tmp_path / "timeline")

    assert png.read_bytes().startswith(PNG)
    assert "</svg>" in svg.read_text()


@pytest.mark.slow
def test_one_run_gives_one_and_the_same_figure(tmp_path: Path) -> None:
    _, first = timeline.draw(LIVES, tally.attempts(STARTS, LIVES), SHIFTS, tmp_path / "first")
    _, second = timeline.draw(LIVES, tally.attempts(STARTS, LIVES), SHIFTS, tmp_path / "second")

    assert first.read_bytes() == second.read_bytes()


def test_each_metal_has_a_panel_and_they_share_a_last_one(drawn: list[Figure], tmp_path: Path) -> None:
    curves.draw({metal: curve(11.5) for metal in crystal.METALS}, tmp_path / "figure")

    titles = [axes.get_title(loc="left") for axes in drawn[0].axes]
    assert titles == [palette.NAME[metal] for metal in crystal.METALS] + ["together"]


def test_a_point_that_was_made_again_is_ringed(drawn: list[Figure], tmp_path: Path) -> None:
    again = curve(11.5, repeated=frozenset([11.5]))

    curves.draw({"Cu": curve(11.5), "Ag": again}, tmp_path / "figure")

    copper, silver, *_ = drawn[0].axes
    assert [line.get_xdata()[0] for line in silver.lines if line.get_markersize() == 11] == [11.5]
    assert [line for line in copper.lines if line.get_markersize() == 11] == []


def test_neighbouring_names_are_moved_apart_and_keep_their_order() -> None:
    assert curves._apart([1.0, 1.1, 5.0], 1.0) == pytest.approx([0.55, 1.55, 5.0])
    assert curves._apart([5.0, 1.1, 1.0], 1.0) == pytest.approx([5.0, 1.55, 0.55])


def test_lanes_are_grouped_by_metal_with_the_chains_first() -> None:
    lanes = timeline.arrange(LIVES, tally.attempts(STARTS, LIVES))

    assert list(lanes) == ["all", "chain", "point"]
    assert [lane.metal for lane in lanes.values()] == [None, "Cu", "Cu"]


def test_the_timeline_has_a_line_at_each_kill_and_each_resume(drawn: list[Figure], tmp_path: Path) -> None:
    timeline.draw(LIVES, tally.attempts(STARTS, LIVES), SHIFTS, tmp_path / "timeline")

    lines = {(line.get_color(), line.get_xdata()[0]) for line in drawn[0].axes[0].lines}
    assert (palette.KILL, 103.0 - 99.5) in lines
    assert (palette.RESUME, 105.0 - 99.5) in lines


# --- the table ----------------------------------------------------------------------------------


def row(*, off: float = 0.0, run_again: int = 0) -> report.Row:
    return report.Row(
        metal="Cu",
        lattice_constant=3.6,
        bulk_modulus=134.0 * (1 + off),
        reference=Reference(3.6, 134.0),
        tally=Tally(run=4, repeated=1, committed=3, run_again=run_again),
    )


def test_the_table_shows_values_and_counts() -> None:
    console = Console(record=True, width=120, file=StringIO())

    overall, total = (
        Tally(run=2, repeated=0, committed=2, run_again=0),
        Tally(run=6, repeated=1, committed=5, run_again=0),
    )
    report.show(console, [row(off=3e-13)], overall, total)

    text = console.export_text()
    copper = next(line for line in text.splitlines() if line.startswith("Cu"))
    assert copper.split() == ["Cu", "3.600000", "134.0000", "3e-13", "4", "1", "0"]
    assert text.splitlines()[-1].split() == ["total", "6", "1", "0"]


def test_steps_are_counted_metal_by_metal() -> None:
    counted = report.tallies(STARTS, LIVES)

    assert counted == {
        report.OVERALL: Tally(run=2, repeated=0, committed=2, run_again=0),
        "Cu": Tally(run=4, repeated=1, committed=3, run_again=0),
    }


def kept(table: list[report.Row], total: Tally, expected: int = 3) -> list[bool]:
    return [promise.kept for promise in report.promises(table, total, LIVES, expected=expected, shifts=SHIFTS)]


def test_all_promises_are_kept_when_all_is_well() -> None:
    assert kept([row()], tally.count(STARTS, LIVES)) == [True, True, True]


def test_a_value_that_is_off_breaks_the_first_promise() -> None:
    assert kept([row(off=2e-9)], tally.count(STARTS, LIVES)) == [False, True, True]
    assert kept([], tally.count(STARTS, LIVES)) == [False, True, True]


def test_a_committed_step_that_ran_again_breaks_the_second_promise() -> None:
    late = Start(at=107.5, worker=2, pid="point", kind="SinglePoint", step="run", metal="Cu", volume=11.5)

    assert kept([row()], tally.count([*STARTS, late], LIVES)) == [True, False, True]


def test_a_step_whose_outcome_is_not_in_the_store_breaks_the_second_promise() -> None:
    lost = Start(at=108.7, worker=2, pid="all", kind="AllMetals", step="forgotten")

    assert kept([row()], tally.count([*STARTS, lost], LIVES)) == [True, False, True]


def test_a_process_too_many_breaks_the_third_promise() -> None:
    assert kept([row()], tally.count(STARTS, LIVES), expected=2) == [True, True, False]

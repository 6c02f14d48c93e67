"""Whatever bytes come, a decoder gives what was meant or its own error, and nothing else."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.__main__ import Run, main
from fuzz.inputs import Inputs
from fuzz.targets import Target, targets

TARGETS = {target.name: target for target in targets()}


@pytest.mark.parametrize("name", TARGETS)
def test_every_sample_is_read(name):
    for sample in TARGETS[name].samples:
        TARGETS[name].read(sample)


@pytest.mark.untraced
@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
@given(st.data())
@settings(max_examples=300)
def test_what_is_nearly_right_ends_in_the_decoders_own_error(name, data):
    target = TARGETS[name]
    changed = bytearray(data.draw(st.sampled_from(target.samples)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed)))
        changed[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
    try:
        target.read(bytes(changed))
    except target.refusal:
        pass


@pytest.mark.untraced
@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_thousands_of_changed_inputs_end_in_the_decoders_own_error(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run(TARGETS[name], Random(name))

    run.go(5000)

    assert not run.failed
    assert run.refused.total() > 1000


def test_the_same_seed_makes_the_same_inputs():
    one, two = (Inputs([b"sample", b"other"], Random(7)) for _ in range(2))

    assert [one.next() for _ in range(100)] == [two.next() for _ in range(100)]


def test_a_decoder_that_raises_something_else_is_found_out_and_its_input_kept(tmp_path, monkeypatch, capsys):
    def read(data):
        raise ZeroDivisionError(f"at {len(data)}")

    monkeypatch.chdir(tmp_path)
    run = Run(Target("bad", read, TARGETS["seal"].refusal, [b"x"]), Random(1))
    run.go(50)

    assert run.failed == {"builtins.ZeroDivisionError: at N": 50}
    (kept,) = (tmp_path / "build" / "fuzz").iterdir()
    assert f"--replay build/fuzz/{kept.name}" in capsys.readouterr().err


@pytest.mark.slow
def test_the_program_prints_its_figures_and_can_be_repeated(capsys):
    assert main(["--seconds", "0", "--seed", "1", "seal", "JSON"]) == 0
    first = capsys.readouterr().out
    assert main(["--seconds", "0", "--seed", "1", "seal", "JSON"]) == 0

    def figures(text):
        return [line.split()[:2] + line.split()[3:4] for line in text.splitlines() if line.startswith(("seal", "JSON"))]

    assert "seed 1" in first
    assert "0 failures" in first
    assert figures(first) == figures(capsys.readouterr().out) != []

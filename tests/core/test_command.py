"""Commands are plain values that say what they are."""

import pytest

from drupe.core.command import Command, Continue, Kill, Stop, Wait


def step():
    pass


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (Continue(step, 1, two=2), "Continue(step, args=(1,), kwargs={'two': 2})"),
        (Continue(3), "Continue(3, args=(), kwargs={})"),
        (Wait(step, "why", [1]), "Wait(step, msg='why', data=[1])"),
        (Wait(), "Wait(None, msg=None, data=None)"),
        (Stop(1, False), "Stop(1, successful=False)"),
        (Stop(), "Stop(None, successful=True)"),
        (Kill("why"), "Kill('why')"),
    ],
)
def test_a_command_shows_what_it_carries(command, text):
    assert repr(command) == text
    assert isinstance(command, Command)


def test_continue_takes_any_argument_by_name():
    command = Continue(step, self=1, fn=2, args=3)
    assert (command.fn, command.args, command.kwargs) == (step, (), {"self": 1, "fn": 2, "args": 3})


@pytest.mark.parametrize("command", [Continue(step), Wait(), Stop(), Kill()])
def test_a_command_takes_nothing_else(command):
    with pytest.raises(AttributeError):
        command.other = 1

"""Pause, play and kill: the table as data, and any order of verbs and steps against what a person would say."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drupe.core.control import DEAD, RULES, Answer, Effect, Posture, Verb

ASKED = [Verb.PAUSE, Verb.PLAY, Verb.KILL]


def test_every_posture_has_a_rule_for_every_verb():
    assert {posture: set(row) for posture, row in RULES.items()} == {posture: set(Verb) for posture in Posture}


def test_every_posture_is_reached():
    reached, new = set(), {Posture.FREE}
    while new:
        reached |= new
        new = {rule.posture for posture in new for rule in RULES[posture].values()} - reached
    assert reached | {Posture.OVER} == set(Posture)  # over is decided by the lifecycle


@pytest.mark.parametrize("posture", sorted(DEAD))
def test_the_dead_stay_dead(posture):
    for verb in Verb:
        rule = RULES[posture][verb]
        assert rule.posture is posture
        assert rule.effect is Effect.NOTHING
        assert rule.answer is (Answer.YES if (posture, verb) == (Posture.KILLED, Verb.KILL) else Answer.NO)


@pytest.mark.parametrize("posture", Posture)
@pytest.mark.parametrize("verb", ASKED)
def test_asking_twice_is_asking_once(posture, verb):
    once = RULES[posture][verb]
    twice = RULES[once.posture][verb]
    assert twice.posture is once.posture
    assert twice.effect is Effect.NOTHING
    assert twice.answer is once.answer


@pytest.mark.parametrize("posture", [Posture.FREE, Posture.HELD])
@pytest.mark.parametrize("verb", ASKED)
def test_between_two_steps_a_verb_acts_at_once(posture, verb):
    assert RULES[posture][verb].answer is Answer.YES


@pytest.mark.parametrize("posture", [Posture.BUSY, Posture.PAUSING, Posture.KILLING])
def test_nothing_is_done_while_a_step_runs(posture):
    assert {RULES[posture][verb].effect for verb in (*ASKED, Verb.CANCEL, Verb.BEGIN)} == {Effect.NOTHING}


def test_an_effect_leads_to_its_posture():
    leads = {Effect.HOLD: Posture.HELD, Effect.RELEASE: Posture.FREE, Effect.KILL: Posture.KILLED}
    for row in RULES.values():
        for found in row.values():
            assert found.effect is Effect.NOTHING or leads[found.effect] is found.posture


def test_nobody_can_change_the_table():
    with pytest.raises(TypeError):
        RULES[Posture.OVER] = RULES[Posture.FREE]


class Control(RuleBasedStateMachine):
    """Any order of verbs and steps. What a person would say of it: paused, stepping, dead, and what is wanted next."""

    def __init__(self):
        super().__init__()
        self.posture = Posture.FREE
        self.paused = self.stepping = self.killed = False
        self.wanted = None

    def take(self, verb):
        found = RULES[self.posture][verb]
        self.posture = found.posture
        return found

    @rule()
    def pause(self):
        found = self.take(Verb.PAUSE)
        if self.killed or self.wanted == "kill":
            assert found.answer is Answer.NO
        elif self.stepping:
            assert found.answer is Answer.LATER
            self.wanted = "pause"
        else:
            assert found.answer is Answer.YES
            assert (found.effect is Effect.HOLD) is not self.paused
            self.paused = True

    @rule()
    def play(self):
        found = self.take(Verb.PLAY)
        if self.killed or self.wanted == "kill":
            assert found.answer is Answer.NO
        else:
            assert found.answer is Answer.YES
            assert (found.effect is Effect.RELEASE) is self.paused
            self.paused = False
            self.wanted = None

    @rule()
    def kill(self):
        found = self.take(Verb.KILL)
        if self.stepping:
            assert found.answer is Answer.LATER
            self.wanted = "kill"
        else:
            assert found.answer is Answer.YES
            assert (found.effect is Effect.KILL) is not self.killed
            self.killed, self.paused = True, False

    @rule()
    def cancel(self):
        found = self.take(Verb.CANCEL)
        assert found.answer is (Answer.YES if self.wanted else Answer.NO)
        assert found.effect is Effect.NOTHING
        self.wanted = None

    @rule()
    def begin(self):
        found = self.take(Verb.BEGIN)
        allowed = not (self.paused or self.stepping or self.killed)
        assert found.answer is (Answer.YES if allowed else Answer.NO)
        self.stepping = self.stepping or allowed

    @precondition(lambda self: self.stepping)
    @rule()
    def end(self):
        found = self.take(Verb.END)
        assert found.answer is Answer.YES
        expected = {None: Effect.NOTHING, "pause": Effect.HOLD, "kill": Effect.KILL}
        assert found.effect is expected[self.wanted]
        self.paused, self.killed = self.wanted == "pause", self.wanted == "kill"
        self.stepping, self.wanted = False, None

    @rule(times=st.integers(2, 4), verb=st.sampled_from(ASKED))
    def ask_again_and_again(self, times, verb):
        getattr(self, verb.value)()
        before = self.posture
        for _ in range(times):
            getattr(self, verb.value)()
        assert self.posture is before

    @invariant()
    def the_posture_says_the_same(self):
        assert (self.posture is Posture.HELD) is self.paused
        assert (self.posture in DEAD) is self.killed
        assert (self.posture in (Posture.BUSY, Posture.PAUSING, Posture.KILLING)) is self.stepping


TestControl = Control.TestCase

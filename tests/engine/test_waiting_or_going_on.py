"""A step that hands something to `to_context` waits for it; it cannot ask for something else as well."""

import asyncio

import pytest

from drupe import Continue, WorkChain
from drupe.errors import InvalidStateError


class Undecided(WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.ask)

    def ask(self):
        self.to_context(answer=asyncio.sleep(0))
        return Continue(self.other)

    def other(self): ...


async def test_a_step_that_waits_and_goes_on_at_once_fails_and_names_what_it_handed_over():
    with pytest.raises(InvalidStateError, match="handed answer to to_context and returned Continue"):
        await Undecided()

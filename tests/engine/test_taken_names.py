"""A step must not hide what every work chain has."""

import pytest

from drupe import WorkChain, while_
from drupe.errors import OutlineError


class Hiding(WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.prepare, cls.wait)

    def prepare(self): ...

    def wait(self): ...


class HidingByPredicate(WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(while_(cls.killed)(cls.prepare))

    def prepare(self): ...

    def killed(self): ...


@pytest.mark.parametrize(("chain", "name"), [(Hiding, "wait"), (HidingByPredicate, "killed")])
def test_a_step_that_hides_a_method_of_every_work_chain_is_refused_by_name(chain, name):
    with pytest.raises(OutlineError, match=f"^{name}: .* call the step something else"):
        chain()

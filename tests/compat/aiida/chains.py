"""Work chains for AiiDA, in a module of their own so that its daemon finds them."""

import time
from pathlib import Path

from aiida.engine import ToContext, WorkChain, append_, calcfunction, while_
from aiida.orm import Bool, Int, Str
from aiida.plugins import CalculationFactory


@calcfunction
def one_more(number):
    return Int(number + 1)


class Counts(WorkChain):
    """Counts in steps that take a moment, and writes each into a file."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("limit", valid_type=Int)
        spec.input("file", valid_type=Str)
        spec.output("count", valid_type=Int)
        spec.outline(cls.begin, while_(cls.goes_on)(cls.count), cls.end)

    def begin(self):
        self.ctx.count = Int(0)

    def goes_on(self):
        return self.ctx.count < self.inputs.limit

    def count(self):
        time.sleep(0.05)
        with Path(self.inputs.file.value).open("a") as file:
            file.write(f"{self.ctx.count.value}\n")
        self.ctx.count = one_more(self.ctx.count)

    def end(self):
        self.out("count", self.ctx.count)


class Adds(WorkChain):
    """Waits for calculations, two at once and one after them."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.expose_inputs(CalculationFactory("core.arithmetic.add"), namespace="add", exclude=("y",))
        spec.input("fails", valid_type=Bool, default=lambda: Bool(False))
        spec.output("sum", valid_type=Int)
        spec.exit_code(410, "ERROR_ASKED_FOR", message="it was asked for")
        spec.outline(cls.both, cls.last, cls.end)

    def add(self, number):
        inputs = self.exposed_inputs(CalculationFactory("core.arithmetic.add"), "add")
        return self.submit(CalculationFactory("core.arithmetic.add"), **inputs, y=Int(number))

    def both(self):
        for number in (1, 2):
            self.to_context(first=append_(self.add(number)))

    def last(self):
        if self.inputs.fails:
            return self.exit_codes.ERROR_ASKED_FOR
        return ToContext(last=self.add(sum(child.outputs.sum.value for child in self.ctx.first)))

    def end(self):
        self.out("sum", self.ctx.last.outputs.sum)

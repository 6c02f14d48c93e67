"""A process that goes on with `Continue` again and again. The unit is a step."""

from stopwatch import Stopwatch

from both.library import Continue, Process


class Plain(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("steps", valid_type=int)

    def run(self):
        self.left = self.inputs.steps
        return Continue(self.go_on)

    def go_on(self):
        self.left -= 1
        return Continue(self.go_on) if self.left else None


class Async(Plain):
    async def go_on(self):
        self.left -= 1
        return Continue(self.go_on) if self.left else None


BODIES = {"sync": Plain, "async": Async}


def continued(watch: Stopwatch, *, size: int, body: str) -> int:
    process = BODIES[body](inputs={"steps": size})
    with watch:
        process.execute()
    return size

"""A process whose step executes a process whose step executes a process. The unit is a level."""

from stopwatch import Stopwatch

from both.library import Process


class Nested(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("depth", valid_type=int)

    def run(self):
        if self.inputs.depth > 1:
            Nested(inputs={"depth": self.inputs.depth - 1}).execute()


def executed(watch: Stopwatch, *, size: int, depth: int) -> int:
    times = max(1, size // depth)
    with watch:
        for _ in range(times):
            process = Nested(inputs={"depth": depth})
            process.execute()
            if not process.has_terminated():
                raise AssertionError("the nested processes did not reach their end")
    return times * depth

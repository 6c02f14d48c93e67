"""Work chains: a loop of two steps, at any depth in `if_`, and outlines without a loop. The unit is a step."""

import functools

from stopwatch import Stopwatch

from both.library import WorkChain, if_, while_


class Loop(WorkChain):
    depth = 0

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("rounds", valid_type=int)
        body = while_(cls.more)(cls.first, cls.second)
        for _ in range(cls.depth):
            body = if_(cls.always)(body)
        spec.outline(body)

    def always(self):
        return True

    def more(self):
        return self.ctx.get("count", 0) < self.inputs.rounds

    def first(self):
        self.ctx.count = self.ctx.get("count", 0) + 1

    def second(self):
        pass


class Flat(WorkChain):
    length = 0

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(*[cls.pass_by] * cls.length)

    def pass_by(self):
        pass


@functools.cache
def loop_at(depth: int) -> type:
    return type(f"LoopAt{depth}", (Loop,), {"depth": depth})


@functools.cache
def flat_of(length: int) -> type:
    return type(f"FlatOf{length}", (Flat,), {"length": length})


def loop(watch: Stopwatch, *, size: int, depth: int) -> int:
    chain = loop_at(depth)(inputs={"rounds": size // 2})
    with watch:
        chain.execute()
    return size


def flat(watch: Stopwatch, *, size: int, length: int) -> int:
    chain_class = flat_of(length)
    chain_class.spec()
    times = max(1, size // length)
    with watch:
        for _ in range(times):
            chain_class().execute()
    return times * length

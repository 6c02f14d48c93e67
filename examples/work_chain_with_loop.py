"""A work chain: steps in an outline, with a loop, and a context that they share.

It prints:

    sqrt(2) by Heron's method
    after 5 rounds: 1.414213562373
"""

from typing import Any

from drupe import WorkChain, while_


class Heron(WorkChain):
    """The square root of a number, better in each round."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("number", valid_type=float)
        spec.input("tolerance", valid_type=float, default=1e-12)
        spec.output("root", valid_type=float)
        spec.output("rounds", valid_type=int)
        spec.outline(
            cls.guess,
            while_(cls.is_rough)(
                cls.improve,
            ),
            cls.tell,
        )

    def guess(self) -> None:
        """Start anywhere."""
        self.ctx.root, self.ctx.rounds = self.inputs.number, 0

    def is_rough(self) -> bool:
        """Look, and change nothing: a predicate may be asked again."""
        error: float = abs(self.ctx.root**2 - self.inputs.number)
        return error > self.inputs.tolerance

    def improve(self) -> None:
        """One round; the context is saved behind it."""
        self.ctx.root = (self.ctx.root + self.inputs.number / self.ctx.root) / 2
        self.ctx.rounds += 1

    def tell(self) -> None:
        """Emit what was found."""
        self.out("root", self.ctx.root)
        self.out("rounds", self.ctx.rounds)


if __name__ == "__main__":
    print("sqrt(2) by Heron's method")
    outputs = Heron({"number": 2.0}).execute()
    print(f"after {outputs.rounds} rounds: {outputs.root:.12f}")

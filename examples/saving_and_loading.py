"""A process as bytes: saved between two steps, carried anywhere, loaded where its class is at hand.

It prints:

    saved after 2 steps, in less than a kilobyte
    loaded: 2 of 4 done, tried by hand: yes
    both finish: 24 and 24
"""

import asyncio
from typing import Any

from drupe import Continue, Process, field, load, save


class Factorial(Process):
    """Multiplies, one factor a step."""

    by_hand: bool = field(False)  # a declared attribute is saved with the process

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("number", valid_type=int)
        spec.output("product", valid_type=int)

    def run(self) -> Continue:
        """Start with one."""
        return Continue(self.multiply, 1, product=1)

    def multiply(self, factor: int, product: int) -> Continue | None:
        """One factor; arguments of the next step are saved too."""
        if factor > self.inputs.number:
            self.out("product", product)
            return None
        self.set_status(f"{factor} of {self.inputs.number} done")
        return Continue(self.multiply, factor + 1, product=product * factor)


async def main() -> None:
    """Take two steps, save, load, and let both go on."""
    process = Factorial({"number": 4})
    process.by_hand = True
    for _ in range(4):  # into the first step, `run`, and two factors
        await process.step()
    saved = save(process)
    print(f"saved after 2 steps, in {'less' if len(saved) < 1000 else 'more'} than a kilobyte")

    twin = load(saved)
    print(f"loaded: {twin.status}, tried by hand: {'yes' if twin.by_hand else 'no'}")
    print(f"both finish: {(await process).product} and {(await twin).product}")


if __name__ == "__main__":
    asyncio.run(main())

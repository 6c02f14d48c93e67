"""The smallest process: one step, one output.

It prints:

    Hello, world
    the process is finished
"""

from typing import Any

from drupe import Process


class Hello(Process):
    """Greets."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output("greeting", valid_type=str)

    def run(self) -> None:
        """Say hello."""
        self.out("greeting", "Hello, world")


if __name__ == "__main__":
    process = Hello()
    outputs = process.execute()
    print(outputs.greeting)
    print(f"the process is {process.state}")

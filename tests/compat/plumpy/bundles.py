"""Holds plumpy's bundles to the contract of a saved form. A program: it tells what it looked at, as JSON."""

import asyncio
import json

import plumpy
from plumpy.persistence import BundleSaver

from drupe.testing.saver_contract import SaverContract


class Asks(plumpy.Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("answer", required=False)

    def run(self):
        return plumpy.Wait(self.tell)

    def tell(self, value):
        self.out("answer", value)


class Bundles(SaverContract):
    def saver(self):
        return BundleSaver()

    def process(self):
        return Asks()


def main():
    names = [name for name in dir(Bundles) if name.startswith("test_")]
    for name in names:
        asyncio.run(getattr(Bundles(), name)())
    print(json.dumps(names))


if __name__ == "__main__":
    import bundles  # classes are found again by module and name

    bundles.main()

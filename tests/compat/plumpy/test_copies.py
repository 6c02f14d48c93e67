"""The drop-in's deep copies are those of `copy.deepcopy`: equal, apart from what they are copies of, and shared within."""

import subprocess

from tests.compat.both import DROP_IN, command

PROGRAM = """
import copy, random
from plumpy import copies
from plumpy.utils import AttributesFrozendict

chance = random.Random(7)

class Own:
    def __init__(self, inner):
        self.inner = inner

    def __eq__(self, other):
        return type(other) is Own and other.inner == self.inner

def value(depth, seen):
    kind = chance.randrange(8) if depth else 7
    if seen and kind == 6:
        return chance.choice(seen)  # in several places
    made = {
        0: lambda: [value(depth - 1, seen) for _ in range(chance.randrange(4))],
        1: lambda: {str(chance.random()): value(depth - 1, seen) for _ in range(chance.randrange(4))},
        2: lambda: (value(depth - 1, seen), 1),
        3: lambda: Own(value(depth - 1, seen)),
        4: lambda: AttributesFrozendict({"a": value(depth - 1, seen)}),
        5: lambda: {(1, 2): {3}, frozenset([4]): int},
    }.get(kind, lambda: chance.choice([None, True, 3, 1.5, "text", b"bytes"]))()
    seen.append(made)
    return made

def shape(thing, places):
    '''Which places hold the same object: numbers in the order in which objects are met.'''
    parts = {
        list: lambda: thing, tuple: lambda: thing, dict: lambda: [*thing.values()], Own: lambda: [thing.inner],
        AttributesFrozendict: lambda: [*thing.values()],
    }.get(type(thing))
    if parts is None:
        return None
    number = places.setdefault(id(thing), len(places))
    return [number, *(shape(part, places) for part in parts())]

for _ in range(500):
    given = value(5, [])
    ours, stock = copies.deepcopy(given), copy.deepcopy(given)
    assert ours == stock == given
    assert shape(ours, {}) == shape(stock, {})
    assert type(given) not in (list, dict) or ours is not given

ring = [1]
ring.append({"ring": ring})
copied = copies.deepcopy(ring)
assert copied[1]["ring"] is copied is not ring

memo = {}
for number in range(1000):  # each of these lists is gone before the next one is made, in its place
    assert copies.deepcopy([number], memo) == [number]
print("equal")
"""


def test_deep_copies_are_those_of_the_standard_library():
    ended = subprocess.run(**command(DROP_IN, "-c", PROGRAM), capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "equal\n"

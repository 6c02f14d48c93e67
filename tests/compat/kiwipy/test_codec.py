"""The codec of the drop-in's messages writes and reads what PyYAML's own classes do."""

import subprocess
import sys

PROGRAM = """
import datetime, random, uuid, yaml
from kiwipy.rmq import codec, defaults

assert yaml.__with_libyaml__
assert codec.LOADER is not yaml.FullLoader and defaults.ENCODER is codec.encode

chance = random.Random(7)
LEAVES = [None, True, 0, -3, 2**70, 1.5, float("inf"), "", "text", "two\\nlines", "yes", "1", "ü", "x" * 300, "a: b",
          b"bytes", datetime.date(2020, 1, 2), (1, 2), {3}, "- no list", "~", " space "]

def value(depth):
    kind = chance.randrange(4) if depth else 3
    if kind == 0:
        return [value(depth - 1) for _ in range(chance.randrange(4))]
    if kind == 1:
        return {str(chance.random()): value(depth - 1) for _ in range(chance.randrange(4))}
    if kind == 2:
        return (value(depth - 1), value(depth - 1))
    return chance.choice(LEAVES)

for _ in range(500):
    given = value(4)
    stock = yaml.dump(given, encoding="utf-8")
    assert codec.decode(codec.encode(given)) == given
    assert yaml.load(codec.encode(given), Loader=yaml.FullLoader) == given
    assert codec.decode(stock) == given

class Own:
    pass

yaml.add_representer(Own, lambda dumper, own: dumper.represent_scalar("!own", "it"))
yaml.add_constructor("!own", lambda loader, node: Own())
assert isinstance(codec.decode(codec.encode([Own()]))[0], Own)

try:
    codec.decode(b"!!python/object/apply:os.system ['true']")
except yaml.YAMLError:
    print("refused")
"""


def test_the_codec_reads_and_writes_what_the_stock_does():
    path = {"PYTHONPATH": "compat/kiwipy/src:src"}
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, env=path)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "refused\n"

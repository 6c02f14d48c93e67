"""The stores do what the model says: random traces of it, made with a store's own methods, come to the same rows."""

from functools import partial
from random import Random

import pytest

from drupe.storage.memory import MemoryStore
from drupe.storage.sqlite import SqliteStore
from drupe.testing.clock import ManualClock
from tests.model.protocol import Ownership, Size
from tests.model.replay import Replay

STORES = {
    "memory": lambda _folder: MemoryStore,
    "sqlite": lambda folder: partial(SqliteStore, folder / "store.db", durability="process"),
}
SIZE = Size(workers=3, steps=3, kills=3, freezes=2, duplicates=2, losses=2)


async def replay(make, folder, seed):
    folder.mkdir()
    clock = ManualClock()
    store = make(folder)(clock=clock)
    await store.open()
    made = Replay(Ownership(SIZE), store, clock, Random(seed))
    try:
        await made.run(80)
    except BaseException as error:
        error.add_note(f"seed {seed}: " + "; ".join(" ".join(map(str, what)) for what in made.trace))
        raise
    finally:
        await store.close()
    return made.trace


@pytest.mark.untraced
@pytest.mark.slow
@pytest.mark.parametrize("name", STORES)
async def test_a_store_goes_the_way_of_the_model(name, tmp_path):
    seen = set()
    for seed in range(100):
        seen |= {what[0] for what in await replay(STORES[name], tmp_path / str(seed), seed)}

    assert seen >= {
        "claims",
        "claims, and hears no answer",
        "commits again, to no effect, step",
        "is refused step",
        "learns that it was declared dead, and ends",
        "whoever asked kills it in the store",
    }

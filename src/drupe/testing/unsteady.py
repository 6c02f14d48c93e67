"""A store that answers a little later than it could, so that what usually happens at once happens in any order."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from drupe.interfaces.store import Store

Late = Callable[..., Coroutine[Any, Any, Any]]


def _late(name: str) -> Late:
    async def method(self: "UnsteadyStore", *given: Any, **named: Any) -> Any:
        await self.dawdle()
        answer = await getattr(self.store, name)(*given, **named)
        await self.dawdle()
        return answer

    return method


class UnsteadyStore:
    """A `Store` around another one: before and after each request it lets the loop turn, as often as chance says.

    Args:
        store: what is asked in the end.
        seed: the same seed gives the same order of events.
        turns: how often the loop turns at most, each time.
    """

    def __init__(self, store: Store, seed: int, *, turns: int = 4) -> None:
        self.store = store
        self.tasks = store.tasks
        self.dialect = store.dialect
        self._turns = turns
        self._random = Random(seed)  # noqa: S311 (nothing is kept secret by it)

    async def dawdle(self) -> None:
        """Let the loop turn a few times."""
        for _ in range(self._random.randrange(self._turns + 1)):
            await asyncio.sleep(0)

    async def open(self) -> None:
        await self.store.open()

    async def close(self) -> None:
        await self.store.close()

    join: Late = _late("join")
    renew: Late = _late("renew")
    leave: Late = _late("leave")
    claim: Late = _late("claim")
    claim_many: Late = _late("claim_many")
    release: Late = _late("release")
    park: Late = _late("park")
    free: Late = _late("free")
    next_wake: Late = _late("next_wake")
    create: Late = _late("create")
    save: Late = _late("save")
    delete: Late = _late("delete")
    record: Late = _late("record")
    latest: Late = _late("latest")
    inputs: Late = _late("inputs")
    checkpoint: Late = _late("checkpoint")
    checkpoints: Late = _late("checkpoints")
    history: Late = _late("history")
    find: Late = _late("find")
    held: Late = _late("held")
    ask: Late = _late("ask")
    orders: Late = _late("orders")
    asked: Late = _late("asked")
    first_signal: Late = _late("first_signal")
    answer: Late = _late("answer")
    receipt: Late = _late("receipt")
    overrule: Late = _late("overrule")
    list: Late = _late("list")

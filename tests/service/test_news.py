"""Waiting for news of a process: hints are heard by those who wait, and by nobody else."""

import asyncio

from drupe.interfaces.hints import Hint
from drupe.service.news import News
from drupe.testing.communicator_contract_case import soon


class Told:
    """Hints, given by hand."""

    def __init__(self):
        self.heard = []
        self.times = 0

    def hear(self, heard):
        self.times += 1
        self.heard.append(heard)
        heard(Hint(more=True))
        return lambda: self.heard.remove(heard)


async def test_who_waits_for_nothing_does_not_listen_and_who_waits_does_once():
    hints = Told()
    news = News(None, hints)
    await news.open(None)
    assert hints.times == 0

    there = []

    async def look():
        return there[0] if there else None

    waiting = [asyncio.create_task(news.until("p", look)) for _ in range(2)]
    while not hints.heard:  # noqa: ASYNC110 (a turn of the loop)
        await asyncio.sleep(0)
    there.append("end")
    hints.heard[0](Hint(settled=frozenset({"p"})))
    assert await soon(asyncio.gather(*waiting)) == ["end", "end"]
    assert hints.times == 1

    await news.close()
    assert hints.heard == []

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


async def looking(news, found, **given):
    """Get a task that looks, and how often it has."""
    looks = []

    async def look():
        looks.append(len(looks))
        return found[0] if found else None

    return asyncio.create_task(news.until("task", look, **given)), looks


async def test_what_is_answered_elsewhere_is_not_looked_for_at_once():
    """Nobody tells: the first look comes after the poll interval."""
    news = News(3600.0)
    waiting, looks = await looking(news, ["end"], answered=True)
    for _ in range(10):
        await asyncio.sleep(0)
    assert looks == []
    news.stir("task")
    assert await soon(waiting) == "end"


async def test_where_there_are_hints_one_may_have_been_missed_so_it_is_looked_for_soon():
    news = News(3600.0, Told())
    for _ in range(2):  # the first one is told at once that some may have been
        waiting, _ = await looking(news, ["end"], answered=True)
        assert await soon(waiting) == "end"


async def test_there_may_be_news_by_any_of_its_names_and_none_is_left_over():
    news, found = News(None), []
    waiting, looks = await looking(news, found, also=("pid",))
    for name in ("pid", "task"):
        before = len(looks)
        while len(news._waiting) != 2:  # noqa: ASYNC110 (a turn of the loop)
            await asyncio.sleep(0)
        while len(looks) == before:
            news.stir(name)
            await asyncio.sleep(0)
    found.append("end")
    news.stir("pid")
    assert await soon(waiting) == "end"
    assert news._waiting == {}

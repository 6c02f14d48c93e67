"""The writing side: what is ready together is committed together, one statement for each kind of write.

A write of this package looks first, at rows that it has locked, and changes nothing for a request that it refuses, so
one that is refused leaves nothing behind in the transaction it shares. For what cannot be foreseen (a value PostgreSQL
does not take, somebody else who was in between) the whole batch is rolled back and each request tried again alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import psycopg

from drupe.core.record import Retention
from drupe.errors import StoreError
from drupe.interfaces.ambient import Clock, Probe
from drupe.storage.postgres.failure import RACES, translate
from drupe.storage.postgres.notice import Notice, sent
from drupe.storage.postgres.session import Session

_TRIES: Final = 8
"""So often a request is tried that meets others who write the same rows."""

Cursor = psycopg.Cursor[tuple[Any, ...]]


class Touched(NamedTuple):
    """Names of what a request is about; requests that touch the same are done one after the other.

    Attributes:
        alone: what nobody else may have looked at or changed in the same statement.
        shared: what must only not be changed in it.
    """

    alone: Sequence[str]
    shared: Sequence[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """A kind of write.

    Attributes:
        run: writes what is asked for, in order, and gets an answer for each; one that is a `StoreError` refuses it.
        touches: what a request is about; None: it may be anything.
        whole: whether, for these requests, all is one statement, which needs no transaction around it.
    """

    run: Callable[["Transaction", Sequence[Any]], Sequence[object]]
    touches: Callable[[Any], Touched | None]
    whole: Callable[[Sequence[Any]], bool] = lambda _: False


Request = tuple[Write, Any]


class Transaction:
    """What a write works with.

    Attributes:
        execute: runs one statement.
        again: the request, which is alone then, may have been committed before, and its answer lost.
        lost: that answer, if so.
        notice: what other programs are told of it once it is committed.
        channel: where they are told; None: they are not.
        show: has everybody see that who has this name lives, as long as the connection is there.
        clock: what tells the time instead of the database, in tests.
    """

    __slots__ = ("again", "channel", "clock", "execute", "lost", "max_bytes", "notice", "retention", "show")

    def __init__(
        self, clock: Clock | None, retention: Retention, max_bytes: int, *, channel: str | None = None
    ) -> None:
        self.execute: Callable[..., Cursor]
        self.show: Callable[[str], None]
        self.again = False
        self.lost: object = None
        self.clock = clock
        self.retention = retention
        self.max_bytes = max_bytes
        self.channel = channel
        self.notice = Notice()

    @property
    def time(self) -> float | None:
        """The time that leases and delays are counted by; None: the database's."""
        return None if self.clock is None else self.clock.steady()

    @property
    def now(self) -> float | None:
        """The time of day; None: the database's."""
        return None if self.clock is None else self.clock.now()


NOW: Final = "coalesce(%(time)s::float8, extract(epoch FROM clock_timestamp())::float8)"
"""The time that leases and delays are counted by, in a statement that gets `Transaction.time` by the name ``time``."""


class Committer:
    """The work of the writing thread: one transaction for each batch of requests.

    Args:
        session: the connection.
        transaction: what the writes are given.
        probe: passed at each place of the writing.
        eager: whether it connects before anything is asked.
    """

    def __init__(self, session: Session, *, transaction: Transaction, probe: Probe, eager: bool = True) -> None:
        self._session = session
        self._eager = eager
        self._transaction = transaction
        transaction.show = session.show
        self._probe = probe
        self._begun = self._sealed = self._committed = False
        self._answers: list[object] = []

    def begin(self) -> None:
        """Connect.

        Raises:
            StoreError: it cannot be reached, or is no store.
        """
        if self._eager:
            self._session.begin()
        else:
            self._session.be_ready()

    def end(self) -> None:
        """Let go of the connection; what is not committed is gone."""
        self._session.end()

    def answer(self, batch: Sequence[Request], /) -> list[object]:
        """Commit what is asked for and get the answers; a refusal or failure is an answer, too.

        A database that is away is waited for, as long as the session has patience.
        """
        tries = self._session.tries()
        while True:
            try:
                return self._commit(batch)
            except Exception as error:  # noqa: BLE001 (translated, and given to whoever asked)
                doubt, lost = self._recover()
                if not self._begun or (lost and not self._may_return(error, tries)):
                    return [translate(error, self._session.where) for _ in batch]
                if lost and not doubt:
                    continue
                if len(batch) == 1 and not doubt and not isinstance(error, RACES):
                    return [translate(error, self._session.where)]
                break
        answers = self._answers if doubt else [None] * len(batch)
        return [
            self._alone(request, answer, tries, again=doubt) for request, answer in zip(batch, answers, strict=True)
        ]

    def _commit(self, batch: Sequence[Request]) -> list[object]:
        probe, transaction = self._probe, self._transaction
        self._begun = self._sealed = self._committed = False
        answers: list[object] = [None] * len(batch)
        self._answers = answers
        probe("store.begin")
        self._begun = True
        wanted = []
        for number in range(len(batch)):
            try:
                probe("store.apply")
                wanted.append(number)
            except StoreError as refusal:
                answers[number] = refusal
        transaction.notice = Notice()
        transaction.execute = execute = self._session.connected().execute
        groups = list(_grouped(batch, wanted))
        if len(groups) == 1 and groups[0][0].whole([batch[number][1] for number in groups[0][1]]):
            self._seal()
            self._run(batch, *groups[0])
        else:
            execute("BEGIN", prepare=False)
            for write, numbers in groups:
                self._run(batch, write, numbers)
            self._seal()
            execute(self._last(), prepare=False)
        self._committed = True
        probe("store.committed")
        return answers

    def _last(self) -> str:
        """Get what ends the transaction. Others are told by it, and only of what is committed."""
        channel, text = self._transaction.channel, self._transaction.notice.text()
        return "COMMIT" if channel is None or text is None else f"{sent(channel, text)}; COMMIT"

    def _run(self, batch: Sequence[Request], write: Write, numbers: Sequence[int]) -> None:
        found = write.run(self._transaction, [batch[number][1] for number in numbers])
        for number, answer in zip(numbers, found, strict=True):
            self._answers[number] = answer

    def _seal(self) -> None:
        self._probe("store.commit")
        self._sealed = True

    def _alone(self, request: Request, lost: object, tries: Iterator[bool], *, again: bool) -> object:
        """Get the answer to one request of a batch that failed.

        If nobody can say whether the batch was committed, asking again does: a write that finds itself done
        succeeds and changes nothing. What was refused wrote nothing either way, and stays refused.
        """
        transaction = self._transaction
        races = 0
        while not isinstance(lost, StoreError):
            transaction.again, transaction.lost = again, lost
            try:
                return self._commit([request])[0]
            except Exception as error:  # noqa: BLE001 (translated, and given to whoever asked)
                doubt, gone = self._recover()
                if doubt and not again:
                    again, lost = True, self._answers[0]
                elif isinstance(error, RACES) and races < _TRIES:
                    races += 1
                elif not gone or not self._may_return(error, tries):
                    return translate(error, self._session.where)
            finally:
                transaction.again, transaction.lost = False, None
        return lost

    def _may_return(self, error: Exception, tries: Iterator[bool]) -> bool:
        """Whether the database may be back by now; it was waited for."""
        return not isinstance(error, StoreError) and next(tries, False)

    def _recover(self) -> tuple[bool, bool]:
        """Leave the transaction; whether it may have been committed in spite of the error, and the connection is lost."""
        lost = self._session.recover()
        return self._committed or (self._sealed and lost), lost


def _grouped(batch: Sequence[Request], wanted: Sequence[int]) -> Iterator[tuple[Write, list[int]]]:
    """Get requests of one kind together, as far as nobody can tell that they were not done in order."""
    waves: dict[Write, list[int]] = {}
    alone: set[str] = set()
    shared: set[str] = set()
    for number in wanted:
        write, argument = batch[number]
        touched = write.touches(argument)
        if (
            touched is None
            or not (alone.isdisjoint(touched.alone) and shared.isdisjoint(touched.alone))
            or (touched.shared and not alone.isdisjoint(touched.shared))
        ):
            yield from waves.items()
            waves = {}
            alone.clear()
            shared.clear()
        if touched is None:
            yield write, [number]
            continue
        waves.setdefault(write, []).append(number)
        alone.update(touched.alone)
        shared.update(touched.shared)
    yield from waves.items()


def one_by_one(
    write: Callable[[Transaction, Any], object],
) -> Callable[[Transaction, Iterable[Any]], Sequence[object]]:
    """Get what does requests one after the other, for those that come seldom; each refuses before it changes anything."""

    def run(tx: Transaction, asked: Iterable[Any]) -> Sequence[object]:
        answers: list[object] = []
        for argument in asked:
            try:
                answers.append(write(tx, argument))
            except StoreError as refusal:
                answers.append(refusal)
        return answers

    return run

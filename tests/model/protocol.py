"""How processes are owned, as a model that is small enough to be searched completely.

One process of some steps, a few workers, one store. The launch lies in a queue until the process is committed; a claim
raises the epoch; a checkpoint needs the epoch and the number before it; the first step makes a child, for which the
last one waits; somebody may have the process killed. Workers are killed, or frozen for longer than their lease and go
on later; messages come twice or not at all, and so do the store's answers.

What is promised is in `Ownership._commit` and the two functions below it, and that no state is stuck: whatever
happened, the end can be reached without a fault, and without anybody who is frozen. Each of `MUTATIONS` takes one part
of the protocol away; each breaks a promise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from tests.model.search import Move

UP, FROZEN, DOWN = range(3)
IDLE, HELD, GONE, SERVED, SERVED_GONE = range(5)
"""Of a worker's task: none; held; held, but it went back to the queue meanwhile; served and to be acknowledged; likewise."""
READY, RAN, OWES = range(3)
"""Of the process in a worker's hands: the next step is to begin; it ran, and is to be committed; something is left to write."""
UNBORN, BORN, ENDED = range(3)
"""Of the child."""
UNASKED, ASKED, ANSWERED = range(3)
"""Of the order to kill."""
NOBODY: Final = -1
DEAD: Final = -2
"""As owner in the row: an interpreter that was killed."""

MUTATIONS: Final = {
    "fencing": "a checkpoint is written whatever the epoch of the row is",
    "sequence check": "a checkpoint is written whatever the number of the one before is",
    "sweep": "nobody looks for processes that nobody runs",
    "kept task": "a task is acknowledged when it is taken, not when its process is committed",
    "outbox": "a child is written after the step that made it, not with it",
    "answer in the change": "what was asked for is answered after the change that it brings about, not with it",
    "write, then tell": "a step is told of before it is committed",
    "look at one's own": "the sweep passes by what the store says is one's own, though one does not have it",
}


class Hand(NamedTuple):
    """The process as a worker has it at hand."""

    epoch: int
    seq: int
    phase: int


class Worker(NamedTuple):
    """A worker, and what it believes."""

    status: int = UP
    joined: bool = True
    """Whether the store knows it as an owner."""
    hand: Hand | tuple[()] = ()
    task: int = IDLE


class Row(NamedTuple):
    """The process as the store has it."""

    epoch: int
    seq: int
    owner: int
    over: bool = False


class Left(NamedTuple):
    """The faults that may still happen."""

    kills: int
    freezes: int
    duplicates: int
    losses: int
    orders: int


class State(NamedTuple):
    """All there is."""

    row: Row | None
    free: int
    """Copies of the task that lie in the queue."""
    orphaned: int
    """Copies that a dead worker held; they come back."""
    workers: tuple[Worker, ...]
    child: int
    order: int
    left: Left


@dataclass(frozen=True)
class Size:
    """How large the model is, and how much may go wrong in it."""

    workers: int = 2
    steps: int = 2
    kills: int = 2
    freezes: int = 1
    duplicates: int = 1
    losses: int = 1
    orders: int = 1


class Ownership:
    """The protocol.

    Args:
        size: how large.
        without: the part that is taken away, one of `MUTATIONS`.
    """

    def __init__(self, size: Size, without: str = "") -> None:
        assert size.freezes < size.workers, "one at least is never frozen"
        self.size = size
        self._without = without
        self._last = 1 + size.steps

    def start(self) -> State:
        """The launch was put into the queue."""
        size = self.size
        left = Left(size.kills, size.freezes, size.duplicates, size.losses, size.orders)
        return State(None, 1, 0, (Worker(),) * size.workers, UNBORN, UNASKED, left)

    def is_over(self, state: State) -> bool:
        """The process has ended, and whoever asked for something has an answer."""
        return state.row is not None and state.row.over and state.order != ASKED

    def canonical(self, state: State) -> State:
        """Workers differ in nothing but their names."""
        row, workers = state.row, state.workers
        owner = NOBODY if row is None else row.owner
        order = sorted(range(len(workers)), key=lambda i: (workers[i], i == owner))
        if row is not None and owner >= 0:
            row = Row(row.epoch, row.seq, order.index(owner), row.over)
        return state._replace(row=row, workers=tuple(workers[i] for i in order))

    def moves(self, state: State) -> Iterator[Move[State]]:
        """All that may happen next."""
        for i, worker in enumerate(state.workers):
            if worker.status == UP:
                yield from self._serve(state, i, worker)
                yield from self._run(state, i, worker)
                yield from self._look_around(state, i, worker)
                yield from self._fail(state, i, worker)
            elif worker.status == FROZEN:
                yield from self._stay_frozen(state, i, worker)
            else:
                yield Move(("starts again", i), _put(state, i, Worker()))
        yield from self._surroundings(state)

    # --- a worker and its task -------------------------------------------------------------------------------

    def _serve(self, state: State, i: int, worker: Worker) -> Iterator[Move[State]]:
        if worker.task == IDLE:
            if state.free:
                task = GONE if self._without == "kept task" else HELD
                taken = state._replace(free=state.free - 1)
                yield Move(("takes the task", i), _put(taken, i, worker._replace(task=task)))
        elif worker.task in (SERVED, SERVED_GONE):
            yield Move(("acknowledges the task", i), _put(state, i, worker._replace(task=IDLE)))
        elif not worker.joined:
            back = state._replace(free=state.free + (worker.task == HELD))
            yield Move(("puts the task back", i), _put(back, i, worker._replace(task=IDLE)))
        else:
            served = _put(state, i, worker._replace(task=SERVED if worker.task == HELD else SERVED_GONE))
            if state.row is None:
                yield from self._create(state, served, i)
            else:
                if worker.hand or self._is_elsewhere(state.row, i):
                    yield Move(("has nothing to do for the task", i), served)
                yield from self._claim(state, served, i, "for the task")

    def _create(self, state: State, served: State, i: int) -> Iterator[Move[State]]:
        row = Row(1, 1, i)
        yield Move(("creates", i), _hand(served._replace(row=row), i, Hand(1, 1, READY)))
        if state.left.losses:  # it asks again
            yield Move(("creates, and hears no answer", i), _lose(state._replace(row=row)), helps=False)

    def _is_elsewhere(self, row: Row, i: int) -> bool:
        return row.over or (row.owner >= 0 and row.owner != i)

    def _claim(self, state: State, claimed: State, i: int, why: str) -> Iterator[Move[State]]:
        """A row that nobody holds, whose owner is dead or frozen for longer than its lease, or that is one's own."""
        row, worker = state.row, state.workers[i]
        assert row is not None
        owner = row.owner
        if row.over or worker.hand or (owner >= 0 and owner != i and state.workers[owner].status != FROZEN):
            return
        now = Row(row.epoch + 1, row.seq, i)
        if owner >= 0 and owner != i:  # it is buried
            buried = state.workers[owner]._replace(joined=False)
            claimed, state = _put(claimed, owner, buried), _put(state, owner, buried)
        yield Move(("claims", i, why), _hand(claimed._replace(row=now), i, Hand(now.epoch, now.seq, READY)))
        if state.left.losses:
            yield Move(("claims, and hears no answer", i, why), _lose(state._replace(row=now)), helps=False)

    # --- a worker and the process in its hands ---------------------------------------------------------------

    def _run(self, state: State, i: int, worker: Worker) -> Iterator[Move[State]]:
        hand, row = worker.hand, state.row
        if not hand or row is None:
            return
        if hand.phase == RAN:
            yield from self._commit(state, i, hand, row)
        elif hand.phase == OWES:
            yield from self._pay(state, i, hand, row)
        else:
            if hand.seq < self._last - 1 or state.child == ENDED:  # the last step waits for the child
                told = self._without == "write, then tell" and row[:2] != hand[:2]
                broken = f"step {hand.seq} is told of, and will never be committed" if told else ""
                yield Move(("takes step", i, hand.seq), _hand(state, i, hand._replace(phase=RAN)), broken=broken)
            if state.order == ASKED:
                yield from self._kill(state, i, hand, row)

    def _commit(self, state: State, i: int, hand: Hand, row: Row) -> Iterator[Move[State]]:
        """A checkpoint: epoch, number, and what the step owes, or nothing."""
        if self._is_written_already(hand, row):
            over = hand.seq + 1 == self._last
            yield Move(("commits again, to no effect, step", i, hand.seq), _went_on(state, i, hand, over=over))
            return
        if not self._may_write(hand, row):
            yield Move(("is refused step", i, hand.seq), _hand(state, i, ()))
            return
        broken = _broken(hand, row)
        seq = row.seq + 1
        over = seq == self._last
        child, phase = state.child, READY
        if hand.seq == 1 and child == UNBORN:
            if self._without == "outbox":
                phase = OWES
            else:
                child = BORN
        order = ANSWERED if over and state.order == ASKED else state.order  # the last word
        now = state._replace(row=Row(row.epoch, seq, NOBODY if over else row.owner, over), child=child, order=order)
        yield Move(
            ("commits step", i, hand.seq), _went_on(now, i, hand, over=over, phase=phase), helps=True, broken=broken
        )
        if state.left.losses:
            yield Move(("commits, and hears no answer, step", i, hand.seq), _lose(now), helps=False, broken=broken)

    def _may_write(self, hand: Hand, row: Row) -> bool:
        return (
            not row.over
            and (row.epoch == hand.epoch or self._without == "fencing")
            and (row.seq == hand.seq or self._without == "sequence check")
            and row.owner != NOBODY
        )

    def _is_written_already(self, hand: Hand, row: Row) -> bool:
        """The last change saved again succeeds and does nothing."""
        return self._without != "sequence check" and (row.epoch, row.seq) == (hand.epoch, hand.seq + 1)

    def _kill(self, state: State, i: int, hand: Hand, row: Row) -> Iterator[Move[State]]:
        """What was asked for is answered by the change that it brings about."""
        if row.over or row[:2] != hand[:2] or row.owner == NOBODY:
            yield Move(("is refused the kill", i), _hand(state, i, ()))
            return
        now = state._replace(row=Row(row.epoch, row.seq + 1, NOBODY, over=True))
        if self._without == "answer in the change":
            yield Move(("kills it", i), _hand(now, i, hand._replace(phase=OWES)))
        else:
            yield Move(("kills it", i), _hand(now._replace(order=ANSWERED), i, ()))

    def _pay(self, state: State, i: int, hand: Hand, row: Row) -> Iterator[Move[State]]:
        """Only without the outbox: what did not go into the change is written after it."""
        if row.over:
            yield Move(("answers the order", i), _hand(state._replace(order=ANSWERED), i, ()))
        elif row.epoch != hand.epoch:
            yield Move(("is refused the child", i), _hand(state, i, ()))
        else:
            yield Move(("writes the child", i), _hand(state._replace(child=BORN), i, hand._replace(phase=READY)))

    # --- what a worker sees around it ------------------------------------------------------------------------

    def _look_around(self, state: State, i: int, worker: Worker) -> Iterator[Move[State]]:
        row, hand = state.row, worker.hand
        if not worker.joined:
            freed = state._replace(free=state.free + (worker.task in (HELD, SERVED)))
            yield Move(("learns that it was declared dead, and ends", i), _put(freed, i, Worker(DOWN, joined=False)))
        elif hand and row is not None and hand.epoch != row.epoch:
            yield Move(("learns that it is not the owner any more", i), _hand(state, i, ()))
        elif not hand and row is not None and self._is_swept(row, i):
            yield from self._claim(state, state, i, "in a sweep")
        if state.child == BORN and worker.joined:
            yield Move(("runs the child to its end", i), state._replace(child=ENDED))

    def _is_swept(self, row: Row, i: int) -> bool:
        return self._without != "sweep" and (row.owner != i or self._without != "look at one's own")

    # --- faults ----------------------------------------------------------------------------------------------

    def _fail(self, state: State, i: int, worker: Worker) -> Iterator[Move[State]]:
        left = state.left
        if left.kills:
            yield self._killed(state, i, worker)
        if left.freezes:
            frozen = _put(state, i, worker._replace(status=FROZEN))
            yield Move(("is frozen", i), frozen._replace(left=left._replace(freezes=left.freezes - 1)), helps=False)

    def _killed(self, state: State, i: int, worker: Worker) -> Move[State]:
        row, left = state.row, state.left
        if row is not None and row.owner == i:
            row = row._replace(owner=DEAD)
        orphaned = state.orphaned + (worker.task in (HELD, SERVED))
        dead = state._replace(row=row, orphaned=orphaned, left=left._replace(kills=left.kills - 1))
        return Move(("is killed", i), _put(dead, i, Worker(DOWN, joined=False)), helps=False)

    def _stay_frozen(self, state: State, i: int, worker: Worker) -> Iterator[Move[State]]:
        yield Move(("goes on", i), _put(state, i, worker._replace(status=UP)), helps=False)
        if state.left.kills:
            yield self._killed(state, i, worker)
        if worker.task in (HELD, SERVED):  # a broker that hears no heartbeat
            given = state._replace(free=state.free + 1)
            yield Move(("loses its task to the queue", i), _put(given, i, worker._replace(task=worker.task + 1)))

    def _surroundings(self, state: State) -> Iterator[Move[State]]:
        row, left = state.row, state.left
        if state.orphaned:
            yield Move(
                ("a dead worker's task comes back",), state._replace(free=state.free + 1, orphaned=state.orphaned - 1)
            )
        if left.duplicates and (state.free or row is not None):
            more = state._replace(free=state.free + 1, left=left._replace(duplicates=left.duplicates - 1))
            yield Move(("the task comes twice",), more, helps=False)
        if row is None:
            return
        if state.free and left.losses:  # a launch is kept until the process is there; from then on a task is a hint
            yield Move(("a task is lost",), _lose(state._replace(free=state.free - 1)), helps=False)
        if left.orders:
            asked = state._replace(order=ANSWERED if row.over else ASKED, left=left._replace(orders=left.orders - 1))
            yield Move(("somebody asks for a kill",), asked, helps=False)
        if state.order == ASKED and not row.over and self._is_left(state, row):
            now = Row(row.epoch + 1, row.seq + 1, NOBODY, over=True)
            workers = state.workers
            if row.owner >= 0:
                workers = _put(state, row.owner, workers[row.owner]._replace(joined=False)).workers
            yield Move(
                ("whoever asked kills it in the store",), state._replace(row=now, order=ANSWERED, workers=workers)
            )

    def _is_left(self, state: State, row: Row) -> bool:
        return row.owner < 0 or state.workers[row.owner].status == FROZEN


def _broken(hand: Hand, row: Row) -> str:
    if hand.epoch != row.epoch:
        return f"a write with epoch {hand.epoch}, and the row has epoch {row.epoch}"
    if hand.seq != row.seq:
        return f"step {hand.seq} is committed twice"
    return ""


def _went_on(state: State, i: int, hand: Hand, *, over: bool, phase: int = READY) -> State:
    return _hand(state, i, () if over else Hand(hand.epoch, hand.seq + 1, phase))


def _lose(state: State) -> State:
    left = state.left
    return state._replace(left=left._replace(losses=left.losses - 1))


def _hand(state: State, i: int, hand: Hand | tuple[()]) -> State:
    return _put(state, i, state.workers[i]._replace(hand=hand))


def _put(state: State, i: int, worker: Worker) -> State:
    workers = state.workers
    return state._replace(workers=(*workers[:i], worker, *workers[i + 1 :]))

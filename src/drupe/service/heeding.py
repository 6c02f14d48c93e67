"""What workers do about the hints of a store: they look, and so do at once what they would do a poll interval later."""

from collections.abc import Callable

from drupe.interfaces.hints import Hint, Hints
from drupe.runtime import bridge
from drupe.service.worker import Worker


def heed_work(hints: Hints, worker: Worker) -> Callable[[], None]:
    """Have a worker look for what nobody holds when there may be something; get what ends that. On the worker's loop."""
    loop = bridge.current_loop()
    assert loop is not None  # noqa: S101 (as is said)

    def heard(hint: Hint) -> None:
        if hint.timed or hint.more:
            bridge.hop(loop, worker.look_for_times)
        elif hint.free:
            bridge.hop(loop, worker.stir)

    return hints.hear(heard)

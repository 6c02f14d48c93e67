"""The controller for plain code: the same one, on a thread and loop of its own, behind calls that block.

Nothing is done twice: each method hands the controller's own over to the thread, and waits.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final, Self, TypeVar

from drupe.core.attributes import FrozenAttributes
from drupe.core.order import Receipt
from drupe.core.record import Query, Record
from drupe.core.status import Lack, Status
from drupe.engine.process import Process
from drupe.errors import ClosedError, LoopError
from drupe.interfaces.communicator import DEADLINE, DEFAULT_QUEUE
from drupe.runtime import bridge
from drupe.runtime.errand import Errands
from drupe.service.controller import Controller
from drupe.service.launching import Launch
from drupe.service.ordering import Handle

T = TypeVar("T")

_NAME: Final = "drupe-controller"


class BlockingHandle:
    """An order that was given; see `drupe.service.ordering.Handle`."""

    def __init__(self, controller: "BlockingController", handle: Handle) -> None:
        self._controller = controller
        self._handle = handle
        self.below = tuple(BlockingHandle(controller, below) for below in handle.below)

    @property
    def receipt(self) -> Receipt:
        """What is known of it."""
        return self._handle.receipt

    def settled(self, *, deadline: float | None = DEADLINE) -> Receipt:
        """Wait for the final answer; see `Handle.settled`."""
        return self._controller.call(lambda _: self._handle.settled(deadline=deadline))


class BlockingLaunch:
    """Something that a worker was asked to run; see `drupe.service.launching.Launch`.

    Attributes:
        pid: the process.
    """

    def __init__(self, controller: "BlockingController", launch: Launch) -> None:
        self._controller = controller
        self._launch = launch
        self.pid = launch.pid

    def taken(self, *, deadline: float | None = DEADLINE) -> None:
        """Wait until a worker runs it; see `Launch.taken`."""
        self._controller.call(lambda _: self._launch.taken(deadline=deadline))

    def result(self, *, deadline: float | None = DEADLINE) -> Any:
        """Wait for the outputs; see `Launch.result`."""
        return self._controller.call(lambda _: self._launch.result(deadline=deadline))


class BlockingController:
    """A controller for plain code, usable from every thread but its own; a context manager.

    Each method takes, gives and raises what the one of `Controller` does.

    Args:
        make: makes the controller, called on the thread: ``lambda: open_controller(settings)``.
        name: name of the thread.
    """

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[Controller]], *, name: str = _NAME) -> None:
        self._make = make
        self._thread = bridge.new_thread(self._run, name=name)
        self._controller: Controller | None = None
        self._errands: Errands | None = None
        self._ready: Future[None] = Future()
        self._end: Callable[[], object] = lambda: None

    # --- its life --------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Start the thread, and return when the controller is there.

        Raises:
            BaseException: what making it raised.
        """
        self._thread.start()
        self._ready.result()
        return self

    def __exit__(self, *_: object) -> None:
        self._refuse_own_thread()
        self._end()
        self._thread.join()

    def call(self, work: Callable[[Controller], Coroutine[Any, Any, T]]) -> T:
        """Have ``work(controller)`` run on the thread, and get its result.

        Raises:
            LoopError: this is the controller's own thread, which would wait for itself.
            ClosedError: it is not open.
        """
        self._refuse_own_thread()
        controller, errands = self._controller, self._errands
        if controller is None or errands is None:
            raise _closed()
        future: Future[T] = errands.send(lambda: work(controller))
        try:
            return future.result()
        except BaseException:  # an interrupt: nobody waits any more
            future.cancel()
            raise

    def _refuse_own_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise LoopError("this is the controller's own thread, which would wait for itself; await its `Controller`")

    # --- having workers run something -------------------------------------------------------------------------

    def launch(
        self,
        process_class: type[Process] | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        pid: str | None = None,
        queue: str = DEFAULT_QUEUE,
        deadline: float | None = DEADLINE,
    ) -> BlockingLaunch:
        """See `Controller.launch`."""
        return BlockingLaunch(
            self, self.call(lambda one: one.launch(process_class, inputs, pid=pid, queue=queue, deadline=deadline))
        )

    def execute(
        self,
        process_class: type[Process] | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        pid: str | None = None,
        queue: str = DEFAULT_QUEUE,
        deadline: float | None = DEADLINE,
    ) -> Any:
        """See `Controller.execute`."""
        return self.call(lambda one: one.execute(process_class, inputs, pid=pid, queue=queue, deadline=deadline))

    def continue_(self, pid: str, *, queue: str = DEFAULT_QUEUE, deadline: float | None = DEADLINE) -> BlockingLaunch:
        """See `Controller.continue_`."""
        return BlockingLaunch(self, self.call(lambda one: one.continue_(pid, queue=queue, deadline=deadline)))

    # --- verbs -----------------------------------------------------------------------------------------------

    def pause(
        self,
        pid: str,
        reason: str | None = None,
        *,
        cascade: bool = False,
        deadline: float | None = DEADLINE,
        id: str | None = None,
    ) -> BlockingHandle:
        """See `Controller.pause`."""
        return self._one(lambda one: one.pause(pid, reason, cascade=cascade, deadline=deadline, id=id))

    def play(
        self, pid: str, *, cascade: bool = False, deadline: float | None = DEADLINE, id: str | None = None
    ) -> BlockingHandle:
        """See `Controller.play`."""
        return self._one(lambda one: one.play(pid, cascade=cascade, deadline=deadline, id=id))

    def kill(
        self,
        pid: str,
        reason: str | None = None,
        *,
        force: bool = False,
        cascade: bool = False,
        deadline: float | None = DEADLINE,
        id: str | None = None,
    ) -> BlockingHandle:
        """See `Controller.kill`."""
        return self._one(lambda one: one.kill(pid, reason, force=force, cascade=cascade, deadline=deadline, id=id))

    def signal(
        self, pid: str, name: str, payload: Any = None, *, deadline: float | None = DEADLINE, id: str | None = None
    ) -> BlockingHandle:
        """See `Controller.signal`."""
        return self._one(lambda one: one.signal(pid, name, payload, deadline=deadline, id=id))

    def retry(self, pid: str, *, deadline: float | None = DEADLINE) -> Record:
        """See `Controller.retry`."""
        return self.call(lambda one: one.retry(pid, deadline=deadline))

    def signal_all(
        self, name: str, payload: Any = None, query: Query | None = None, *, deadline: float | None = DEADLINE
    ) -> list[BlockingHandle]:
        """See `Controller.signal_all`."""
        return self._all(lambda one: one.signal_all(name, payload, query, deadline=deadline))

    def pause_all(
        self, query: Query | None = None, reason: str | None = None, *, deadline: float | None = DEADLINE
    ) -> list[BlockingHandle]:
        """See `Controller.pause_all`."""
        return self._all(lambda one: one.pause_all(query, reason, deadline=deadline))

    def play_all(self, query: Query | None = None, *, deadline: float | None = DEADLINE) -> list[BlockingHandle]:
        """See `Controller.play_all`."""
        return self._all(lambda one: one.play_all(query, deadline=deadline))

    def kill_all(
        self,
        query: Query | None = None,
        reason: str | None = None,
        *,
        force: bool = False,
        deadline: float | None = DEADLINE,
    ) -> list[BlockingHandle]:
        """See `Controller.kill_all`."""
        return self._all(lambda one: one.kill_all(query, reason, force=force, deadline=deadline))

    # --- looking ---------------------------------------------------------------------------------------------

    def status(self, pid: str, *, deadline: float | None = DEADLINE) -> Status:
        """See `Controller.status`."""
        return self.call(lambda one: one.status(pid, deadline=deadline))

    def lack(self, queue: str = DEFAULT_QUEUE, *, deadline: float | None = DEADLINE) -> Lack | None:
        """See `Controller.lack`."""
        return self.call(lambda one: one.lack(queue, deadline=deadline))

    def wait(self, pid: str, *, deadline: float | None = None) -> FrozenAttributes:
        """See `Controller.wait`."""
        return self.call(lambda one: one.wait(pid, deadline=deadline))

    def _one(self, work: Callable[[Controller], Coroutine[Any, Any, Handle]]) -> BlockingHandle:
        return BlockingHandle(self, self.call(work))

    def _all(self, work: Callable[[Controller], Coroutine[Any, Any, list[Handle]]]) -> list[BlockingHandle]:
        return [BlockingHandle(self, handle) for handle in self.call(work)]

    # --- the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)
        finally:
            self._controller = None
            if self._errands is not None:
                self._errands.fail_all()

    async def _live(self) -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with self._make() as self._controller:
            self._errands = Errands(loop, cancelled=_closed, gone=_closed)
            self._end = partial(bridge.hop, loop, over.set)
            self._ready.set_result(None)
            await over.wait()


def _closed() -> ClosedError:
    return ClosedError("this controller is not open (any more)")

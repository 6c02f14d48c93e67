"""Futures between threads, which are those of the standard library, and what joins them."""

import concurrent.futures
import contextlib
from collections.abc import Iterator
from typing import Any

__all__ = ("CancelledError", "Future", "as_completed", "capture_exceptions", "chain", "copy_future", "wait")

CancelledError = concurrent.futures.CancelledError
Future = concurrent.futures.Future
wait = concurrent.futures.wait
as_completed = concurrent.futures.as_completed


def copy_future(source: "Future[Any]", target: "Future[Any]") -> None:
    """Give ``target`` the outcome of ``source``, which is done; a target that is done keeps its own."""
    if target.done():
        return
    if source.cancelled():
        target.cancel()
        return
    with capture_exceptions(target):
        target.set_result(source.result())


def chain(source: "Future[Any]", target: "Future[Any]") -> None:
    """Have ``target`` end as ``source`` does, unless it ends before."""
    source.add_done_callback(lambda done: copy_future(done, target))


@contextlib.contextmanager
def capture_exceptions(
    future: "Future[Any]", ignore: "tuple[type[BaseException], ...] | type[BaseException]" = ()
) -> Iterator[None]:
    """Let an exception that is raised inside end ``future``.

    Args:
        future: is given the exception.
        ignore: types that are raised on instead.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, ignore):
            raise
        future.set_exception(error)

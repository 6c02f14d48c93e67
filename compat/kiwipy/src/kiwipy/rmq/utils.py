"""The form of answers on the wire, and how an answer becomes the outcome of a future."""

import asyncio
import collections.abc
import functools
import inspect
import os
import socket
import traceback
from types import TracebackType
from typing import Any

from kiwipy import exceptions

__all__ = ()

HOST_KEY = "host"
HOSTNAME_KEY = "hostname"
PID_KEY = "pid"
RESULT_KEY = "result"
EXCEPTION_KEY = "exception"
CANCELLED_KEY = "cancelled"
PENDING_KEY = "pending"


def get_host_info() -> dict[str, Any]:
    """Get where this is: host and process."""
    return {HOSTNAME_KEY: socket.gethostname(), PID_KEY: os.getpid()}


def add_host_info(msg: dict[str, Any]) -> None:
    """Say in a message where it comes from; raises `ValueError` when it says so already."""
    if HOST_KEY in msg:
        raise ValueError("Host information key already exists in message")
    msg[HOST_KEY] = get_host_info()


def result_response(result: Any) -> dict[str, Any]:
    """Get the answer that holds a result."""
    return {RESULT_KEY: result}


def exception_response(exception: BaseException, trace: TracebackType | None = None) -> dict[str, str]:
    """Get the answer that says what was raised, and where, when a trace is given."""
    text = str(exception)
    if trace is not None:
        text += f"\n{traceback.format_tb(trace)[0]}"
    return {EXCEPTION_KEY: text}


def cancelled_response(msg: str | None = None) -> dict[str, str | None]:
    """Get the answer that says that there will be none."""
    return {CANCELLED_KEY: msg}


def pending_response(msg: str | None = None) -> dict[str, str | None]:
    """Get the answer that says that another one follows."""
    return {PENDING_KEY: msg}


def response_result(response: Any) -> Any:
    """Get, or raise, what an answer holds."""
    return response_to_future(response).result()


def response_to_future(response: Any, future: "asyncio.Future[Any] | None" = None) -> "asyncio.Future[Any]":
    """End ``future``, a new one by default, with what an answer holds.

    One that says that another answer follows ends it with a future of that one.

    Raises:
        TypeError: ``response`` is no mapping.
        ValueError: it holds none of the things that an answer can.
    """
    if not isinstance(response, collections.abc.Mapping):
        raise TypeError("Response must be a mapping")
    if future is None:
        future = asyncio.Future()
    if CANCELLED_KEY in response:
        future.cancel()
    elif EXCEPTION_KEY in response:
        future.set_exception(exceptions.RemoteException(response[EXCEPTION_KEY]))
    elif RESULT_KEY in response:
        future.set_result(response[RESULT_KEY])
    elif PENDING_KEY in response:
        future.set_result(asyncio.Future(loop=future.get_loop()))
    else:
        raise ValueError(f"Unknown response type '{response}'")
    return future


def future_to_response(future: Any) -> dict[str, Any]:
    """Get the answer that says how a future ended."""
    if future.cancelled():
        return dict(cancelled_response())
    try:
        return result_response(future.result())
    except Exception as error:
        return dict(exception_response(error))


def ensure_coroutine(coro_or_fn: Any) -> Any:
    """Get a function whose call can be awaited; raises `TypeError` for what cannot be called."""
    if asyncio.iscoroutinefunction(coro_or_fn):
        return coro_or_fn
    if not callable(coro_or_fn):
        raise TypeError("coro_or_fn must be a callable")
    function = coro_or_fn.__call__ if inspect.isclass(coro_or_fn) else coro_or_fn

    @functools.wraps(function)
    async def wrap(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrap

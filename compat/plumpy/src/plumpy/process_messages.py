"""How a process is reached: it listens for messages to itself and to all, and gives news of its states."""

import asyncio
import functools
import inspect
import re
import traceback
from collections.abc import Callable
from typing import Any

import kiwipy
from aio_pika.exceptions import ChannelInvalidStateError, ConnectionClosed

from plumpy import process_comms
from plumpy.greenback_bridge import run_with_portal
from plumpy.process_comms import FORCE_KILL_KEY, MESSAGE_TEXT_KEY, MessageType
from plumpy.process_view import ProcessView

_NOT_STATES = re.compile(r"^(?!state_changed).*")
"""Subjects of broadcasts that are not the news that every process gives."""


class ProcessMessages(ProcessView):
    """The messages of a process."""

    def _subscribe(self: Any, communicator: Any) -> None:
        try:
            identifier = communicator.add_rpc_subscriber(self.message_receive, identifier=str(self.pid))
            self.add_cleanup(functools.partial(communicator.remove_rpc_subscriber, identifier))
        except kiwipy.TimeoutError:
            self.logger.exception("Process<%s>: failed to register as an RPC subscriber", self.pid)
        try:
            subscriber = kiwipy.BroadcastFilter(self.broadcast_receive, subject=_NOT_STATES)
            identifier = communicator.add_broadcast_subscriber(subscriber, identifier=str(self.pid))
            self.add_cleanup(functools.partial(communicator.remove_broadcast_subscriber, identifier))
        except kiwipy.TimeoutError:
            self.logger.exception("Process<%s>: failed to register as a broadcast subscriber", self.pid)

    def _tell_state(self, before: Any, now: Any) -> None:
        subject = f"state_changed.{before}.{now}"
        self.logger.info("Process<%s>: Broadcasting state change: %s", self.pid, subject)
        try:
            self._communicator.broadcast_send(body=None, sender=self.pid, subject=subject)
        except (ConnectionClosed, ChannelInvalidStateError):
            message = "Process<%s>: no connection available to broadcast state change from %s to %s"
            self.logger.warning(message, self.pid, before, now)
        except kiwipy.TimeoutError:
            message = "Process<%s>: sending broadcast of state change from %s to %s timed out"
            self.logger.warning(message, self.pid, before, now)

    def message_receive(self: Any, _comm: kiwipy.Communicator, msg: MessageType) -> Any:
        """Do what a message asks for; raises `RuntimeError` when that is nothing known."""
        self.logger.debug("Process<%s>: received RPC message with communicator '%s': %r", self.pid, _comm, msg)
        intent = msg[process_comms.INTENT_KEY]
        if intent == process_comms.Intent.PLAY:
            return self._schedule_rpc(self.play)
        if intent == process_comms.Intent.PAUSE:
            return self._schedule_rpc(self.pause, msg_text=msg.get(MESSAGE_TEXT_KEY))
        if intent == process_comms.Intent.KILL:
            force = msg.get(FORCE_KILL_KEY, False)
            return self._schedule_rpc(self.kill, msg_text=msg.get(MESSAGE_TEXT_KEY), force_kill=force)
        if intent == process_comms.Intent.STATUS:
            status: dict[str, Any] = {}
            self.get_status_info(status)
            return status
        raise RuntimeError("Unknown intent")

    def broadcast_receive(
        self: Any, _comm: kiwipy.Communicator, msg: MessageType, sender: Any, subject: Any, correlation_id: Any
    ) -> Any:
        """Do what a message to all asks for, if that is something known."""
        self.logger.debug(
            "Process<%s>: received broadcast message '%s' with communicator '%s': %r", self.pid, subject, _comm, msg
        )
        if subject == process_comms.Intent.PLAY:
            return self._schedule_rpc(self.play)
        if subject == process_comms.Intent.PAUSE:
            return self._schedule_rpc(self.pause, msg_text=msg.get(MESSAGE_TEXT_KEY))
        if subject == process_comms.Intent.KILL:
            return self._schedule_rpc(self.kill, msg_text=msg.get(MESSAGE_TEXT_KEY))
        return None

    def _schedule_rpc(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> "kiwipy.Future[Any]":
        """Have ``callback`` called by the loop of the process, and get a future of the value at the end of what it returns."""
        answer: kiwipy.Future[Any] = kiwipy.Future()

        async def call() -> None:
            with kiwipy.capture_exceptions(answer):
                try:
                    result = await run_with_portal(callback, *args, **kwargs)
                except Exception as error:
                    raise RuntimeError(_report(callback, error)) from error
                while asyncio.isfuture(result):
                    result = await result
                answer.set_result(result)

        asyncio.run_coroutine_threadsafe(call(), self.loop)
        return answer


def _report(callback: Callable[..., Any], error: Exception) -> str:
    """Get what went wrong in a callback, for somebody far away."""
    try:
        place = f"{inspect.getfile(callback)}:{inspect.getsourcelines(callback)[1]}"
    except (OSError, TypeError):  # its source is not to be had
        place = "<unknown location>"
    trace = "".join(traceback.format_exception(error))
    return (
        f"Error invoking callback '{getattr(callback, '__name__', callback)}' at {place}.\n"
        f"Exception: {type(error).__name__}: {error}\n\nFull Traceback:\n{trace}"
    )

"""Messages inside one interpreter, without a server."""

from typing import Any

from kiwipy import communications, futures

__all__ = ("LocalCommunicator",)


class LocalCommunicator(communications.CommunicatorHelper):
    """Calls its own subscribers in the thread of whoever sends, before the sending returns."""

    def task_send(self, task: Any, no_reply: bool = False) -> "futures.Future[Any] | None":
        """Give a task to the first subscriber that takes it."""
        return self.fire_task(task, no_reply)

    def rpc_send(self, recipient_id: Any, msg: Any) -> "futures.Future[Any]":
        """Call a subscriber; raises `UnroutableError` when there is none."""
        return self.fire_rpc(recipient_id, msg)

    def broadcast_send(self, body: Any, sender: Any = None, subject: Any = None, correlation_id: Any = None) -> bool:
        """Call all subscribers."""
        return self.fire_broadcast(body, sender=sender, subject=subject, correlation_id=correlation_id)

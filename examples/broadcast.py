"""Telling everybody who wants to hear it: a filter by wildcards, one by a pattern, and both sides on plain threads.

It prints:

    alarm: oven 2 is at 1310 K
    oven: oven.2.overheated from oven-2
    oven: oven.1.ready from oven-1
"""

import re
import tempfile
from contextlib import chdir
from queue import Queue
from typing import Any

from drupe import BroadcastFilter, open_blocking_communicator
from drupe.service import profile


def main() -> None:
    """Hear in one communicator what is sent by another; callbacks run on the communicator's own thread."""
    alarms: Queue[Any] = Queue()
    ovens: Queue[Any] = Queue()
    settings = profile.load()
    with open_blocking_communicator(settings) as guard, open_blocking_communicator(settings) as hall:
        guard.subscribe_broadcast(alarms.put, BroadcastFilter("*.overheated"))
        guard.subscribe_broadcast(ovens.put, BroadcastFilter("oven.*", sender=re.compile(r"oven-\d+")))

        hall.broadcast_send({"kelvins": 1310, "oven": 2}, sender="oven-2", subject="oven.2.overheated")
        hall.broadcast_send(sender="door", subject="oven.hall.opened")  # no oven says so
        hall.broadcast_send(sender="oven-1", subject="oven.1.ready")

        alarm = alarms.get()
        print(f"alarm: oven {alarm.body['oven']} is at {alarm.body['kelvins']} K")
        for heard in (ovens.get(), ovens.get()):
            print(f"oven: {heard.subject} from {heard.sender}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        main()

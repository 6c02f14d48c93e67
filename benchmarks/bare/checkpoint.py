"""The values alone, as MessagePack and back by msgspec."""

import msgspec
import workload
from stopwatch import Stopwatch


def save(watch: Stopwatch, *, size: int, data: int) -> int:
    values = workload.inputs(data)
    with watch:
        for _ in range(size):
            msgspec.msgpack.encode(values)
    return size


def load(watch: Stopwatch, *, size: int, data: int) -> int:
    body = msgspec.msgpack.encode(workload.inputs(data))
    with watch:
        for _ in range(size):
            msgspec.msgpack.decode(body)
    return size

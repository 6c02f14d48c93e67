"""The decoders: for each, what good input looks like, how it is read, and the only errors that may come of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from random import Random
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from drupe import Continue, Process, Wait, WorkChain, errors, field, while_
from drupe.core.codec import CODEC
from drupe.core.key import Key, KeyRing
from drupe.core.message import (
    AttendanceRequest,
    Broadcast,
    ContinueRequest,
    ExecuteRequest,
    Failure,
    KillRequest,
    LaunchRequest,
    Message,
    PauseRequest,
    Reply,
    Rpc,
    SignalRequest,
    StatusRequest,
    Task,
    decode_message,
    encode_message,
    open_message,
    read_request,
    request_body,
    unpack,
)
from drupe.core.role import Role
from drupe.core.snapshot import Snapshot
from drupe.engine import loading, saving
from drupe.messaging.envelope import Lane, Place
from drupe.messaging.local.wire import FrameReader, Kind, frame, frame_number, read_number, read_text
from drupe.messaging.seal import Seal
from drupe.testing import ManualClock


@dataclass(frozen=True)
class Target:
    """A decoder.

    Attributes:
        name: what it is called.
        read: reads bytes.
        refusal: the error that it may raise.
        samples: bytes that it reads.
    """

    name: str
    read: Callable[[bytes], object]
    refusal: type[errors.DrupeError]
    samples: list[bytes]


VALUES: Final[list[Any]] = [
    None,
    [1, -1, 2**40, 2**64 - 1, 0.5, True, "text", b"bytes"],
    {"a": {"b": [{"c": ()}]}, "empty": {}},
    {1: "one", (2, 3): {4, 5}, None: frozenset({"x"})},
    [2**70, -(2**200), "x" * 300, b"y" * 300],
    [date(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC), time(3, 4), timedelta(5), complex(1, 2), bytearray(b"z")],
    [Decimal("1.5"), Fraction(1, 3), PurePosixPath("a/b"), UUID(int=7), datetime(2026, 1, 2, tzinfo=ZoneInfo("UTC"))],
]

REQUESTS: Final = [
    LaunchRequest(kind="science.energy:Energy", inputs={"volume": 1.5}, pid="a-1_B"),
    ExecuteRequest(kind="eos:Outer.<locals>.Inner"),
    ContinueRequest(pid="7f3a"),
    PauseRequest(reason="lunch", cascade=True),
    KillRequest(force=True),
    StatusRequest(pid="p"),
    AttendanceRequest(),
    SignalRequest(name="approved", payload={"by": ("me",)}),
]

MESSAGES: Final[list[Message]] = [
    *(Rpc(id="1", recipient="p", body=request_body(request), deadline=1e9) for request in REQUESTS),
    *(Broadcast(body=value, sender="s", subject="a.b", correlation_id="c") for value in VALUES),
    Task(id="1", queue="q", body=[1, (2,)], reply_to="me"),
    Reply(id="1", result={"a": (1, {2})}),
    Reply(id="1", failure=Failure(type="builtins.ValueError", message="no", traceback="Traceback", code="input")),
]


class Chain(WorkChain):
    """A chain that waits and loops, to be saved at each step."""

    note: list[int] = field(factory=list)

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("number", valid_type=int, default=3)
        spec.output("sum", valid_type=int)
        spec.outline(while_(cls.more)(cls.add))

    def more(self) -> bool:
        return len(self.note) < self.inputs.number

    def add(self) -> None:
        self.note.append(1)
        self.ctx.sum = sum(self.note)
        if not self.more():
            self.out("sum", self.ctx.sum)


class Waiting(Process):
    """A process that goes on and waits, with arguments."""

    def run(self) -> Any:
        return Continue(self.then, 1, word="two")

    def then(self, number: int, *, word: str) -> Any:
        return Wait(self.last, word, {"number": number})

    def last(self) -> None:
        pass


def saved() -> list[bytes]:
    """Processes at every step."""

    async def collect() -> list[bytes]:
        found = []
        for process, steps in ((Chain(), 5), (Chain({"number": 0}), 2), (Waiting(), 3)):
            for _ in range(steps):
                found.append(saving.save(process))
                if process.has_terminated() or process.state == "waiting":
                    break
                await process.step()
        return found

    return asyncio.run(collect())


# --- how they are read -------------------------------------------------------------------------------------


def read_packed(data: bytes) -> object:
    message = open_message(data)
    return unpack(message.result if isinstance(message, Reply) else message.body)


def read_asked(data: bytes) -> object:
    try:
        body = msgspec.msgpack.decode(data)
    except Exception as error:  # the bytes are another decoder's business
        raise errors.MessageError("no MessagePack") from error
    return read_request(body)


def read_frames(data: bytes) -> object:
    """The frames, as they come in pieces whose size the first byte says."""
    reader, found = FrameReader(), 0
    piece = data[0] + 1 if data else 1
    for start in range(0, len(data), piece):
        for kind, content in reader.feed(data[start : start + piece]):
            found += 1
            if kind is Kind.MISSED:
                read_number(content)
            elif kind is not Kind.MESSAGE:
                read_text(content)
    return found


def read_snapshot(data: bytes) -> object:
    snapshot = Snapshot.decode(data)
    snapshot.given()
    return snapshot.contents()


_KEYS: Final = [Key(bytes([number]) * 32, role) for number, role in enumerate(Role, 1)]
_PLACE: Final = Place(Lane.TASK, "q")


class _Unsealing:
    """Sealed tasks; a forged one that is taken is a failure."""

    def __init__(self) -> None:
        self._seal = Seal(KeyRing(_KEYS), "fuzz", clock=ManualClock(), chance=Random(1).randbytes)
        self.samples = [self._seal.wrap(encode_message(message), _PLACE, role=Role.LAUNCH) for message in MESSAGES]
        self._known = frozenset(self.samples)

    def read(self, data: bytes) -> object:
        self._seal.unwrap(data, _PLACE)
        if data not in self._known:
            raise AssertionError("a forged message was taken")
        return None


def targets() -> list[Target]:
    """All decoders."""
    messages = [encode_message(message) for message in MESSAGES]
    sealed, processes = _Unsealing(), saved()
    frames = [frame(Kind.HELLO, b"0123456789abcdef") + frame(Kind.MESSAGE, data) for data in messages]
    frames.append(frame_number(Kind.MISSED, 7) + frame(Kind.WAKE, b"tasks"))
    requests = [msgspec.msgpack.encode(request_body(request)) for request in REQUESTS]
    return [
        Target("message", decode_message, errors.MessageError, messages),
        Target("packed message", read_packed, errors.MessageError, messages),
        Target("request", read_asked, errors.MessageError, requests),
        Target("frames", read_frames, errors.MessageError, frames),
        Target("seal", sealed.read, errors.SealError, sealed.samples),
        Target("value", CODEC.decode, errors.CodecError, [CODEC.encode(value) for value in VALUES]),
        Target("JSON", CODEC.from_json, errors.CodecError, [CODEC.to_json(value).encode() for value in VALUES]),
        Target("snapshot", read_snapshot, errors.SnapshotError, processes),
        Target("process", loading.load, errors.DrupeError, processes),
    ]

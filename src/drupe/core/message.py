"""The forms of messages: what one participant may say to another, and how it is written.

A message is data and nothing else: a class is named, never sent, and a receiver decides by its own
registry. Sizes and depths are bounded on both sides, so that what was sent can be received.
"""

from collections.abc import Callable
from itertools import chain
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from drupe.core.codec import CODEC
from drupe.core.plain import SCALARS
from drupe.core.record import PID_PATTERN
from drupe.errors import MessageError

VERSION: Final = 1
"""Version of these forms. A receiver refuses newer ones; fields that are added do not change it."""
MAX_FRAME: Final = 1024 * 1024
"""Bytes of a whole message, at most, unless the caller says otherwise."""
MAX_DEPTH: Final = 64
"""How deeply the containers of a message may be nested."""
MAX_NAME: Final = 1024
"""Characters in the name of a queue, a recipient, a sender, a subject, at most."""
MAX_KINDS: Final = 100
"""So many classes are asked for with one message, at most."""

Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
"""Any text that is not too long; what needs something plainer makes it so itself."""
Pid: TypeAlias = Annotated[str, msgspec.Meta(pattern=rf"\A{PID_PATTERN}\Z")]
"""Safe as a file name, a key and a routing key."""
Kind: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[\w.]{1,255}:[\w.<>]{1,255}\Z")]
"""Identifier of a process class, ``module:QualName``: looked up by the receiver, never imported."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="form"):
    version: int = VERSION  # always written: left out, it would read as the receiver's own


class Task(_Message, frozen=True, kw_only=True, tag="task"):
    """Work that exactly one of those who listen to a queue takes."""

    id: Name
    queue: Name
    body: Any = None
    reply_to: Name | None = None
    """Where the reply goes."""
    no_reply: bool = False
    """The sender does not wait for a reply."""


class Rpc(_Message, frozen=True, kw_only=True, tag="rpc"):
    """A call that one address answers."""

    id: Name
    recipient: Name
    body: Any = None
    deadline: float | None = None
    """After this moment nobody waits for the answer any more: seconds since 1970 (UTC)."""


class Broadcast(_Message, frozen=True, kw_only=True, tag="broadcast"):
    """Something that everybody may hear who listens for its sender or its subject."""

    body: Any = None
    sender: Name | None = None
    subject: Name | None = None
    correlation_id: Name | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An exception of the receiver's, as text: it is shown to the sender, never raised again as its own type."""

    type: str
    """Name of its type, as ``module.QualName`` (builtins without module)."""
    message: str = ""
    traceback: str = ""
    code: str | None = None
    """The stable code, if it is one of drupe's errors."""


class Reply(_Message, frozen=True, kw_only=True, tag="reply"):
    """The answer to a task or an RPC: a result, or a failure."""

    id: Name
    """The id of what is answered."""
    result: Any = None
    failure: Failure | None = None


Message: TypeAlias = Task | Rpc | Broadcast | Reply


def encode_message(message: Message, *, limit: int = MAX_FRAME) -> bytes:
    """Get the bytes of a message; its body or result may be whatever the codec can save.

    Raises:
        MessageError: it is larger than ``limit`` bytes, nested too deeply to be received, or a name in it is too long.
        UnsavableError: the receiver could not read the body; names the path.
    """
    _check_names(message)
    name = "result" if isinstance(message, Reply) else "body"
    content = getattr(message, name)
    packed = msgspec.Raw(CODEC.encode(content, path=name))
    try:
        data = _encode(msgspec.structs.replace(message, **{name: packed}))
    except UnicodeEncodeError as error:
        raise MessageError(f"a name in the message is no text: {error}") from error
    _check_size(data, limit)
    _check_depth(content)
    return data


def decode_message(data: bytes, *, limit: int = MAX_FRAME) -> Message:
    """Get the message back, whoever sent it.

    Raises:
        MessageError: it is larger than ``limit`` bytes, nested too deeply, of a newer version, or no message.
    """
    message = _read(data, _decode, limit)
    _check_depth(message.result if isinstance(message, Reply) else message.body)
    return message


def open_message(data: bytes, *, limit: int = MAX_FRAME) -> Message:
    """Get a message whose body is still packed: what nobody wants costs nothing, and what waits is as small as it came.

    Raises:
        MessageError: it is larger than ``limit`` bytes, of a newer version, or no message.
    """
    return _read(data, _open, limit)


def unpack(content: Any) -> Any:
    """Get the body or result of a message that was opened; one that is not packed is given back.

    Raises:
        MessageError: it cannot be read here, or is nested too deeply.
    """
    if type(content) is not msgspec.Raw:
        return content
    try:
        found = _decode_content(content)
    except Exception as error:
        raise MessageError(f"the message cannot be read here: {error}") from error
    _check_depth(found)
    return found


def size_of(content: Any) -> int:
    """Get the bytes of a body or result that is packed; 0 for one that is not."""
    return memoryview(content).nbytes if type(content) is msgspec.Raw else 0


def _read(data: bytes, decode: Callable[[bytes], Message], limit: int) -> Message:
    _check_size(data, limit)
    try:
        _check_version(_decode_version(data).version)
        return decode(data)
    except MessageError:
        raise
    except Exception as error:
        raise MessageError(f"not a message of drupe: {error}") from error


def _check_names(message: Message) -> None:
    for field in _NAMES[str(message.__struct_config__.tag)]:
        name = getattr(message, field)
        if name is not None and len(name) > MAX_NAME:
            raise MessageError(f"its {field} has {len(name)} characters, and the limit is {MAX_NAME}")


def _check_size(data: bytes, limit: int) -> None:
    if len(data) > limit:
        raise MessageError(
            f"the message has {len(data)} bytes, and the limit is {limit}; send a reference to large data"
        )


def _check_version(version: int) -> None:
    if version > VERSION:
        raise MessageError(f"the message has version {version}, this drupe reads up to {VERSION}; upgrade drupe here")


def _check_depth(content: Any) -> None:
    layer = [content]
    for _ in range(MAX_DEPTH + 1):
        if SCALARS.issuperset(map(type, layer)):  # the usual case, and the look of one by one takes ten times as long
            return
        containers = [item for item in layer if isinstance(item, _CONTAINERS)]
        if not containers:
            return
        values = [container.values() for container in containers if isinstance(container, dict)]
        layer = list(chain.from_iterable((*containers, *values)))
    raise MessageError(f"the message is nested more than {MAX_DEPTH} deep; keep it flatter")


class _Version(msgspec.Struct):
    version: int


_NOTHING: Final = msgspec.Raw(b"\xc0")  # as MessagePack writes None


class _PackedTask(Task, frozen=True, kw_only=True, tag="task"):
    body: msgspec.Raw = _NOTHING


class _PackedRpc(Rpc, frozen=True, kw_only=True, tag="rpc"):
    body: msgspec.Raw = _NOTHING


class _PackedBroadcast(Broadcast, frozen=True, kw_only=True, tag="broadcast"):
    body: msgspec.Raw = _NOTHING


class _PackedReply(Reply, frozen=True, kw_only=True, tag="reply"):
    result: msgspec.Raw = _NOTHING


_CONTAINERS: Final = (list, tuple, dict, set, frozenset)
_NAMES: Final = {
    "task": ("id", "queue", "reply_to"),
    "rpc": ("id", "recipient"),
    "broadcast": ("sender", "subject", "correlation_id"),
    "reply": ("id",),
}
_encode = msgspec.msgpack.Encoder().encode
_decode = CODEC.decoder(Message).decode
_decode_content = CODEC.decoder(Any).decode
_open = msgspec.msgpack.Decoder(_PackedTask | _PackedRpc | _PackedBroadcast | _PackedReply).decode
_decode_version = msgspec.msgpack.Decoder(_Version).decode


# --- control -----------------------------------------------------------------------------------------------


class _Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="verb", forbid_unknown_fields=True):
    """What is asked of a worker or of a process. A field that is not known here may change the meaning: refused."""


class LaunchRequest(_Request, frozen=True, kw_only=True, tag="launch"):
    """Create a process and run it."""

    kind: Kind
    inputs: dict[str, Any] = {}
    pid: Pid | None = None
    """The pid it is to have, so that asking twice makes one process; None leaves it to the worker."""


class ExecuteRequest(_Request, frozen=True, kw_only=True, tag="execute"):
    """Create a process, save it, and continue it: one request, so that no half of it can be lost."""

    kind: Kind
    inputs: dict[str, Any] = {}
    pid: Pid | None = None


class ContinueRequest(_Request, frozen=True, kw_only=True, tag="continue"):
    """Go on with a saved process."""

    pid: Pid


class PauseRequest(_Request, frozen=True, kw_only=True, tag="pause"):
    """Take no more steps until played."""

    reason: str | None = None
    cascade: bool = False
    """Ask it of its children too."""


class PlayRequest(_Request, frozen=True, kw_only=True, tag="play"):
    """Take steps again."""

    cascade: bool = False


class KillRequest(_Request, frozen=True, kw_only=True, tag="kill"):
    """End as KILLED, when the running step ends, or with ``force`` at once."""

    reason: str | None = None
    force: bool = False
    cascade: bool = False


class StatusRequest(_Request, frozen=True, kw_only=True, tag="status"):
    """Say how far a process is that you hold."""

    pid: Pid


class AttendanceRequest(_Request, frozen=True, kw_only=True, tag="attendance"):
    """Say who you are and how much you have to do."""


class RepertoireRequest(_Request, frozen=True, kw_only=True, tag="repertoire"):
    """Say which versions you have of these classes."""

    kinds: Annotated[list[Kind], msgspec.Meta(max_length=MAX_KINDS)]


class LookRequest(_Request, frozen=True, kw_only=True, tag="look"):
    """There may be an order in the store for a process that you hold, or it may be yours no more: look."""

    pid: Pid | None = None
    """Which; None: any of them."""


class SignalRequest(_Request, frozen=True, kw_only=True, tag="signal"):
    """Take this, now or when you wait for it."""

    name: str
    payload: Any = None


Request: TypeAlias = (
    LaunchRequest
    | ExecuteRequest
    | ContinueRequest
    | PauseRequest
    | PlayRequest
    | KillRequest
    | StatusRequest
    | AttendanceRequest
    | RepertoireRequest
    | LookRequest
    | SignalRequest
)


class _Holder(msgspec.Struct):
    # What is known of a struct is kept by msgspec; of a union it is found out anew each time, which takes twenty times as long.
    request: Request


def request_body(request: Request) -> dict[str, Any]:
    """Get a request as the body of a message.

    Raises:
        MessageError: a field has a value that no receiver would take.
    """
    body = {"verb": request.__struct_config__.tag, **msgspec.structs.asdict(request)}
    read_request(body)
    return body


def read_request(body: Any) -> Request:
    """Get the request back from the body of a message.

    Raises:
        MessageError: the body is no request, or has a field that is not known here.
    """
    try:
        return msgspec.convert({"request": body}, _Holder).request
    except msgspec.ValidationError as error:
        raise MessageError(f"not a request that drupe knows: {str(error).replace('$.request', '$')}") from error

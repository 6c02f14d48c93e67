import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.codec import CODEC
from drupe.core.message import (
    MAX_DEPTH,
    MAX_FRAME,
    MAX_NAME,
    VERSION,
    AttendanceRequest,
    Broadcast,
    ContinueRequest,
    ExecuteRequest,
    Failure,
    KillRequest,
    LaunchRequest,
    LookRequest,
    PauseRequest,
    PlayRequest,
    RepertoireRequest,
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
    size_of,
    unpack,
)
from drupe.errors import MessageError, UnsavableError

NAMES = st.text(max_size=20)
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
FAILURES = st.builds(Failure, type=NAMES, message=NAMES, traceback=NAMES, code=st.none() | NAMES)
MESSAGES = st.one_of(
    st.builds(Task, id=NAMES, queue=NAMES, body=BODIES, reply_to=st.none() | NAMES, no_reply=st.booleans()),
    st.builds(Rpc, id=NAMES, recipient=NAMES, body=BODIES, deadline=st.none() | st.floats(0, 1e12)),
    st.builds(Broadcast, body=BODIES, sender=st.none() | NAMES, subject=st.none() | NAMES, correlation_id=NAMES),
    st.builds(Reply, id=NAMES, result=BODIES) | st.builds(Reply, id=NAMES, failure=FAILURES),
)


@given(message=MESSAGES)
def test_a_message_arrives_as_it_was_sent(message):
    assert decode_message(encode_message(message)) == message


@given(message=MESSAGES)
def test_a_message_that_is_opened_is_the_same_with_its_body_packed(message):
    field = "result" if isinstance(message, Reply) else "body"
    data = encode_message(message)

    opened = open_message(data)
    packed = getattr(opened, field)

    assert isinstance(opened, type(message))
    assert 0 < size_of(packed) < len(data)
    assert msgspec.structs.asdict(msgspec.structs.replace(opened, **{field: unpack(packed)})) == msgspec.structs.asdict(
        message
    )


@given(data=st.binary(max_size=100))
def test_any_bytes_are_opened_and_unpacked_or_end_in_a_message_error(data):
    for read in (lambda: unpack(msgspec.Raw(data)), lambda: open_message(data)):
        try:
            read()
        except MessageError:
            pass


def test_what_is_not_packed_stays_as_it_is():
    body = [1, 2]

    assert unpack(body) is body
    assert size_of(body) == 0
    assert unpack(open_message(packed(body=None)).body) is None
    assert unpack(open_message(packed()).body) is None


def test_a_body_that_cannot_be_read_here_does_not_keep_its_message_from_being_read():
    data = packed(subject="s", body=msgspec.msgpack.Ext(1, msgspec.msgpack.encode(["a:Type", 1])))

    opened = open_message(data)

    assert opened.subject == "s"
    with pytest.raises(MessageError, match=r"cannot be read here: no type 'a:Type' is registered"):
        unpack(opened.body)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Task(id="1", queue="x"), "queue"),
        (Task(id="1", queue="q", reply_to="x"), "reply_to"),
        (Rpc(id="1", recipient="x"), "recipient"),
        (Broadcast(sender="x"), "sender"),
        (Broadcast(subject="x"), "subject"),
        (Reply(id="x"), "id"),
    ],
)
def test_a_name_that_is_too_long_or_no_text_is_neither_sent_nor_read(message, field):
    long = msgspec.structs.replace(message, **{field: "x" * MAX_NAME})
    assert decode_message(encode_message(long)) == long
    too_long = msgspec.structs.replace(message, **{field: "x" * 10_240})
    with pytest.raises(MessageError, match=f"its {field} has 10240 characters"):
        encode_message(too_long)
    for read in (decode_message, open_message):
        with pytest.raises(MessageError, match="not a message of drupe"):
            read(msgspec.msgpack.encode(too_long))
    with pytest.raises(MessageError, match="no text"):
        encode_message(msgspec.structs.replace(message, **{field: "\ud800"}))
    odd = msgspec.structs.replace(message, **{field: "a\0/../\n"})
    assert decode_message(encode_message(odd)) == odd


def test_a_body_keeps_its_exact_types():
    body = {"a": (1, {2}), "b": b"\x00"}
    assert decode_message(encode_message(Rpc(id="1", recipient="p", body=body))).body == body


def test_the_version_is_always_written():
    assert msgspec.msgpack.decode(encode_message(Broadcast()))["version"] == VERSION == 1


@given(message=MESSAGES, data=st.data())
def test_changed_bytes_end_in_a_message_or_a_message_error(message, data):
    changed = bytearray(encode_message(message))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_message(bytes(changed[: data.draw(st.integers(0, len(changed)))]))
    except MessageError:
        pass


@given(data=st.binary(max_size=100))
def test_any_bytes_end_in_a_message_or_a_message_error(data):
    try:
        decode_message(data)
    except MessageError:
        pass


def packed(**fields):
    return msgspec.msgpack.encode({"form": "broadcast", "version": 1, **fields})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc0",
        b"\x90",
        packed()[:-1],
        packed(form="other"),
        packed(form=None),
        packed(sender=3),
        packed(version=None),
        packed(version="1"),
        msgspec.msgpack.encode({"form": "broadcast"}),
        packed(body=msgspec.msgpack.Ext(5, b"")),
        packed(body=msgspec.msgpack.Ext(1, msgspec.msgpack.encode(["os:system", "true"]))),
        msgspec.msgpack.encode({"form": "task", "version": 1, "queue": "q"}),
        b"\x91" * 10_000,
        packed(body=msgspec.Raw(b"\x91" * 10_000 + b"\xc0")),
    ],
)
def test_what_is_no_message_ends_in_a_message_error(data):
    with pytest.raises(MessageError, match="not a message of drupe"):
        decode_message(data)


def test_a_message_of_a_newer_version_is_refused_as_such_whatever_else_is_in_it():
    with pytest.raises(MessageError, match="has version 2, this drupe reads up to 1"):
        decode_message(packed(version=2, form="not known yet"))


def test_a_field_that_was_added_since_is_passed_over():
    assert decode_message(packed(subject="s", added=1)) == Broadcast(subject="s")


def test_a_message_that_is_too_large_is_neither_sent_nor_read():
    large = Broadcast(body=b"x" * MAX_FRAME)
    with pytest.raises(MessageError, match=f"the limit is {MAX_FRAME}"):
        encode_message(large)
    data = encode_message(large, limit=2 * MAX_FRAME)
    with pytest.raises(MessageError, match=f"the limit is {MAX_FRAME}"):
        decode_message(data)
    assert decode_message(data, limit=len(data)) == large


def nested(depth, wrap):
    body = 0
    for _ in range(depth):
        body = wrap(body)
    return body


@pytest.mark.parametrize(
    "wrap",
    [lambda body: [body], lambda body: {"a": body}, lambda body: (body,), lambda body: frozenset([body])],
    ids=["list", "dict", "tuple", "set"],
)
@pytest.mark.parametrize(("form", "field"), [(Broadcast(), "body"), (Reply(id="1"), "result")])
def test_a_message_that_is_nested_too_deeply_is_neither_sent_nor_read(wrap, form, field):
    fitting = msgspec.structs.replace(form, **{field: nested(MAX_DEPTH, wrap)})
    assert decode_message(encode_message(fitting)) == fitting
    content = nested(MAX_DEPTH + 1, wrap)
    with pytest.raises(MessageError, match="nested more than 64 deep"):
        encode_message(msgspec.structs.replace(form, **{field: content}))
    sent = msgspec.msgpack.encode(msgspec.structs.replace(form, **{field: msgspec.Raw(CODEC.encode(content))}))
    with pytest.raises(MessageError, match="nested more than 64 deep"):
        decode_message(sent)


def test_the_keys_of_a_mapping_count_as_nested_too():
    key = nested(MAX_DEPTH - 1, lambda body: (body,))
    assert decode_message(encode_message(Broadcast(body={key: 1}))).body == {key: 1}
    with pytest.raises(MessageError, match="nested more than 64 deep"):
        encode_message(Broadcast(body={(key,): 1}))


def test_a_body_that_the_receiver_could_not_read_is_refused_by_its_path():
    with pytest.raises(UnsavableError) as refused:
        encode_message(Task(id="1", queue="q", body={"inputs": [object()]}))
    assert refused.value.path == "body.inputs[0]"
    with pytest.raises(UnsavableError) as refused:
        encode_message(Reply(id="1", result=object()))
    assert refused.value.path == "result"


# --- control -----------------------------------------------------------------------------------------------

REQUESTS = [
    LaunchRequest(kind="science.energy:Energy", inputs={"volume": 1.5, "cell": (1, 2)}, pid="a-1_B"),
    ExecuteRequest(kind="eos:Outer.<locals>.Inner"),
    ContinueRequest(pid="7f3a"),
    PauseRequest(reason="lunch", cascade=True),
    PlayRequest(),
    KillRequest(force=True),
    StatusRequest(pid="p1"),
    AttendanceRequest(),
    RepertoireRequest(kinds=["m:C"]),
    LookRequest(),
    LookRequest(pid="p1"),
    SignalRequest(name="approved", payload={"by": ("me",)}),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_travels_in_a_message_and_comes_out_as_it_was(request_):
    message = decode_message(encode_message(Rpc(id="1", recipient="p", body=request_body(request_))))
    assert read_request(message.body) == request_
    assert message.body["verb"] == request_.__struct_config__.tag


@pytest.mark.parametrize(
    "body",
    [
        None,
        "kill",
        [],
        (),
        {},
        {"verb": "explode"},
        {"verb": ["kill"]},
        {"verb": "kill", "force": "yes"},
        {"verb": "kill", "gently": True},
        {"verb": "launch"},
        {"verb": "launch", "kind": "os.system"},
        {"verb": "launch", "kind": "os:system\n"},
        {"verb": "launch", "kind": "a:B", "inputs": {1: 2}},
        {"verb": "continue", "pid": "../secret"},
        {"verb": "continue", "pid": "a\n"},
        {"verb": "continue", "pid": "a" * 65},
        {"verb": "continue", "pid": ""},
        {"verb": "signal"},
    ],
)
def test_a_body_that_is_no_request_ends_in_a_message_error(body):
    with pytest.raises(MessageError, match="not a request that drupe knows"):
        read_request(body)


@given(body=BODIES | st.dictionaries(st.sampled_from(["verb", "kind", "pid", "inputs", "force"]), BODIES))
def test_any_body_ends_in_a_request_or_a_message_error(body):
    try:
        read_request(body)
    except MessageError:
        pass


def test_a_request_that_no_receiver_would_take_is_not_sent():
    with pytest.raises(MessageError):
        request_body(ContinueRequest(pid="../secret"))

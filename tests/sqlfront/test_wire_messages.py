"""Frontend messages: any cut of the stream parses alike, and rubbish is a protocol error."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlfront.wire import messages as m

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
INT16 = st.integers(0, 1)
OIDS = st.lists(st.integers(0, 2**32 - 1), max_size=3).map(tuple)


@st.composite
def binds(draw):
    values = tuple(draw(st.lists(st.none() | st.binary(max_size=6), max_size=3)))
    formats = draw(st.sampled_from([(), (1,), (0,) * len(values)]))
    results = tuple(draw(st.lists(INT16, max_size=3)))
    return m.Bind(draw(NAMES), draw(NAMES), formats, values, results)


MESSAGES = st.one_of(
    st.builds(m.SimpleQuery, NAMES),
    st.builds(m.Parse, NAMES, NAMES, OIDS),
    binds(),
    st.builds(m.Describe, st.sampled_from("SP"), NAMES),
    st.builds(m.Execute, NAMES, st.integers(0, 2**31 - 1)),
    st.builds(m.Close, st.sampled_from("SP"), NAMES),
    st.builds(m.Password, st.binary(max_size=10)),
    st.sampled_from([m.Flush(), m.Sync(), m.Terminate(), m.CopyIn("d"), m.FunctionCall(7)]),
)


def text(value):
    return value.encode() + b"\0"


def sized(value):
    return struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value


def shorts(values):
    return struct.pack(f"!H{len(values)}h", len(values), *values)


BODIES = {
    m.SimpleQuery: lambda x: ("Q", text(x.sql)),
    m.Parse: lambda x: (
        "P",
        text(x.name)
        + text(x.sql)
        + struct.pack(f"!H{len(x.parameter_oids)}I", len(x.parameter_oids), *x.parameter_oids),
    ),
    m.Bind: lambda x: (
        "B",
        text(x.portal)
        + text(x.statement)
        + shorts(x.parameter_formats)
        + struct.pack("!H", len(x.values))
        + b"".join(map(sized, x.values))
        + shorts(x.result_formats),
    ),
    m.Describe: lambda x: ("D", x.kind.encode() + text(x.name)),
    m.Execute: lambda x: ("E", text(x.portal) + struct.pack("!i", x.max_rows)),
    m.Close: lambda x: ("C", x.kind.encode() + text(x.name)),
    m.Password: lambda x: ("p", x.data),
    m.Flush: lambda x: ("H", b""),
    m.Sync: lambda x: ("S", b""),
    m.Terminate: lambda x: ("X", b""),
    m.CopyIn: lambda x: (x.tag, b"abc"),
    m.FunctionCall: lambda x: ("F", struct.pack("!I", x.function) + b"abc"),
}


def written(message):
    tag, body = BODIES[type(message)](message)
    return tag.encode() + struct.pack("!I", len(body) + 4) + body


@given(st.lists(MESSAGES, max_size=6), st.lists(st.integers(0, 200), max_size=6))
def test_any_split_gives_the_same_messages(sent, cuts):
    stream = b"".join(map(written, sent))
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reader = m.FrontendReader()
    received = []
    for start, end in itertools.pairwise(edges):
        reader.feed(stream[start:end])
        received += reader.messages()
    assert received == sent
    assert reader.buffered == 0


@given(st.binary(max_size=60), st.booleans())
def test_rubbish_is_a_protocol_error_or_incomplete(data, greeting):
    reader = m.FrontendReader(message_limit=1000)
    reader.feed(data)
    try:
        if greeting:
            reader.greeting()
        else:
            list(reader.messages())
    except m.ProtocolError as error:
        assert error.sqlstate in ("08P01", "22021")


def startup(**parameters):
    body = struct.pack("!I", 3 << 16)
    body += b"".join(text(name) + text(value) for name, value in parameters.items()) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def greet(data):
    reader = m.FrontendReader()
    reader.feed(data)
    return reader.greeting()


def test_greetings():
    assert greet(startup(user="ada", database="demo")) == m.Startup(3, 0, {"user": "ada", "database": "demo"})
    assert greet(struct.pack("!II", 8, m.SSL_CODE)) == m.EncryptionRequest(gss=False)
    assert greet(struct.pack("!II", 8, m.GSS_CODE)) == m.EncryptionRequest(gss=True)
    assert greet(struct.pack("!III", 16, m.CANCEL_CODE, 7) + b"\1\2\3\4") == m.CancelRequest(7, b"\1\2\3\4")
    assert greet(b"\0\0") is None


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!II", 8, 2 << 16),
        struct.pack("!I", m.STARTUP_LIMIT + 1),
        struct.pack("!I", 3),
        startup(user="ada")[:-1],
    ],
)
def test_bad_greetings(data):
    reader = m.FrontendReader()
    reader.feed(data)
    if data == startup(user="ada")[:-1]:
        assert reader.greeting() is None
        return
    with pytest.raises(m.ProtocolError):
        reader.greeting()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"z", "invalid frontend message type 122"),
        (b"Q" + struct.pack("!I", 2000) + b"x", "invalid message length 2000"),
        (b"Q" + struct.pack("!I", 3), "invalid message length 3"),
        (b"Q" + struct.pack("!I", 7) + b"abc", "its end is missing"),
        (b"S" + struct.pack("!I", 5) + b"x", "bytes are left over"),
        (b"D" + struct.pack("!I", 6) + b"x\0", "invalid message subtype"),
        (b"Q" + struct.pack("!I", 6) + b"\xff\0", "invalid byte sequence"),
        (
            b"B" + struct.pack("!I", 16) + b"\0\0" + struct.pack("!HHHI", 0, 1, 0, 99),
            "insufficient data left",
        ),
    ],
)
def test_bad_messages(data, message):
    reader = m.FrontendReader(message_limit=1000)
    reader.feed(data)
    with pytest.raises(m.ProtocolError, match=message):
        list(reader.messages())

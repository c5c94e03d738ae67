"""A client in a few lines: frontend messages as bytes, backend messages as tuples."""

import struct


def message(tag, body=b""):
    return tag.encode() + struct.pack("!I", len(body) + 4) + body


def text(value):
    return value.encode() + b"\0"


def startup(**parameters):
    body = struct.pack("!I", 3 << 16)
    body += b"".join(text(name) + text(value) for name, value in parameters.items()) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def received(data):
    """Return backend messages as (tag, body)."""
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("!I", data, at + 1)
        found.append((chr(data[at]), data[at + 5 : at + 1 + length]))
        at += 1 + length
    assert at == len(data)
    return found


def simplified(data):
    """Return backend messages as short readable tuples."""
    return [_simplify(tag, body) for tag, body in received(data)]


def _simplify(tag, body):
    if tag in "EN":
        fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
        return (tag, fields[b"C"], fields[b"M"])
    if tag == "C":
        return (tag, body[:-1].decode())
    if tag == "Z":
        return (tag, body.decode())
    if tag == "S":
        return (tag, *(part.decode() for part in body[:-1].split(b"\0")))
    if tag == "D":
        return (tag, *_values(body))
    if tag == "T":
        return (tag, *(name for name, _, _ in columns(body)))
    return (tag,)


def _values(body):
    (count,) = struct.unpack_from("!H", body)
    at, values = 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        values.append(None if length == -1 else body[at : at + length].decode(errors="replace"))
        at += max(length, 0)
    return values


def columns(body):
    """Return (name, type oid, format) of a RowDescription."""
    (count,) = struct.unpack_from("!H", body)
    at, found = 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        _, _, oid, _, _, form = struct.unpack_from("!IhIhih", body, end + 1)
        found.append((body[at:end].decode(), oid, form))
        at = end + 19
    return found


def everything(client):
    """Return the answers of a server, as ``simplified``, until it ends the connection."""
    answer = b""
    while part := client.recv(65536):
        answer += part
    return simplified(answer)

"""One client's conversation as a state machine: messages in, bytes out, no sockets and no threads.

``process`` takes as long as the questions do; whoever calls it decides on which thread. Only
``cancel`` may be called from another thread meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from engine.cancellation import Cancellation
from engine.errors import UnsupportedError, WaylineError
from sqlfront import control, statements
from sqlfront.portal import Portal, Prepared, encoded, wanted_formats
from sqlfront.query import ResultColumn
from sqlfront.settings import initial_settings
from sqlfront.sqlstate import SqlError, to_wayline_error
from sqlfront.state import Front, SessionState
from sqlfront.tokens import Piece, split
from sqlfront.transaction import IDLE
from sqlfront.wire import messages as m
from sqlfront.wire import replies
from sqlfront.wire.parameters import decode_parameter
from sqlfront.wire.types import parameter_type

CHUNK: Final = 256 * 1024


@dataclass(frozen=True)
class _Parsed:
    """A statement after parsing: the question's place in the text, and what was found there."""

    piece: Piece
    control: statements.Control | None
    question: Any = None


class Session:
    """Answers one client's messages.

    Args:
        front: parser and planner.
        parameters: the client's startup parameters.
        process: number of the session.
        secret: what a cancel request must bring, with the number.
    """

    def __init__(self, front: Front, parameters: Mapping[str, str], process: int, secret: bytes) -> None:
        user = parameters.get("user", "")
        self._front = front
        self._secret = secret
        settings = initial_settings(user, parameters)
        self._state = SessionState(user, parameters.get("database") or user, process, settings, front.gate)
        self._skipping = False
        self._lock = threading.Lock()
        self._running: Cancellation | None = None

    def greet(self) -> bytes:
        """Return what follows the authentication.

        Raises:
            WaylineError: there is no such database.
        """
        if self._front.check is not None:
            self._front.check(self._state.caller())
        key = replies.backend_key_data(self._state.process, self._secret)
        return self._state.changed_settings() + key + self._ready()

    def process(self, messages: Sequence[m.Message]) -> Iterator[bytes]:
        """Answer messages in order; yield the bytes to send in chunks of moderate size."""
        gathered: list[bytes] = []
        size = 0
        for reply in self._replies(messages):
            gathered.append(reply)
            size += len(reply)
            if size >= CHUNK:
                yield b"".join(gathered)
                gathered, size = [], 0
        if gathered:
            yield b"".join(gathered)

    def cancel(self) -> None:
        """Cancel what runs now, if anything; may be called from any thread."""
        with self._lock:
            running = self._running
        if running is not None:
            running.cancel()

    def close(self) -> None:
        """Let go of everything; the session must not be used afterwards."""
        self._state.close_portals(held_too=True)

    def _replies(self, messages: Sequence[m.Message]) -> Iterator[bytes]:
        for message in messages:
            if self._skipping and not isinstance(message, m.Sync):
                continue
            try:
                yield from _HANDLERS[type(message)](self, message)
            except Exception as error:  # whatever goes wrong is told to the client
                self._state.block.fail()
                self._skipping = not isinstance(message, m.SimpleQuery)
                yield replies.error_response(to_wayline_error(error))
            if isinstance(message, m.SimpleQuery):
                yield self._ended_group()

    def _ready(self) -> bytes:
        return replies.ready_for_query(self._state.block.status)

    def _ended_group(self) -> bytes:
        """Close what does not outlive the group of messages; return ReadyForQuery."""
        self._state.in_script = False
        if self._state.block.status == IDLE:
            self._state.close_portals()
        return self._ready()

    def _simple_query(self, message: m.SimpleQuery) -> Iterator[bytes]:
        pieces = split(message.sql)
        if not pieces:
            yield replies.empty_query()
        parsed = [self._parsed(piece) for piece in pieces]
        self._state.in_script = len(pieces) > 1
        for statement in parsed:
            portal = Portal(self._planned(statement))
            try:
                yield from self._described(portal)
                yield from self._executed(portal, None)
            finally:
                portal.close()

    def _described(self, portal: Portal) -> Iterator[bytes]:
        columns = self._columns(portal.prepared)
        if isinstance(portal.prepared.control, statements.Fetch):
            cursor = self._state.portal(portal.prepared.control.cursor, "cursor")
            portal.formats = cursor.formats
        if columns:
            yield replies.row_description(columns, wanted_formats(portal.formats, columns))

    def _parsed(self, piece: Piece) -> _Parsed:
        """Return the control statement, or what the parser makes of the text, or both (DECLARE)."""
        with _position_from(piece.offset):
            found = statements.control(piece)
        if found is not None and not isinstance(found, statements.Declare):
            return _Parsed(piece, found)
        question = piece if found is None else found.query
        with _position_from(question.offset):
            return _Parsed(question, found, self._front.parse(question.sql))

    def _planned(self, parsed: _Parsed, oids: Sequence[int] = ()) -> Prepared:
        self._state.check_block(leaves_block=control.leaves_block(parsed.control))
        if parsed.question is None:
            return Prepared(parsed.piece.sql, control=parsed.control)
        declared = [parameter_type(oid) for oid in oids]
        with _position_from(parsed.piece.offset):
            query = self._front.plan(parsed.question, self._state.caller(), declared)
        return Prepared(parsed.piece.sql, control=parsed.control, query=query, declared_oids=tuple(oids))

    def _columns(self, prepared: Prepared) -> tuple[ResultColumn, ...]:
        if prepared.control is not None:
            return control.columns(self._state, prepared.control)
        return prepared.query.columns if prepared.query is not None else ()

    def _executed(self, portal: Portal, max_rows: int | None) -> Iterator[bytes]:
        """Yield rows and completion of a portal, or its suspension after ``max_rows``."""
        self._state.check_block(leaves_block=control.leaves_block(portal.prepared.control))
        if portal.prepared.control is not None:
            with self._cancellable(self._cancellation_of(portal)):
                yield from control.run(self._state, portal)
            return
        columns = self._columns(portal.prepared)
        formats = wanted_formats(portal.formats, columns)
        count = 0
        with self._cancellable(portal.cancellation):
            for batch in portal.rows(max_rows):
                count += batch.num_rows
                yield encoded(batch, columns, formats)
        if max_rows is not None and count == max_rows:
            yield replies.portal_suspended()
        else:
            yield replies.command_complete(portal.prepared.completion(count))

    def _cancellation_of(self, portal: Portal) -> Cancellation:
        """Return what cancels a control statement: for FETCH that of its cursor."""
        fetch = portal.prepared.control
        if isinstance(fetch, statements.Fetch):
            return self._state.portal(fetch.cursor, "cursor").cancellation
        return portal.cancellation

    @contextmanager
    def _cancellable(self, cancellation: Cancellation) -> Iterator[None]:
        with self._lock:
            self._running = cancellation
        try:
            yield
        finally:
            with self._lock:
                self._running = None

    def _parse(self, message: m.Parse) -> Iterator[bytes]:
        pieces = split(message.sql)
        if len(pieces) > 1:
            raise SqlError("cannot insert multiple commands into a prepared statement", "42601")
        prepared = Prepared(message.sql)
        for piece in pieces:
            prepared = self._planned(self._parsed(piece), message.parameter_oids)
        self._state.prepare(message.name, prepared)
        yield replies.parse_complete()

    def _bind(self, message: m.Bind) -> Iterator[bytes]:
        prepared = self._state.prepared(message.statement)
        self._state.check_block(leaves_block=control.leaves_block(prepared.control))
        values = _values(message, prepared)
        if prepared.control is None:
            wanted_formats(message.result_formats, self._columns(prepared))
        self._state.open_portal(message.portal, Portal(prepared, values, message.result_formats))
        yield replies.bind_complete()

    def _describe(self, message: m.Describe) -> Iterator[bytes]:
        if message.kind == "S":
            portal = Portal(self._state.prepared(message.name))
            yield replies.parameter_description(portal.prepared.parameter_oids)
        else:
            portal = self._state.portal(message.name)
        columns = self._columns(portal.prepared)
        if columns:
            yield replies.row_description(columns, wanted_formats(portal.formats, columns))
        else:
            yield replies.no_data()

    def _execute(self, message: m.Execute) -> Iterator[bytes]:
        portal = self._state.portal(message.portal)
        if portal.prepared.is_empty:
            yield replies.empty_query()
        else:
            yield from self._executed(portal, message.max_rows or None)

    def _close(self, message: m.Close) -> Iterator[bytes]:
        if message.kind == "S":
            self._state.forget_prepared(message.name)
        else:
            self._state.close_portal(message.name)
        yield replies.close_complete()

    def _flush(self, message: m.Flush) -> Iterator[bytes]:
        return iter(())

    def _sync(self, message: m.Sync) -> Iterator[bytes]:
        self._skipping = False
        yield self._ended_group()

    def _unsupported(self, message: m.Unsupported) -> Iterator[bytes]:
        if message.tag == "F":
            raise UnsupportedError("function calls are not supported", hint="Use SELECT.")
        return iter(())

    def _out_of_place(self, message: m.Message) -> Iterator[bytes]:
        raise m.ProtocolError(f"{type(message).__name__} message out of place")


def _values(message: m.Bind, prepared: Prepared) -> tuple[object, ...]:
    """Return the Python values of a Bind message."""
    types, given = prepared.parameter_types, len(message.values)
    if given != len(types):
        raise m.ProtocolError(
            f"bind message supplies {given} parameters, but prepared statement "
            f'"{message.statement}" requires {len(types)}'
        )
    formats = message.parameter_formats or (0,)
    formats = formats if len(formats) == given else formats * given
    return tuple(
        decode_parameter(raw, arrow_type, form == 1)
        for raw, arrow_type, form in zip(message.values, types, formats, strict=True)
    )


@contextmanager
def _position_from(offset: int) -> Iterator[None]:
    """Shift the position of an error in a statement to its place in the whole text."""
    try:
        yield
    except WaylineError as error:
        position = getattr(error, "position", None)
        if position is not None:
            error.position = position + offset  # type: ignore[attr-defined]
        raise


_HANDLERS: Final[dict[type, Callable[[Session, Any], Iterator[bytes]]]] = {
    m.SimpleQuery: Session._simple_query,
    m.Parse: Session._parse,
    m.Bind: Session._bind,
    m.Describe: Session._describe,
    m.Execute: Session._execute,
    m.Close: Session._close,
    m.Flush: Session._flush,
    m.Sync: Session._sync,
    m.Unsupported: Session._unsupported,
    m.Password: Session._out_of_place,
    m.Terminate: Session._out_of_place,
}

"""One client's conversation as a state machine: messages in, bytes out, no sockets and no threads.

``process`` takes as long as the questions do; whoever calls it decides on which thread. Only
``cancel`` may be called from another thread meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Final

from sqlglot import exp

from engine.cancellation import BY_USER, Cancellation
from engine.errors import UnknownNameError, UnsupportedError, WaylineError
from sqlfront import control, statements
from sqlfront.alarms import Alarms
from sqlfront.instant import Instant
from sqlfront.limits import Limits, seconds
from sqlfront.peer import Peer
from sqlfront.portal import Portal, Prepared, encoded, wanted_formats
from sqlfront.preparing import Prepare
from sqlfront.query import ResultColumn
from sqlfront.settings import initial_settings
from sqlfront.sqlstate import SqlError, to_wayline_error
from sqlfront.state import Front, SessionState
from sqlfront.temporaries import Drop, Insert, Truncate
from sqlfront.tokens import Piece, split
from sqlfront.transaction import IDLE
from sqlfront.wire import messages as m
from sqlfront.wire import replies
from sqlfront.wire.parameters import decode_parameter
from sqlfront.wire.replies import Data
from sqlfront.wire.types import parameter_type

CHUNK: Final = 256 * 1024
_GROUPS: Final = (m.SimpleQuery, m.FunctionCall)
"""Messages that are a group of their own: ReadyForQuery follows them, whatever they come to."""
_WAITED_FOR: Final = (*_GROUPS, m.Sync, m.Flush)
_TOO_LONG: Final = "canceling statement due to statement timeout"
_ALARMS: Final = Alarms()
_HERE: Final = Peer()
_USUAL: Final = Limits()


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
        peer: where the client is.
        limits: bounds of the server.
    """

    def __init__(
        self,
        front: Front,
        parameters: Mapping[str, str],
        process: int,
        secret: bytes,
        peer: Peer = _HERE,
        limits: Limits = _USUAL,
    ) -> None:
        user = parameters.get("user", "")
        self._front = front
        self._secret = secret
        self._limits = limits
        usual = limits.with_timeout(front.gate.limits(user, None).timeout_ms).settings
        self._usual_timeout = usual["statement_timeout"]
        server = {**usual, "ssl": "on" if peer.tls is not None else "off"}
        settings = initial_settings(user, parameters, server)
        database = parameters.get("database") or user
        self._state = SessionState(user, database, process, settings, front.gate, peer)
        self._began: float | None = None
        self._instant = Instant(self._state)
        self._skipping = False
        self._unanswered = 0
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
        return self._state.changed_settings() + key + replies.ready_for_query(IDLE)

    def process(self, messages: Sequence[m.Message]) -> Iterator[Data]:
        """Answer messages in order; yield the bytes to send in chunks of moderate size.

        What the client waits for, at the end of a group or at its Flush, comes before the next message is
        looked at, however long that one takes.
        """
        gathered: list[Data] = []
        size, self._unanswered = 0, len(messages)
        for message in messages:
            for reply in self._replies(message):
                gathered.append(reply)
                size += len(reply)
                if size >= CHUNK:
                    yield _joined(gathered)
                    gathered, size = [], 0
            self._unanswered -= 1
            if gathered and isinstance(message, _WAITED_FOR):
                yield _joined(gathered)
                gathered, size = [], 0
        if gathered:
            yield _joined(gathered)

    def is_instant(self, messages: Sequence[m.Message]) -> bool:
        """Tell whether ``process`` would take next to no time for these messages."""
        return not self._skipping and self._instant.covers(messages)

    @property
    def has_answered(self) -> bool:
        """Tell whether ``process`` has yielded all that it will, so that nobody need ask it again."""
        return not self._unanswered

    def cancel(self, reason: str = BY_USER) -> None:
        """Cancel what runs now, if anything; may be called from any thread."""
        with self._lock:
            running = self._running
        if running is not None:
            running.cancel(reason)

    def patience(self) -> tuple[float | None, SqlError]:
        """Return how many seconds the client may be silent now, and what then ends the session."""
        show = self._state.block.settings.show
        if self._state.block.status == IDLE:
            most = seconds(show("idle_session_timeout"), self._limits.idle_seconds)
            return most, SqlError("terminating connection due to idle-session timeout", "57P05")
        asked = show("idle_in_transaction_session_timeout")
        most = seconds(asked, self._limits.idle_in_transaction_seconds)
        return most, SqlError("terminating connection due to idle-in-transaction timeout", "25P03")

    def close(self) -> None:
        """Let go of everything; the session must not be used afterwards."""
        self._state.close_portals()

    def _replies(self, message: m.Message) -> Iterator[Data]:
        if self._skipping and not isinstance(message, m.Sync):
            return
        self._began = self._began or monotonic()
        try:
            yield from _HANDLERS[type(message)](self, message)
        except Exception as error:  # whatever goes wrong is told to the client
            self._state.fail()
            self._skipping = not isinstance(message, _GROUPS)
            yield replies.error_response(to_wayline_error(error))
        if isinstance(message, _GROUPS):
            yield self._ended_group()

    def _ended_group(self) -> bytes:
        """Close what does not outlive the group of messages; tell of new settings, then ReadyForQuery."""
        self._began = None
        self._state.end_group()
        return self._state.changed_settings() + replies.ready_for_query(self._state.block.status)

    def _simple_query(self, message: m.SimpleQuery) -> Iterator[Data]:
        self._state.forget_prepared("")
        known = self._known(message.sql)
        if known is not None:
            yield from self._asked(known)
            return
        pieces = split(message.sql)
        if not pieces:
            yield replies.empty_query()
        parsed = [self._parsed(piece) for piece in pieces]
        self._state.in_script = len(pieces) > 1
        for statement in parsed:
            self._began = monotonic()
            prepared = self._planned(statement)
            if not self._state.in_script:
                self._instant.remember(message.sql, prepared)
            yield from self._asked(prepared)

    def _asked(self, prepared: Prepared) -> Iterator[Data]:
        """Describe and run a statement of the simple protocol."""
        portal = Portal(prepared)
        try:
            yield from self._described(portal)
            yield from self._executed(portal, None)
        finally:
            portal.close()

    def _described(self, portal: Portal) -> Iterator[bytes]:
        if isinstance(portal.prepared.control, statements.Fetch):
            cursor = self._state.portal(portal.prepared.control.cursor, "cursor")
            portal.formats = cursor.formats
        description = self._description(portal)
        if description is not None:
            yield description

    def _parsed(self, piece: Piece) -> _Parsed:
        """Return the control statement, or what the parser makes of the text, or both (DECLARE, COPY, …)."""
        with _position_from(piece.offset):
            found = statements.control(piece)
        question = piece if found is None else statements.question_of(found)
        if question is None:
            return _Parsed(piece, found)
        with _position_from(question.offset):
            if found is not None:
                statements.check_question(question)
            return _Parsed(question, found, self._front.parse(question.sql))

    def _known(self, sql: str) -> Prepared | None:
        """Return the statement of a text whose answer is known, if the block takes it."""
        prepared = self._instant.prepared(sql)
        if prepared is not None:
            self._state.check_block(leaves_block=False)
        return prepared

    def _planned(self, parsed: _Parsed, oids: Sequence[int] = ()) -> Prepared:
        self._state.check_block(leaves_block=control.leaves_block(parsed.control))
        if isinstance(parsed.control, Insert | Drop | Truncate):
            self._check_target(parsed.control)
        if parsed.question is None:
            return Prepared(parsed.piece.sql, control=parsed.control, declared_oids=tuple(oids))
        oids = parsed.control.oids if isinstance(parsed.control, Prepare) else oids
        declared = [parameter_type(oid) for oid in oids]
        with _position_from(parsed.piece.offset):
            query = self._front.plan(parsed.question, self._state.caller(), declared)
        return Prepared(parsed.piece.sql, control=parsed.control, query=query, declared_oids=tuple(oids))

    def _check_target(self, control: Insert | Drop | Truncate) -> None:
        """Raise unless all that is written is the session's own; IF EXISTS lets go what is not there."""
        for name in (control.name,) if isinstance(control, Insert) else control.names:
            if isinstance(control, Drop) and control.lenient and not self._exists(name):
                continue
            self._state.temporary(name)

    def _exists(self, name: str) -> bool:
        if name in self._state.block.tables:
            return True
        question = exp.select("*").from_(exp.to_identifier(name, quoted=True)).sql("postgres")
        try:
            self._front.plan(self._front.parse(question), self._state.caller(), ())
        except UnknownNameError:
            return False
        return True

    def _columns(self, prepared: Prepared) -> tuple[ResultColumn, ...]:
        if prepared.control is not None:
            return control.columns(self._state, prepared.control)
        return prepared.query.columns if prepared.query is not None else ()

    def _description(self, portal: Portal) -> bytes | None:
        """Return what describes a portal's rows; None if it has none."""
        columns, constant = self._columns(portal.prepared), portal.prepared.constant
        if not columns:
            return None
        formats = wanted_formats(portal.formats, columns)
        return replies.row_description(columns, formats) if constant is None else constant.said(formats)[0]

    def _executed(self, portal: Portal, max_rows: int | None) -> Iterator[Data]:
        """Yield rows and completion of a portal, or its suspension after ``max_rows``."""
        statement = portal.prepared.control
        self._state.check_block(leaves_block=control.leaves_block(statement))
        first, constant = portal.start_once(), portal.prepared.constant
        if first and constant is not None and max_rows is None:
            portal.close()
            yield constant.said(wanted_formats(portal.formats, constant.columns))[1]
            yield replies.command_complete(portal.prepared.completion(constant.answer.num_rows))
            return
        if statement is not None and not control.returns_rows(statement):
            if not first:
                raise SqlError("the portal has been run and cannot be run again", "55000")
            with self._cancellable(self._cancellation_of(portal)):
                yield from control.run(self._state, portal)
            return
        columns = self._columns(portal.prepared)
        if first and statement is not None:
            control.start(self._state, portal)
        formats = wanted_formats(portal.formats, columns)
        count = 0
        with self._cancellable(portal.cancellation):
            for batch in portal.rows(max_rows):
                count += batch.num_rows
                yield encoded(batch, columns, formats, self._state.zone)
        if max_rows is not None and count == max_rows:
            yield replies.portal_suspended()
        else:
            yield replies.command_complete(portal.prepared.completion(count))

    def _cancellation_of(self, portal: Portal) -> Cancellation:
        """Return what cancels a control statement: for MOVE that of its cursor."""
        move = portal.prepared.control
        if isinstance(move, statements.Fetch):
            return self._state.portal(move.cursor, "cursor").cancellation
        return portal.cancellation

    @contextmanager
    def _cancellable(self, cancellation: Cancellation) -> Iterator[None]:
        """Let a client, or the clock, cancel what runs in the block."""
        with self._lock:
            self._running = cancellation
        try:
            with _ALARMS.after(self._seconds_left(), partial(cancellation.cancel, _TOO_LONG)):
                yield
        finally:
            with self._lock:
                self._running = None

    def _seconds_left(self) -> float | None:
        """How long the statement that has come may still run, counted from when it was looked at."""
        state = self._state
        asked = state.block.settings.show("statement_timeout")
        bound = self._limits.with_timeout(state.limits().timeout_ms).statement_seconds
        most = bound if asked == self._usual_timeout else seconds(asked, bound)
        return None if most is None else most - (monotonic() - (self._began or monotonic()))

    def _parse(self, message: m.Parse) -> Iterator[bytes]:
        if not message.name:
            self._state.forget_prepared("")
        prepared = self._known(message.sql) if not message.parameter_oids else None
        if prepared is None:
            pieces = split(message.sql)
            if len(pieces) > 1:
                raise SqlError("cannot insert multiple commands into a prepared statement", "42601")
            prepared = Prepared(message.sql, declared_oids=message.parameter_oids)
            for piece in pieces:
                prepared = self._planned(self._parsed(piece), message.parameter_oids)
            self._instant.remember(message.sql, prepared)
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
        yield self._description(portal) or replies.no_data()

    def _execute(self, message: m.Execute) -> Iterator[Data]:
        portal = self._state.portal(message.portal)
        if portal.prepared.is_empty:
            yield replies.empty_query()
        else:
            yield from self._executed(portal, message.max_rows or None)
        self._began = None

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

    def _function_call(self, message: m.FunctionCall) -> Iterator[bytes]:
        self._state.check_block(leaves_block=False)
        raise UnsupportedError("function calls are not supported", hint="Use SELECT.")

    def _ignored(self, message: m.CopyIn) -> Iterator[bytes]:
        return iter(())

    def _out_of_place(self, message: m.Message) -> Iterator[bytes]:
        raise m.ProtocolError(f"{type(message).__name__} message out of place")


def _joined(replies: Sequence[Data]) -> Data:
    return replies[0] if len(replies) == 1 else b"".join(replies)


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


_HANDLERS: Final[dict[type, Callable[[Session, Any], Iterator[Data]]]] = {
    m.SimpleQuery: Session._simple_query,
    m.Parse: Session._parse,
    m.Bind: Session._bind,
    m.Describe: Session._describe,
    m.Execute: Session._execute,
    m.Close: Session._close,
    m.Flush: Session._flush,
    m.Sync: Session._sync,
    m.FunctionCall: Session._function_call,
    m.CopyIn: Session._ignored,
    m.Password: Session._out_of_place,
    m.Terminate: Session._out_of_place,
}

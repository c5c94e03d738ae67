"""Runs the statements that concern the session alone, and says which columns they return."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pyarrow as pa

from sqlfront import statements as st
from sqlfront.copying import Copy
from sqlfront.portal import Portal, encoded, wanted_formats
from sqlfront.query import ResultColumn
from sqlfront.settings import canonical
from sqlfront.sqlstate import SqlError
from sqlfront.state import SessionState
from sqlfront.wire import replies
from sqlfront.wire.copy import copy_data
from sqlfront.wire.replies import Data
from sqlfront.wire.zones import in_zone

_SHOW_ALL: Final = tuple(ResultColumn(name, pa.string()) for name in ("name", "setting"))


def leaves_block(control: st.Control | None) -> bool:
    """Tell whether a statement is taken in a failed transaction block."""
    return isinstance(control, st.Transaction) and control.action in (
        "COMMIT",
        "ROLLBACK",
        "ROLLBACK TO",
    )


def columns(state: SessionState, control: st.Control) -> tuple[ResultColumn, ...]:
    """Return the columns of a control statement's answer; none for most."""
    if isinstance(control, st.Show):
        if control.name == "all":
            return _SHOW_ALL
        state.block.settings.show(control.name)
        return (ResultColumn(canonical(control.name), pa.string()),)
    if isinstance(control, st.Fetch) and not control.move:
        query = state.portal(control.cursor, "cursor").prepared.query
        return query.columns if query is not None else ()
    return ()


def run(state: SessionState, portal: Portal) -> Iterator[Data]:
    """Run a portal's control statement; yield its rows and its completion."""
    control = portal.prepared.control
    yield from _RUNNERS[type(control)](state, control, portal)


def _transaction(state: SessionState, control: st.Transaction, portal: Portal) -> Iterator[bytes]:
    block, tag, warning = state.block, control.action, None
    if control.action == "BEGIN":
        warning = block.begin()
    elif control.action in ("COMMIT", "ROLLBACK"):
        tag = "ROLLBACK" if block.status == "E" else tag
        state.close_portals()
        warning = block.commit() if control.action == "COMMIT" else block.rollback()
    else:
        _SAVEPOINTS[control.action](block, control.name)
        tag = control.action.removesuffix(" TO")
    if warning is not None:
        sqlstate = "25001" if control.action == "BEGIN" else "25P01"
        yield replies.notice_response(warning, sqlstate, "WARNING")
    yield state.changed_settings() + replies.command_complete(tag)


_SAVEPOINTS: Final[dict[str, Callable[..., None]]] = {
    "SAVEPOINT": lambda block, name: block.savepoint(name),
    "RELEASE": lambda block, name: block.release(name),
    "ROLLBACK TO": lambda block, name: block.rollback_to(name),
}


def _set(state: SessionState, control: st.SetVariable, portal: Portal) -> Iterator[bytes]:
    state.check_setting(canonical(control.name), control.value)
    warning = state.block.set(canonical(control.name), control.value, local=control.local)
    if warning is not None:
        yield replies.notice_response(warning, "25P01", "WARNING")
    yield state.changed_settings() + replies.command_complete("SET")


def _reset(state: SessionState, control: st.Reset, portal: Portal) -> Iterator[bytes]:
    if control.name is None:
        state.block.settings = state.block.settings.reset()
    else:
        state.block.set(control.name, None)
    yield state.changed_settings() + replies.command_complete("RESET")


def _show(state: SessionState, control: st.Show, portal: Portal) -> Iterator[Data]:
    settings = state.block.settings
    if control.name == "all":
        names = sorted({**settings.initial, **settings.changed}, key=str.lower)
        values = [names, [settings.show(name) for name in names]]
    else:
        values = [[settings.show(control.name)]]
    shown = columns(state, control)
    batch = pa.RecordBatch.from_arrays([pa.array(v) for v in values], [c.name for c in shown])
    yield encoded(batch, shown, wanted_formats(portal.formats, shown))
    yield replies.command_complete("SHOW")


def _declare(state: SessionState, control: st.Declare, portal: Portal) -> Iterator[bytes]:
    if not control.hold and not state.is_in_block:
        raise SqlError("DECLARE CURSOR can only be used in transaction blocks", "25P01")
    formats = (1,) if control.binary else ()
    state.open_portal(control.name, Portal(portal.prepared.question(), portal.values, formats, control.hold))
    yield replies.command_complete("DECLARE CURSOR")


def _fetch(state: SessionState, control: st.Fetch, portal: Portal) -> Iterator[Data]:
    cursor = state.portal(control.cursor, "cursor")
    shown = columns(state, st.Fetch(control.cursor, control.count, move=False))
    formats = wanted_formats(portal.formats or cursor.formats, shown)
    count = 0
    for batch in cursor.rows(control.count):
        count += batch.num_rows
        if not control.move:
            yield encoded(batch, shown, formats, state.zone)
    yield replies.command_complete(f"{'MOVE' if control.move else 'FETCH'} {count}")


def _close(state: SessionState, control: st.CloseCursor, portal: Portal) -> Iterator[bytes]:
    if control.name is None:
        state.close_portals(held_too=True)
    elif not state.close_portal(control.name):
        raise SqlError(f'cursor "{control.name}" does not exist', "34000")
    yield replies.command_complete("CLOSE CURSOR" + (" ALL" if control.name is None else ""))


def _deallocate(state: SessionState, control: st.Deallocate, portal: Portal) -> Iterator[bytes]:
    if not state.forget_prepared(control.name):
        raise SqlError(f'prepared statement "{control.name}" does not exist', "26000")
    yield replies.command_complete("DEALLOCATE" + (" ALL" if control.name is None else ""))


def _discard(state: SessionState, control: st.Discard, portal: Portal) -> Iterator[bytes]:
    if control.what == "ALL":
        if state.is_in_block:
            raise SqlError("DISCARD ALL cannot run inside a transaction block", "25001")
        state.discard_all()
    yield state.changed_settings() + replies.command_complete(f"DISCARD {control.what}")


def _copy(state: SessionState, control: Copy, portal: Portal) -> Iterator[Data]:
    query = portal.prepared.question().query
    answer = [
        ResultColumn(column.name, in_zone(column.type, state.zone))
        for column in (query.columns if query is not None else ())
    ]
    control.form.check([column.name for column in answer])
    yield replies.copy_out_response(control.form.is_binary, len(answer))
    count = yield from copy_data(portal.rows(None), answer, control.form)
    yield replies.copy_done() + replies.command_complete(f"COPY {count}")


def _nothing(state: SessionState, control: st.Nothing, portal: Portal) -> Iterator[bytes]:
    yield replies.command_complete(control.tag)


_RUNNERS: Final[dict[Any, Callable[..., Iterator[Data]]]] = {
    st.Transaction: _transaction,
    st.SetVariable: _set,
    st.Reset: _reset,
    st.Show: _show,
    st.Declare: _declare,
    st.Fetch: _fetch,
    st.CloseCursor: _close,
    st.Deallocate: _deallocate,
    st.Discard: _discard,
    Copy: _copy,
    st.Nothing: _nothing,
}

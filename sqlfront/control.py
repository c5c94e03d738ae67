"""Runs the statements that concern the session alone, and says which columns they return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from sqlfront import statements as st
from sqlfront.configuring import SetConfig
from sqlfront.copying import Copy
from sqlfront.portal import Portal, Prepared, encoded, wanted_formats
from sqlfront.preparing import Execute, Prepare
from sqlfront.query import ResultColumn
from sqlfront.settings import canonical
from sqlfront.sqlstate import SqlError
from sqlfront.state import SessionState
from sqlfront.temporaries import CreateTemporary, Drop, Insert, Truncate
from sqlfront.temporary_rows import table_of, with_rows, with_table
from sqlfront.transaction import FAILED
from sqlfront.wire import replies
from sqlfront.wire.codec import encode_values
from sqlfront.wire.copy import copy_data
from sqlfront.wire.parameters import decode_parameter
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
    if isinstance(control, SetConfig):
        return tuple(ResultColumn(setting.output, pa.string()) for setting in control.settings)
    if isinstance(control, Execute):
        prepared = state.prepared(control.name)
        inner = prepared.control
        return columns(state, inner) if inner is not None else _answered(prepared)
    if isinstance(control, st.Fetch) and not control.move:
        cursor = state.find_portal(control.cursor)
        return _answered(cursor.prepared) if cursor is not None else ()
    return ()


def _answered(prepared: Prepared) -> tuple[ResultColumn, ...]:
    return prepared.query.columns if prepared.query is not None else ()


def returns_rows(control: st.Control) -> bool:
    """Tell whether a control statement answers with rows, which may be taken a few at a time."""
    return isinstance(control, st.Show) or (isinstance(control, st.Fetch) and not control.move)


def start(state: SessionState, portal: Portal) -> None:
    """Have a portal take its rows from what its statement shows, or from the cursor it fetches from."""
    control = portal.prepared.control
    if isinstance(control, st.Fetch):
        cursor = _cursor(state, control.cursor)
        portal.read_from(cursor.rows(control.count), cursor.cancellation)
    elif isinstance(control, st.Show):
        portal.read_from(iter([_shown(state, control)]), portal.cancellation)


def run(state: SessionState, portal: Portal) -> Iterator[Data]:
    """Run a portal's control statement that answers with no rows; yield its completion."""
    control = portal.prepared.control
    yield from _RUNNERS[type(control)](state, control, portal)


def _transaction(state: SessionState, control: st.Transaction, portal: Portal) -> Iterator[bytes]:
    block, tag, warning = state.block, control.tag or control.action, None
    if control.action == "BEGIN":
        warning = block.begin()
    elif control.action in ("COMMIT", "ROLLBACK"):
        tag = "ROLLBACK" if block.status == FAILED else tag
        state.end_portals(committed=tag == "COMMIT")
        warning = block.commit() if control.action == "COMMIT" else block.rollback()
    else:
        _SAVEPOINTS[control.action](block, control.name)
        tag = control.action.removesuffix(" TO")
    if warning is not None:
        sqlstate = "25001" if control.action == "BEGIN" else "25P01"
        yield replies.notice_response(warning, sqlstate, "WARNING")
    yield replies.command_complete(tag)


_SAVEPOINTS: Final[dict[str, Callable[..., None]]] = {
    "SAVEPOINT": lambda block, name: block.savepoint(name),
    "RELEASE": lambda block, name: block.release(name),
    "ROLLBACK TO": lambda block, name: block.rollback_to(name),
}


def _set(state: SessionState, control: st.SetVariable, portal: Portal) -> Iterator[bytes]:
    state.check_setting(canonical(control.name), control.value)
    warning = state.block.set(canonical(control.name), control.value, local=control.local)
    if warning is not None and not state.in_script:
        yield replies.notice_response(warning, "25P01", "WARNING")
    yield replies.command_complete("SET")


def _reset(state: SessionState, control: st.Reset, portal: Portal) -> Iterator[bytes]:
    if control.name is None:
        state.block.settings = state.block.settings.reset()
    else:
        state.block.set(control.name, None)
    yield replies.command_complete("RESET")


def _shown(state: SessionState, control: st.Show) -> pa.RecordBatch:
    settings = state.block.settings
    if control.name == "all":
        names = sorted({**settings.initial, **settings.changed}, key=str.lower)
        values = [names, [settings.show(name) for name in names]]
    else:
        values = [[settings.show(control.name)]]
    names = [column.name for column in columns(state, control)]
    return pa.RecordBatch.from_arrays([pa.array(value, pa.string()) for value in values], names)


def _declare(state: SessionState, control: st.Declare, portal: Portal) -> Iterator[bytes]:
    if not control.hold and not state.is_in_block:
        raise SqlError("DECLARE CURSOR can only be used in transaction blocks", "25P01")
    formats = (1,) if control.binary else ()
    state.open_portal(control.name, Portal(portal.prepared.question(), portal.values, formats, control.hold))
    yield replies.command_complete("DECLARE CURSOR")


def _move(state: SessionState, control: st.Fetch, portal: Portal) -> Iterator[Data]:
    cursor = _cursor(state, control.cursor)
    count = sum(batch.num_rows for batch in cursor.rows(control.count))
    yield replies.command_complete(f"MOVE {count}")


def _cursor(state: SessionState, name: str) -> Portal:
    cursor = state.portal(name, "cursor")
    if cursor.prepared.query is None or cursor.prepared.control is not None:
        raise SqlError(f'portal "{name}" cannot be run', "55000")
    return cursor


def _close(state: SessionState, control: st.CloseCursor, portal: Portal) -> Iterator[bytes]:
    if control.name is None:
        state.close_portals(but=portal)
    elif state.find_portal(control.name) is portal:
        raise SqlError(f'cannot drop active portal "{control.name}"', "24000")
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
    elif control.what == "TEMP":
        state.block.tables = {}
    yield replies.command_complete(f"DISCARD {control.what}")


def _prepare(state: SessionState, control: Prepare, portal: Portal) -> Iterator[Data]:
    state.prepare(control.name, replace(portal.prepared.question(), sql=control.query.sql))
    yield replies.command_complete("PREPARE")


def _execute(state: SessionState, control: Execute, portal: Portal) -> Iterator[Data]:
    prepared = state.prepared(control.name)
    values = _arguments(control, portal, prepared.parameter_types)
    inner = Portal(prepared, values, portal.formats, _cancellation=portal.cancellation)
    if prepared.control is not None:
        yield from run(state, inner)
        return
    shown, count = _answered(prepared), 0
    formats = wanted_formats(portal.formats, shown)
    try:
        for batch in inner.rows(None):
            count += batch.num_rows
            yield encoded(batch, shown, formats, state.zone)
    finally:
        inner.close()
    yield replies.command_complete(prepared.completion(count))


def _arguments(control: Execute, portal: Portal, types: Sequence[pa.DataType]) -> tuple[object, ...]:
    """Return the values of an EXECUTE, each read as a text of its parameter's type."""
    given: list[pa.RecordBatch] = list(portal.rows(None)) if control.query is not None else []
    rows = sum(batch.num_rows for batch in given)
    if rows > 1 or (given[0].num_columns if rows else 0) != len(types):
        raise SqlError(f'wrong number of parameters for prepared statement "{control.name}"', "42601")
    query = portal.prepared.query
    announced = query.columns if query is not None else ()
    return tuple(
        decode_parameter(encode_values(given[0].column(at), announced[at].type, False)[0], kind, False)
        for at, kind in enumerate(types)
    )


def _set_config(state: SessionState, control: SetConfig, portal: Portal) -> Iterator[Data]:
    shown = columns(state, control)
    for setting in control.settings:
        state.check_setting(canonical(setting.name), setting.value)
        state.block.set(canonical(setting.name), setting.value, local=setting.local)
    values = [pa.array([setting.value]) for setting in control.settings]
    batch = pa.RecordBatch.from_arrays(values, [column.name for column in shown])
    yield state.changed_settings()
    yield encoded(batch, shown, wanted_formats(portal.formats, shown))
    yield replies.command_complete("SELECT 1")


def _create(state: SessionState, control: CreateTemporary, portal: Portal) -> Iterator[Data]:
    if control.name in state.block.tables:
        if not control.lenient:
            raise SqlError(f'relation "{control.name}" already exists', "42P07")
        yield replies.notice_response(f'relation "{control.name}" already exists, skipping', "42P07")
        yield replies.command_complete("CREATE TABLE")
        return
    table, tag = pa.schema(list(control.columns)).empty_table(), "CREATE TABLE"
    if control.query is not None:
        batches = list(portal.rows(None if control.with_rows else 0))
        names = [name for name, _ in control.columns]
        table = table_of(names, _answered(portal.prepared), batches)
        tag = f"SELECT {table.num_rows}" if control.with_rows else "CREATE TABLE AS"
    state.block.tables = with_table(state.block.tables, control.name, table)
    yield replies.command_complete(tag)


def _insert(state: SessionState, control: Insert, portal: Portal) -> Iterator[Data]:
    before = state.temporary(control.name)
    table = with_rows(before, control.columns, _answered(portal.prepared), list(portal.rows(None)))
    state.block.tables = with_table(state.block.tables, control.name, table)
    yield replies.command_complete(f"INSERT 0 {table.num_rows - before.num_rows}")


def _drop(state: SessionState, control: Drop, portal: Portal) -> Iterator[Data]:
    if not control.lenient:
        for name in control.names:
            state.temporary(name)
    for name in control.names:
        if name not in state.block.tables:
            yield replies.notice_response(f'table "{name}" does not exist, skipping', "00000")
    kept = {name: table for name, table in state.block.tables.items() if name not in control.names}
    state.block.tables = kept
    yield replies.command_complete("DROP TABLE")


def _truncate(state: SessionState, control: Truncate, portal: Portal) -> Iterator[Data]:
    emptied = {name: state.temporary(name).slice(0, 0) for name in control.names}
    state.block.tables = {**state.block.tables, **emptied}
    yield replies.command_complete("TRUNCATE TABLE")


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
    st.Declare: _declare,
    st.Fetch: _move,
    st.CloseCursor: _close,
    st.Deallocate: _deallocate,
    st.Discard: _discard,
    Copy: _copy,
    Prepare: _prepare,
    Execute: _execute,
    SetConfig: _set_config,
    CreateTemporary: _create,
    Insert: _insert,
    Drop: _drop,
    Truncate: _truncate,
    st.Nothing: _nothing,
}

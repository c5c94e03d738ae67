"""SELECT of nothing but ``filterName``, ``filterId`` or ``daterangeName``: a list of what can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
from sqlglot import exp

from engine.dataview.components import DataView
from engine.errors import UnsupportedError
from sqlfront.literals import rows_query
from sqlfront.planner.block import Block, aggregates, assembled
from sqlfront.planner.relations import Rows, Scan
from sqlfront.planner.terms import LISTED, is_constant
from sqlfront.planner.timerange import range_terms
from sqlfront.trees import column, columns, guarded, replaced

_LIST = "listed"


def listing(block: Block, scan: Scan) -> Rows | None:
    """Plan a block that reads special columns only; None if it reads anything else.

    Conditions on time say nothing of names and are left out: tools send one with everything.

    Raises:
        UnsupportedError: it lists segments beside date ranges, or by a condition on events.
    """
    shown = [node for nodes in (block.expressions(), block.groups) for node in nodes]
    read = {_id(part, scan.view) for node in shown for part in columns(node)}
    if not read or not read <= LISTED or scan.lookups or any(map(aggregates, shown)):
        return None
    terms = [term for term in block.terms if range_terms(term, scan.view) is None]
    about = {_id(part, scan.view) for term in terms for part in columns(term)} | read
    if not about <= LISTED or len({name == "daterangeName" for name in about}) > 1:
        raise UnsupportedError(
            "names of saved segments, names of date ranges and values of events cannot be listed together",
            hint='Ask for one by itself: SELECT "filterName" FROM …',
        )
    over = replace(block, terms=()).mapped(_over_list)
    select = assembled(over, _source(scan.view, "daterangeName" in about), list(map(_over_list, terms)))
    if over.groups:
        select = select.group_by(*(g for g in over.groups if not is_constant(g)), copy=False)
    for term in over.having:
        select = select.having(guarded(term), copy=False)
    return Rows(select, block.names)


def _id(part: exp.Column, view: DataView) -> str:
    return part.name if part.table else view.component(part.name).id


def _over_list(node: exp.Expr) -> exp.Expr:
    return replaced(node, lambda part: column(part.name, _LIST) if isinstance(part, exp.Column) else None)


def _source(view: DataView, of_ranges: bool) -> exp.Select:
    names: dict[str, Sequence[str]] = {
        "filterId": list(view.segments),
        "filterName": [saved.name for saved in view.segments.values()],
    }
    if of_ranges:
        names = {"daterangeName": list(view.date_ranges)}
    table = pa.table({name: pa.array(values, pa.string()) for name, values in names.items()})
    return exp.Select().from_(rows_query(table).subquery(_LIST))

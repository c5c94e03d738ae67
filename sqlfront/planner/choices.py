"""Saved segments and date ranges that a question chooses: ``filterName = 'Buyers'`` in its WHERE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import pyarrow as pa
from sqlglot import exp

from engine.dataview.components import DataView
from engine.definitions.model import DateRangeDefinition, SegmentDefinition
from engine.definitions.moments import Moment, read_moment
from engine.errors import UnsupportedError, did_you_mean
from sqlfront.functions import now
from sqlfront.planner.block import Block
from sqlfront.planner.relations import Chosen, RangeTerm
from sqlfront.planner.terms import LISTED, is_constant
from sqlfront.planner.timerange import CEILING, INSTANT
from sqlfront.planner.zones import local
from sqlfront.problems import UnknownChoiceError
from sqlfront.trees import bare, replaced

SEGMENT_ID: Final = "filterId"
SEGMENT_NAME: Final = "filterName"
RANGE_NAME: Final = "daterangeName"

_MIDNIGHT: Final = ((INSTANT, CEILING),)
"""Moments are times, not days: a bound stays where it is."""


@dataclass(frozen=True)
class Resolved:
    """What choices mean once their values are known.

    Attributes:
        is_empty: one of them chooses nothing, as nothing equals NULL.
    """

    range: tuple[RangeTerm, ...] = ()
    segments: tuple[SegmentDefinition, ...] = ()
    is_empty: bool = False


def chosen(term: exp.Expr, view: DataView) -> Chosen | None:
    """Read a term of WHERE as a choice: a special column equals a constant, or one of several.

    Raises:
        UnknownChoiceError: a text is not among the view's.
        UnsupportedError: several date ranges, of which a question has one.
    """
    term = bare(term)
    if isinstance(term, exp.EQ):
        found = _choice(term.this, [term.expression], view) or _choice(term.expression, [term.this], view)
    elif isinstance(term, exp.In) and term.expressions:
        found = _choice(term.this, term.expressions, view)
    else:
        return None
    for value in () if found is None else found.values:
        if isinstance(value, exp.Literal):
            _known(found.column if found else "", value.name, view)
    return found


def _choice(named: exp.Expr, values: Sequence[exp.Expr], view: DataView) -> Chosen | None:
    named = bare(named)
    if not isinstance(named, exp.Column) or named.table or view.component(named.name).id not in LISTED:
        return None
    if not all(map(is_constant, values)):
        return None
    found = Chosen(view.component(named.name).id, tuple(dict.fromkeys(_plain(value) for value in values)))
    if found.column == RANGE_NAME and len(found.values) > 1:
        raise UnsupportedError(
            "several date ranges at once are not supported", hint="Ask for each, and UNION the answers."
        )
    return found


def _plain(value: exp.Expr) -> exp.Expr:
    """Take parentheses and casts off a text."""
    inner = bare(value)
    while isinstance(inner, exp.Cast):
        inner = bare(inner.this)
    return inner if isinstance(inner, exp.Literal) and inner.is_string else value


def _known(column: str, value: str, view: DataView) -> SegmentDefinition | DateRangeDefinition:
    """Return what a value of a special column stands for."""
    known: Mapping[str, SegmentDefinition | DateRangeDefinition] = view.date_ranges
    if column == SEGMENT_ID:
        known = {key: saved.segment for key, saved in view.segments.items()}
    elif column == SEGMENT_NAME:
        known = {saved.name: saved.segment for saved in view.segments.values()}
    if value not in known:
        what = "date range" if column == RANGE_NAME else "saved segment"
        raise UnknownChoiceError(
            f'data view "{view.name}" has no {what} {value!r}',
            hint=did_you_mean(value, known) or f'SELECT "{column}" FROM "{view.name}" lists them.',
        )
    return known[value]


def resolved(choices: Iterable[Chosen], view: DataView, answer: Callable[[exp.Expr], pa.Table]) -> Resolved:
    """Return what choices mean.

    Args:
        answer: runs a query that reads no view.

    Raises:
        UnknownChoiceError: a value is not among the view's.
    """
    whole = Resolved()
    for choice in choices:
        texts = [_text(value, answer) for value in choice.values]
        found = [_known(choice.column, text, view) for text in texts if text is not None]
        segments = tuple(each for each in found if isinstance(each, SegmentDefinition))
        ranges = [each for each in found if isinstance(each, DateRangeDefinition)]
        one = segments if len(segments) < 2 else (SegmentDefinition(any=segments),)
        whole = replace(
            whole,
            range=whole.range + tuple(term for each in ranges for term in _bounds(each, view)),
            segments=whole.segments + one,
            is_empty=whole.is_empty or not found,
        )
    return whole


def _text(value: exp.Expr, answer: Callable[[exp.Expr], pa.Table]) -> str | None:
    if isinstance(value, exp.Literal) and value.is_string:
        return str(value.name)
    found: str | None = answer(exp.select(exp.cast(value.copy(), "text").as_("value"))).column(0)[0].as_py()
    return found


def _bounds(definition: DateRangeDefinition, view: DataView) -> list[RangeTerm]:
    zone = view.definition.time_zone
    ends = ((True, definition.since), (False, definition.before))
    return [
        RangeTerm(is_start, moment(read_moment(text), zone), _MIDNIGHT)
        for is_start, text in ends
        if text is not None
    ]


def moment(named: Moment, zone: str) -> exp.Expr:
    """Return a moment as an expression: a wall-clock time in a zone.

    >>> moment(read_moment("start of month - 1 month"), "UTC").sql("duckdb")
    "DATE_TRUNC('MONTH', (NOW() AT TIME ZONE 'UTC')) - INTERVAL '1' MONTH"
    """
    if isinstance(named.anchor, datetime):
        found: exp.Expr = exp.cast(exp.Literal.string(named.anchor.isoformat(" ")), "timestamp")
    elif named.anchor == "now":
        found = local(now(), zone)
    else:
        found = exp.TimestampTrunc(this=local(now(), zone), unit=exp.Var(this=named.anchor.upper()))
    for number, period in named.steps:
        step = exp.Interval(this=exp.Literal.string(str(abs(number))), unit=exp.Var(this=period.upper()))
        found = (exp.Sub if number < 0 else exp.Add)(this=found, expression=step)
    return found


def with_chosen_names(block: Block, view: DataView) -> Block:
    """Return a block in which the special columns that WHERE chooses one value for show that value."""
    choices = {at: chosen(term, view) for at, term in enumerate(block.terms)}
    values: dict[str, dict[exp.Expr, None]] = {}
    for choice in choices.values():
        if choice is not None and len(choice.values) == 1:
            for column, value in _both_names(choice, view):
                values.setdefault(column, {})[value] = None
    constants = {column: next(iter(each)) for column, each in values.items() if len(each) == 1}
    if not constants:
        return block

    def shown(part: exp.Expr) -> exp.Expr | None:
        if not isinstance(part, exp.Column) or part.table:
            return None
        found = constants.get(view.component(part.name).id)
        return None if found is None else exp.cast(found.copy(), "text")

    changed = block.mapped(lambda node: replaced(node, shown))
    terms = zip(block.terms, changed.terms, strict=True)
    kept = tuple(old if choices[at] is not None else new for at, (old, new) in enumerate(terms))
    return replace(changed, terms=kept)


def _both_names(choice: Chosen, view: DataView) -> list[tuple[str, exp.Expr]]:
    """A segment that is chosen by name has its id too, and the other way round."""
    value = choice.values[0]
    found = [(choice.column, value)]
    if isinstance(value, exp.Literal):
        for key, saved in view.segments.items():
            if value.name == {SEGMENT_ID: key, SEGMENT_NAME: saved.name}.get(choice.column):
                found = [
                    (SEGMENT_ID, exp.Literal.string(key)),
                    (SEGMENT_NAME, exp.Literal.string(saved.name)),
                ]
    return found

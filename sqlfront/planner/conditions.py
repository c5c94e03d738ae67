"""The terms of a WHERE over a view, each read in one of the ways of docs/semantics.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlglot import exp

from engine.dataview.components import DataView
from sqlfront.planner.choices import RANGE_NAME, chosen
from sqlfront.planner.relations import Chosen, RangeTerm, Reading
from sqlfront.planner.terms import is_constant, reading, refuse_metrics, refuse_special
from sqlfront.planner.timerange import range_terms


@dataclass(frozen=True)
class Conditions:
    """Terms by how they work.

    Attributes:
        range: bounds of the report's range.
        constants: terms without columns.
        segment: terms of the ad-hoc event segment.
        chosen: saved segments and date ranges.
        filters: terms on grouped columns only, which filter the answer's rows.
    """

    range: tuple[RangeTerm, ...] = ()
    constants: tuple[exp.Expr, ...] = ()
    segment: tuple[exp.Expr, ...] = ()
    filters: tuple[exp.Expr, ...] = ()
    chosen: tuple[Chosen, ...] = ()
    readings: tuple[Reading, ...] = ()


def read_terms(
    terms: Iterable[exp.Expr], view: DataView, is_grouped: Callable[[exp.Expr], bool]
) -> Conditions:
    """Read the ANDed terms of a WHERE.

    Args:
        is_grouped: tells whether a term reads grouped expressions only.

    Raises:
        UnsupportedError: a term names a metric, or says of a saved segment more than that it holds.
        UnknownChoiceError: there is no such segment or date range.
    """
    found: dict[str, list[exp.Expr]] = {"constants": [], "segment": [], "filters": []}
    ranges: list[RangeTerm] = []
    readings: list[Reading] = []
    choices: list[Chosen] = []
    for term in terms:
        choice = chosen(term, view)
        if choice is not None:
            choices.append(choice)
            readings.append(reading(term, "range" if choice.column == RANGE_NAME else "saved"))
            continue
        refuse_special(term, view)
        refuse_metrics(term, view, "WHERE")
        bounds = range_terms(term, view)
        how = "range" if bounds is not None else _kind(term, is_grouped)
        if bounds is not None:
            ranges += bounds
        else:
            found[how].append(term)
        readings.append(reading(term, how))
    kinds = {name: tuple(members) for name, members in found.items()}
    return Conditions(range=tuple(ranges), chosen=tuple(choices), readings=tuple(readings), **kinds)


def _kind(term: exp.Expr, is_grouped: Callable[[exp.Expr], bool]) -> str:
    if is_constant(term):
        return "constants"
    return "filters" if is_grouped(term) else "segment"


def range_or_segment(
    terms: Iterable[exp.Expr], view: DataView
) -> tuple[tuple[RangeTerm, ...], list[exp.Expr]]:
    """Divide terms into bounds of a range and the others."""
    ranges: list[RangeTerm] = []
    others: list[exp.Expr] = []
    for term in terms:
        bounds = range_terms(term, view)
        if bounds is None:
            others.append(term)
        else:
            ranges += bounds
    return tuple(ranges), others

"""Segments ready to be evaluated: conditions in SQL, read and checked against a view's components.

A condition is about one event. It is data and not a program: what is not on the lists below is refused, so
it can neither read anything else nor change its meaning from one moment to the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final, NoReturn

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.expressions import DType

from engine.dataview.components import LOCAL_TIME, Component, DataView, Role, Scope
from engine.definitions.model import SegmentDefinition
from engine.errors import DefinitionError, UnknownColumnError, did_you_mean

Path = tuple[str, ...]

_OPERATORS: Final = frozenset(
    {
        *(exp.And, exp.Or, exp.Not, exp.Paren, exp.Case, exp.If, exp.In, exp.Is, exp.Between),
        *(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ),
        *(exp.Like, exp.ILike, exp.Escape, exp.RegexpLike, exp.RegexpILike, exp.DPipe),
        *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Extract, exp.Interval, exp.Var),
        *(exp.Cast, exp.DataType, exp.DataTypeParam),
        *(exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null),
    }
)
_FUNCTIONS: Final[dict[str, type[exp.Expr]]] = {
    "abs": exp.Abs,
    "ceil": exp.Ceil,
    "coalesce": exp.Coalesce,
    "contains": exp.Contains,
    "date_trunc": exp.TimestampTrunc,
    "ends_with": exp.EndsWith,
    "floor": exp.Floor,
    "greatest": exp.Greatest,
    "least": exp.Least,
    "left": exp.Left,
    "length": exp.Length,
    "lower": exp.Lower,
    "nullif": exp.Nullif,
    "replace": exp.Replace,
    "right": exp.Right,
    "round": exp.Round,
    "split_part": exp.SplitPart,
    "starts_with": exp.StartsWith,
    "strpos": exp.StrPosition,
    "substring": exp.Substring,
    "trim": exp.Trim,
    "upper": exp.Upper,
}
_ALLOWED: Final = _OPERATORS | frozenset(_FUNCTIONS.values())
_TYPES: Final = (
    *(DType.TEXT, DType.VARCHAR, DType.BOOLEAN, DType.DATE, DType.TIMESTAMP),
    *(DType.SMALLINT, DType.INT, DType.BIGINT, DType.FLOAT, DType.DOUBLE, DType.DECIMAL),
)
_OFFSET: Final = re.compile(r"\d\d:\d\d\S*\s*(?:Z|[+-]\d\d(?::?\d\d)?)\s*$", re.IGNORECASE)


class Container(StrEnum):
    """What a segment takes as a whole."""

    EVENT = "event"
    SESSION = "session"
    PERSON = "person"


@dataclass(frozen=True)
class Segment:
    """A checked segment.

    Attributes:
        container: taken as a whole where an event in it is found.
        exclude: the containers that would be taken are left out, all others taken.
        condition: what finds an event, over components; None where ``parts`` do.
        parts: segments that each find events.
        every: all parts must find an event in the container, else one must.
        path: where it is defined, for errors.
    """

    container: Container
    exclude: bool
    condition: exp.Expr | None
    parts: tuple[Segment, ...] = ()
    every: bool = True
    path: Path = field(default=(), compare=False)


class SegmentError(DefinitionError):
    """A segment that cannot be evaluated.

    Args:
        path: the key path to what is wrong.
        reason: what is wrong.
    """

    def __init__(self, path: Path, reason: str, hint: str | None = None) -> None:
        super().__init__(f"{'.'.join(path)}: {reason}", hint=hint)
        self.path = path
        self.reason = reason


def segments_of(
    definitions: Iterable[SegmentDefinition], view: DataView, path: Path = ("segments",)
) -> tuple[Segment, ...]:
    """Check segments against a view's components.

    Args:
        path: the key path to them, for errors.

    Raises:
        SegmentError: one cannot be evaluated.
    """
    return tuple(
        _segment(definition, view, (*path, str(place))) for place, definition in enumerate(definitions)
    )


def walk(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Yield segments and the parts inside them."""
    for segment in segments:
        yield segment
        yield from walk(segment.parts)


def conditions(segments: Iterable[Segment]) -> list[exp.Expr]:
    """Return the conditions in segments, at any depth."""
    return [found.condition for found in walk(segments) if found.condition is not None]


def spelled(segment: Segment) -> str:
    """Return a segment in words and SQL, for people."""
    if segment.condition is not None:
        found = segment.condition.sql("postgres")
    else:
        joint = " and " if segment.every else " or "
        found = joint.join(f"({spelled(part)})" for part in segment.parts)
    if segment.container is Container.EVENT:
        return f"all events but: {found}" if segment.exclude else f"events: {found}"
    return f"{segment.container}s {'without' if segment.exclude else 'with'} an event: {found}"


def _segment(definition: SegmentDefinition, view: DataView, path: Path) -> Segment:
    container = Container(definition.container)
    if definition.where is not None:
        condition = _condition(definition.where, view, (*path, "where"))
        return Segment(container, definition.exclude, condition, path=path)
    key, inner = ("all", definition.all) if definition.all else ("any", definition.any)
    parts = segments_of(inner, view, (*path, key))
    return Segment(container, definition.exclude, None, parts, key == "all", path)


def _condition(text: str, view: DataView, path: Path) -> exp.Expr:
    """Read a condition; its columns become components."""
    try:
        tree = _parsed(text)
    except (SqlglotError, RecursionError):
        raise SegmentError(
            path, f"{text!r} is not a condition in SQL", "Such as: channel = 'email' AND orders > 0"
        ) from None
    nodes = list(tree.walk())
    for node in nodes:
        _check_node(node, path)
    for column in (node for node in nodes if isinstance(node, exp.Column)):
        component = _component(column, view, path)
        if component.scope is Scope.TIME:
            _refuse_offsets(nodes, view, path)
    return _resolved(tree, view)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> exp.Expr:
    """Parse a condition; the tree must not be changed."""
    return parse_one(text, dialect="postgres")


def _resolved(tree: exp.Expr, view: DataView) -> exp.Expr:
    """Return a condition over components by their ids.

    What cannot be cast, or is divided by zero, is NULL and ends no report.
    """
    whole = exp.Paren(this=tree.copy())
    for node in reversed(list(whole.walk())):
        if isinstance(node, exp.Column):
            node.replace(exp.column(view.component(node.name).id, quoted=True))
        elif type(node) is exp.Cast and not isinstance(node.this, exp.Literal):
            node.replace(exp.TryCast(this=node.this, to=node.args["to"]))
        elif type(node) in (exp.Div, exp.Mod):
            divisor = exp.Paren(this=node.expression.copy())
            node.set("expression", exp.Nullif(this=divisor, expression=exp.convert(0)))
        elif type(node) in (exp.Like, exp.ILike) and _may_escape(node):
            node.replace(exp.Escape(this=node.copy(), expression=exp.Literal.string("\\")))
    found: exp.Expr = whole.this
    return found


def _may_escape(like: exp.Expr) -> bool:
    r"""Tell whether the pattern of a LIKE without ESCAPE may hold PostgreSQL's ``\``."""
    pattern = like.expression
    is_plain = isinstance(pattern, exp.Literal) and "\\" not in pattern.name
    return not is_plain and not isinstance(like.parent, exp.Escape)


def _check_node(node: exp.Expr, path: Path) -> None:
    if isinstance(node, (exp.Query, exp.Exists)):
        hint = "Write the values: channel IN ('email', 'paid')."
        raise SegmentError(path, "a segment cannot ask a sub-query", hint)
    if type(node) not in _ALLOWED:
        _refuse(node, path)
    if isinstance(node, exp.DataType) and not node.is_type(*_TYPES):
        name = node.sql("postgres").lower()
        hint = "Use text, boolean, integer, bigint, double precision, decimal, date or timestamp."
        raise SegmentError(path, f"a segment cannot cast to {name}", hint)
    if isinstance(node, exp.Column) and node.table:
        hint = "Name components of the view alone; quote a name that has a dot."
        raise SegmentError(path, f'"{node.sql("postgres")}" is not a component', hint)


def _refuse(node: exp.Expr, path: Path) -> NoReturn:
    if isinstance(node, exp.AggFunc):
        hint = "A condition is about one event; use container: session or person to look further."
        raise SegmentError(path, f"{node.sql('postgres')} adds up many events", hint)
    if isinstance(node, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else type(node).sql_name()
        close = did_you_mean(name.lower(), _FUNCTIONS) or ""
        hint = close if close.startswith("Did") else f"Functions: {', '.join(_FUNCTIONS)}."
        raise SegmentError(path, f"function {name.lower()} cannot be used in a segment", hint)
    hint = "Use comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, CASE and arithmetic."
    raise SegmentError(path, f"{node.sql('postgres')!r} cannot be used in a segment", hint)


def _component(column: exp.Column, view: DataView, path: Path) -> Component:
    try:
        component = view.component(column.name)
    except UnknownColumnError as error:
        raise SegmentError(path, f'there is no component "{column.name}"', error.hint) from None
    if not component.additive:
        hint = "Use container: session or person to take them as a whole."
        raise SegmentError(path, f'"{component.id}" has no value on an event', hint)
    if component.role is Role.SPECIAL and component.type != LOCAL_TIME:
        hint = "Write the condition itself."
        raise SegmentError(path, f'"{component.id}" has no value on an event', hint)
    return component


def _refuse_offsets(nodes: Iterable[exp.Expr], view: DataView, path: Path) -> None:
    for node in nodes:
        if isinstance(node, exp.Literal) and node.is_string and _OFFSET.search(node.name):
            hint = f"Write it without an offset, as it is in {view.definition.time_zone}."
            raise SegmentError(path, f"{node.name!r}: times are in the view's time zone", hint)

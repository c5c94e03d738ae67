"""Rows LEFT JOIN a view, grouped by what ties the two: a report by these groups, joined to the rows.

Calendars and lists of values are joined so, to show what has no events as well. Every group is one row beside
one group of the report, so that people and sessions count as in the report itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from sqlfront.planner.block import Block, assembled, expands, has_window
from sqlfront.planner.context import Planning, reports_in
from sqlfront.planner.grouped import grouped
from sqlfront.planner.lookups import is_unique, ties
from sqlfront.planner.relations import Joined, JoinedSource, Rows, Scan, as_source
from sqlfront.planner.terms import is_constant, metrics
from sqlfront.problems import GroupingError
from sqlfront.safety import is_aggregate
from sqlfront.trees import bare, column, columns, conjoin, guarded, key, own, replaced

_REPORT = "answer"
_EVENTS = "_events"
_EMPTY_AS_NULL = (exp.Sum, exp.Min, exp.Max, exp.Avg)


def _present(node: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=node, expression=exp.null()))


def spine_rows(block: Block, joined: Joined, planning: Planning) -> Rows | None:
    """Plan a grouped block over rows LEFT JOIN a view; None if it is anything else.

    Args:
        block: over the join; its terms do not include the join's.
    """
    sides = _sides(joined.sources)
    if sides is None or not block.is_grouped or block.sets is not None or has_window(block) or expands(block):
        return None
    return _Spine(block, joined, *sides).rows(planning)


def _sides(sources: Sequence[JoinedSource]) -> tuple[JoinedSource, JoinedSource, tuple[exp.Expr, ...]] | None:
    """Return the rows, the view and the condition of an outer join that keeps all rows."""
    if len(sources) != 2 or sources[1].kind not in ("LEFT", "RIGHT"):
        return None
    rows, view = sources if sources[1].kind == "LEFT" else (sources[1], sources[0])
    fits = isinstance(rows.relation, Rows) and isinstance(view.relation, Scan)
    return (rows, view, sources[1].on) if fits else None


class _Spine:
    """A block over rows and a view, on its way to a report and a join."""

    def __init__(
        self, block: Block, joined: Joined, rows: JoinedSource, view: JoinedSource, on: Sequence[exp.Expr]
    ) -> None:
        self._block = block
        self._rows = rows
        self._view = view
        self._pairs, self._rest = ties(rows, view, on)
        self._terms = (*joined.terms, *block.terms)
        self._groups: dict[exp.Expr, str] = {}
        self._measured: dict[exp.Expr, str] = {}

    def rows(self, planning: Planning) -> Rows | None:
        """Return the plan, or None if a group is not one row beside one group of the report."""
        if not self._is_spine() or not self._one_row_each(planning):
            return None
        for mine, _ in self._pairs:
            self._group(mine)
        for group in self._block.groups:
            if not self._of(self._rows, group):
                self._group(group)
        answer = replace(self._block, terms=(), groups=()).mapped(self._over)
        report = grouped(self._report(), self._scan(), planning)
        source = self._source(report)
        return Rows(assembled(answer, source, [*self._terms, *answer.having]), self._block.names)

    def _is_spine(self) -> bool:
        """Tell whether every part of the block belongs to one side, as it must."""
        groups = list(map(bare, self._block.groups))
        sided = all(
            self._of(self._rows, g) or (self._of(self._view, g) and not self._measures(g)) for g in groups
        )
        view_only = all(self._of(self._view, term) and not self._measures(term) for term in self._rest)
        plain = not any(self._measures(mine) for mine, _ in self._pairs)
        kept = all(self._of(self._rows, term) for term in self._terms)
        parts = [part for node in self._block.expressions() for part in own(node)]
        return (
            sided and view_only and plain and kept and bool(self._pairs) and all(map(self._is_known, parts))
        )

    def _is_known(self, part: exp.Expr) -> bool:
        """Tell whether it is known what an aggregate is over a row of NULLs; all else passes."""
        if isinstance(part, exp.WithinGroup):
            return False
        if not is_aggregate(part) or (isinstance(part, exp.Count) and isinstance(part.this, exp.Star)):
            return True
        if not isinstance(part, (*_EMPTY_AS_NULL, exp.Count)) or not self._of(self._view, part):
            return False
        measured = part.this.expressions if isinstance(part.this, exp.Distinct) else [part.this]
        return len(measured) == 1

    def _of(self, side: JoinedSource, node: exp.Expr) -> bool:
        """Tell whether an expression reads columns of one side, and of that alone."""
        return not is_constant(node) and all(c.table == side.alias for c in columns(node))

    def _measures(self, node: exp.Expr) -> bool:
        scan = self._scan()
        return any(
            metrics(scan.columns[c.name], scan.view) for c in columns(node) if c.table == self._view.alias
        )

    def _one_row_each(self, planning: Planning) -> bool:
        """Tell whether every group is one of the rows: by their keys, or by all that is grouped of them."""
        keys = [column(name, self._rows.alias) for _, name in self._pairs]
        by_key = {*keys} <= {*map(bare, self._block.groups)}
        told = keys if by_key else self._of_rows()
        relation = self._rows.relation
        if not isinstance(relation, Rows):
            raise AssertionError("the other side is the view")
        names = tuple(f"group_{at}" for at in range(len(told)))
        outputs = [exp.alias_(node.copy(), name, quoted=True) for node, name in zip(told, names, strict=True)]
        rows = Rows(exp.select(*outputs).from_(as_source(relation, self._rows.alias)), names)
        if by_key:
            unique = is_unique(self._rows, self._pairs, planning)
        else:
            unique = bool(names) and not reports_in(rows.query, planning) and planning.is_unique(rows, names)
        return unique and self._one_without(rows, planning)

    def _one_without(self, rows: Rows, planning: Planning) -> bool:
        """Tell whether at most one of the rows lacks a value: GROUP BY would take several for one."""
        missing = exp.or_(*(exp.Is(this=column(name, "rows"), expression=exp.null()) for name in rows.names))
        one = exp.select(exp.alias_(exp.Literal.number(1), "one", quoted=True))
        return planning.is_unique(Rows(one.from_(as_source(rows, "rows")).where(missing), ("one",)), ("one",))

    def _of_rows(self) -> list[exp.Expr]:
        return [group for group in map(bare, self._block.groups) if self._of(self._rows, group)]

    def _scan(self) -> Scan:
        if not isinstance(self._view.relation, Scan):
            raise AssertionError("only views are reported")
        return self._view.relation

    def _group(self, node: exp.Expr) -> str:
        return self._groups.setdefault(key(bare(node)).copy(), f"_group_{len(self._groups) + 1}")

    def _over(self, node: exp.Expr) -> exp.Expr:
        """Return an expression over the join as one over the rows and the report."""
        of_rows = {key(group) for group in self._of_rows()}

        def change(part: exp.Expr) -> exp.Expr | None:
            if key(part) in of_rows:
                return part.copy()
            if key(part) in self._groups:
                return column(self._groups[key(part)], _REPORT)
            if isinstance(part, exp.Filter) or is_aggregate(part):
                return self._aggregate(part)
            return self._bare_column(part) if isinstance(part, exp.Column) else None

        return replaced(node, change)

    def _bare_column(self, part: exp.Column) -> exp.Expr:
        if part.table == self._view.alias and self._measures(part):
            return self._aggregate(exp.Sum(this=part.copy()))
        raise GroupingError(
            f'column "{part.name}" must appear in the GROUP BY clause or be used in an aggregate function',
            hint=f'Add "{part.name}" to GROUP BY.',
        )

    def _aggregate(self, part: exp.Expr) -> exp.Expr:
        """Return an aggregate; a row without events has its value over one row of NULLs."""
        name = self._measured.setdefault(key(part).copy(), f"_value_{len(self._measured) + 1}")
        unmatched = exp.Is(this=column(_EVENTS, _REPORT), expression=exp.null())
        branch = exp.If(this=unmatched, true=self._of_nothing(part))
        return exp.Case(ifs=[branch], default=column(name, _REPORT))

    def _of_nothing(self, part: exp.Expr) -> exp.Expr:
        core, holds = part, None
        if isinstance(part, exp.Filter):
            core, holds = part.this, self._nulls(part.expression.this)
        if isinstance(core, exp.Count):
            inner = core.this.expressions[0] if isinstance(core.this, exp.Distinct) else core.this
            present = exp.true() if isinstance(inner, exp.Star) else _present(self._nulls(inner))
            counted = [present] if holds is None else [present, holds]
            zero, one = exp.Literal.number(0), exp.Literal.number(1)
            return exp.Case(ifs=[exp.If(this=conjoin(map(guarded, counted)), true=one)], default=zero)
        value = self._nulls(core.this.expressions[0] if isinstance(core.this, exp.Distinct) else core.this)
        return value if holds is None else exp.Case(ifs=[exp.If(this=holds, true=value)])

    def _nulls(self, node: exp.Expr) -> exp.Expr:
        return guarded(replaced(node, lambda part: exp.null() if isinstance(part, exp.Column) else None))

    def _report(self) -> Block:
        """Return the question that the view is asked, over its components."""
        groups = tuple((name, self._inside(node)) for node, name in self._groups.items())
        values = tuple((name, self._inside(node)) for node, name in self._measured.items())
        events: exp.Expr = exp.Count(this=exp.Star())
        return Block(
            outputs=(*groups, *values, (_EVENTS, events)),
            terms=(*self._scan().terms, *map(self._inside, self._rest)),
            groups=tuple(node for _, node in groups),
            is_grouped=True,
        )

    def _inside(self, node: exp.Expr) -> exp.Expr:
        scan = self._scan()
        inside = replaced(
            node, lambda c: guarded(scan.columns[c.name].copy()) if isinstance(c, exp.Column) else None
        )
        return bare(inside)

    def _source(self, report: Rows) -> exp.Select:
        relation = self._rows.relation
        if not isinstance(relation, Rows):
            raise AssertionError("the other side is the view")
        on = [
            exp.EQ(
                this=column(name, self._rows.alias), expression=column(self._groups[key(bare(mine))], _REPORT)
            )
            for mine, name in self._pairs
        ]
        source = exp.Select().from_(as_source(relation, self._rows.alias))
        return source.join(as_source(report, _REPORT), on=conjoin(on), join_type="LEFT")

"""A tied sub-query over a view as one over its groups: reported once by what ties it, then read per row.

Grouping by a column is not in general filtering by it: a filter takes touches away from attribution and
comes before duplicates are counted once. So it is done only for numbers where the two agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from engine.dataview.components import EVENTS, PEOPLE, PERSON_ID, SESSIONS, Component, Role
from engine.dataview.components import Scope as ReadOn
from engine.errors import UnsupportedError
from engine.report.keeping import is_deduplicated, persistence_of
from sqlfront.planner.block import aggregates
from sqlfront.planner.correlated import Untied, clauses
from sqlfront.planner.relations import Joined, Scan
from sqlfront.planner.scope import Scope, Table
from sqlfront.planner.sources import Sources
from sqlfront.problems import GroupingError
from sqlfront.safety import is_aggregate
from sqlfront.trees import bare, column, columns, guarded, key, own, replaced

_PLAIN = frozenset({PEOPLE, SESSIONS, EVENTS, PERSON_ID})
"""Standard components that see one day as they see it within a longer range."""


def preaggregated(found: Untied, sources: Sources, alias: str) -> Untied:
    """Return a sub-query over rows that has, with its ties, the same answer.

    Args:
        found: a sub-query over a view.
        sources: its FROM.
        alias: names the rows.

    Raises:
        UnsupportedError: its numbers by group are not those by filter.
    """
    _check(found, sources)
    select = found.select
    grouped = select.args.get("group") is not None
    if grouped or any(aggregates(node) for node in clauses(select)):
        return _Groups(found, alias).untied(grouped)
    if not (found.is_set or select.args.get("distinct")):
        raise _refused("single events", "Aggregate in the sub-query.")
    return _Groups(found, alias).distinct()


class _Groups:
    """The groups of a sub-query, and what it reads of them."""

    def __init__(self, found: Untied, alias: str) -> None:
        self._found = found
        self._alias = alias
        self._groups: dict[exp.Expr, str] = {}
        self._measured: dict[exp.Expr, str] = {}
        self._ties = tuple(
            (column(self._name(self._groups, "key", mine), alias), theirs) for mine, theirs in found.ties
        )

    def _name(self, known: dict[exp.Expr, str], kind: str, node: exp.Expr) -> str:
        return known.setdefault(key(node).copy(), f"_{kind}_{len(known)}")

    def untied(self, grouped: bool) -> Untied:
        """Return the sub-query over groups; without GROUP BY its value over no rows is asked as well."""
        select = self._found.select
        outputs = [(output.alias_or_name, bare(output.unalias())) for output in select.expressions]
        group = select.args.get("group")
        for node in group.expressions if group is not None else ():
            self._name(self._groups, "key", _meant(node, outputs))
        over = select.copy()
        over.set("group", None)
        over.set("where", None)
        shown = [exp.alias_(self._over(node, grouped), name, quoted=True) for name, node in outputs]
        over.set("expressions", shown)
        if select.args.get("order") is not None:
            over.set("order", exp.Order(expressions=list(self._order(outputs, grouped))))
        having = select.args.get("having")
        if having is not None:
            over.set("having", None)
            kept = self._over(having.this, grouped)
            over.set("where" if grouped else "having", (exp.Where if grouped else exp.Having)(this=kept))
        return self._from_groups(over)

    def distinct(self) -> Untied:
        """Return the sub-query over the combinations of values that it has."""
        over = self._found.select.copy()
        if any(over.args.get(clause) for clause in ("limit", "offset")):
            raise _refused("LIMIT over single events", "Group in the sub-query.")
        for clause in ("where", "order"):
            over.set(clause, None)
        is_exists = any(output.is_star for output in over.expressions)

        def change(part: exp.Expr) -> exp.Expr | None:
            if not isinstance(part, exp.Column):
                return None
            return column(self._name(self._groups, "key", part), self._alias)

        outputs = [
            exp.alias_(replaced(output.unalias(), change), output.alias_or_name, quoted=True)
            for output in ([] if is_exists else over.expressions)
        ]
        over.set("expressions", outputs or [exp.alias_(exp.Literal.number(1), "_", quoted=True)])
        return self._from_groups(over)

    def _order(self, outputs: Sequence[tuple[str, exp.Expr]], grouped: bool) -> Iterator[exp.Expr]:
        for part in self._found.select.args["order"].expressions:
            ordered = part.copy()
            ordered.set("this", self._over(_meant(part.this, outputs), grouped))
            yield ordered

    def _over(self, node: exp.Expr, grouped: bool) -> exp.Expr:
        """Return an expression over the sub-query's sources as one over its groups."""

        def change(part: exp.Expr) -> exp.Expr | None:
            if grouped and key(part) in self._groups:
                return column(self._groups[key(part)], self._alias)
            if isinstance(part, (exp.Filter, exp.WithinGroup)) or is_aggregate(part):
                shown = column(self._name(self._measured, "value", part), self._alias)
                return shown if grouped else self._or_of_nothing(shown, part)
            if isinstance(part, exp.Column):
                raise GroupingError(
                    f'column "{part.name}" must appear in the GROUP BY clause or be used in an aggregate'
                )
            return None

        return guarded(replaced(node, change))

    def _or_of_nothing(self, shown: exp.Expr, aggregate: exp.Expr) -> exp.Expr:
        """A group that is not there has the value that the aggregate has over no events."""
        nothing = self._found.select.copy()
        for clause in ("order", "having", "limit", "offset", "distinct"):
            nothing.set(clause, None)
        nothing.set("expressions", [exp.alias_(aggregate.copy(), "value", quoted=True)])
        nothing.set("where", exp.Where(this=exp.false()))
        found = exp.Anonymous(this="any_value", expressions=[shown])
        found.meta["name"] = "any_value"
        return exp.Coalesce(this=found, expressions=[exp.Subquery(this=nothing)])

    def _from_groups(self, over: exp.Select) -> Untied:
        inner = self._found.select.copy()
        for clause in ("order", "having", "limit", "offset", "distinct", "group"):
            inner.set(clause, None)
        named = [*self._groups.items(), *self._measured.items()]
        inner.set("expressions", [exp.alias_(node.copy(), name, quoted=True) for node, name in named])
        inner = inner.group_by(*(guarded(node.copy()) for node in self._groups))
        over.set("joins", None)
        over.set("with_", None)
        over.set("from_", exp.From(this=inner.subquery(self._alias)))
        return Untied(over, self._ties, self._found.is_set)


def _meant(node: exp.Expr, outputs: Sequence[tuple[str, exp.Expr]]) -> exp.Expr:
    """Return what a member of GROUP BY or ORDER BY stands for, perhaps the place or name of an output."""
    node = bare(node)
    if isinstance(node, exp.Literal) and not node.is_string and 1 <= int(node.name) <= len(outputs):
        return outputs[int(node.name) - 1][1]
    if isinstance(node, exp.Column) and not node.table:
        return next((meant for name, meant in outputs if name.lower() == node.name.lower()), node)
    if isinstance(node, (exp.GroupingSets, exp.Rollup, exp.Cube, exp.Tuple)):
        raise _refused("GROUPING SETS", "Write one sub-query for each.")
    return node


def _check(found: Untied, sources: Sources) -> None:
    """Pass a sub-query whose numbers by group are those by filter."""
    if any(isinstance(part, exp.Window) for node in clauses(found.select) for part in own(node)):
        raise _refused("a window function", "Join the sub-query on that column.")
    distinct = found.select.args.get("distinct")
    if distinct is not None and distinct.args.get("on") is not None:
        raise _refused("DISTINCT ON", "Use GROUP BY, or ORDER BY with LIMIT 1.")
    used = [c for node in clauses(found.select) for c in _components(node, sources)]
    ties = [c for mine, _ in found.ties for c in _components(mine, sources)]
    for component in used:
        if component.attributed or is_deduplicated(component):
            why = "its attribution" if component.attributed else "its deduplication"
            raise _refused(
                f'metric "{component.id}", as {why} would see all events and not those of one value alone',
                "Join the sub-query on that column, if that is what is meant.",
            )
    for component in ties:
        if component.role is Role.METRIC or (component.several and not _tells_events(found, used)):
            raise _refused(f'a tie on "{component.id}"', "Tie it by a dimension with one value per event.")
    timed = any(component.scope is ReadOn.TIME for component in ties)
    for component in used if timed else ():
        kept = component.source is None and component.scope is not ReadOn.TIME and component.id not in _PLAIN
        if kept or persistence_of(component) is not None or component.standard is not None:
            raise _refused(
                f'"{component.id}" tied to a time, as its values depend on the range',
                "Group by the time and join instead.",
            )


def _tells_events(found: Untied, used: Sequence[Component]) -> bool:
    """Tell whether a tie on a dimension with several values ties whole events: nothing looks inside them."""
    alone = len(found.ties) == 1 and isinstance(found.ties[0][0], exp.Column)
    return alone and not any(component.several or component.array is not None for component in used)


def _components(node: exp.Expr, sources: Sources) -> Iterator[Component]:
    """Return the components that an expression of a sub-query names."""
    for part in columns(node):
        for source in sources.items:
            relation = source.relation
            if isinstance(relation, Joined) or (isinstance(relation, Scan) and relation.lookups):
                raise _refused("a join with a data view", "Join the sub-query on that column.")
            if isinstance(relation, Scan):
                found = Scope((Table(source.alias, relation.columns),)).lookup(part)
                named = [] if found is None else columns(found[1])
                yield from (relation.view.component(c.name) for c in named)


def _refused(what: str, hint: str) -> UnsupportedError:
    return UnsupportedError(
        f"a sub-query over a data view that reads the query around it is not supported with {what}", hint=hint
    )

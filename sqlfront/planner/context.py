"""What planning one statement knows and gathers: names, and the reports asked for so far."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from sqlglot import exp

from engine.dataview.components import DataView, data_view
from engine.definitions.model import Definitions
from engine.errors import ForbiddenError
from sqlfront.database import view_id
from sqlfront.planner.relations import Call, Relation, Report, Rows
from sqlfront.sight import Sight

CALL = "_call"
"""Prefix of the table that stands for a call of a function of schema ``system``."""
DATASET = "_dataset_"
"""Prefix of the table that stands for a dataset in a planned statement."""
TEMPORARY = "_temporary_"
"""Prefix of the table that stands for a temporary table of the session."""
SYSTEM = "_system_"
"""Prefix of the table that stands for a relation of schema ``system``."""


@dataclass
class Planning:
    """State of planning one statement.

    Attributes:
        sight: what exists and may be asked.
        names_of: returns a query's column names, asking DuckDB.
        is_unique: tells whether a query's rows differ on the given columns, by reading it.
        compat: open ends of ranges are closed, and MIN and MAX of time are those of the reference service.
        reports: table name → report, in the order in which they must run.
        calls: table name → the function of schema ``system`` whose rows it lists.
    """

    sight: Sight
    names_of: Callable[[exp.Expr, Planning], tuple[str, ...]]
    is_unique: Callable[[Rows, tuple[str, ...]], bool]
    compat: bool = False
    reports: dict[str, Report] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    _resolved: dict[int, tuple[exp.Expr, Relation]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    @property
    def definitions(self) -> Definitions:
        """What exists; of data views only those that may be asked."""
        return self.sight.world.definitions

    def view(self, name: str) -> DataView | None:
        """Return the data view of this name or id in any case, if there is one that may be asked."""
        views = self.definitions.data_views
        found = _match(name, views) or next((view for view in views if view_id(view) == name.lower()), None)
        return None if found is None else data_view(self.definitions, found)

    def dataset(self, name: str) -> str | None:
        """Return the dataset of this name in any case, if there is one that may be asked."""
        return _match(name, list(self.sight.datasets()))

    def check_granted(self, name: str) -> None:
        """Raise if a data view or dataset of this name in any case exists that may not be asked.

        Raises:
            ForbiddenError: it does; nothing is told of it.
        """
        for kind, known in (("view", self.sight.hidden), ("table", self.definitions.datasets)):
            if _match(name, known) is not None:
                raise ForbiddenError(f"permission denied for {kind} {name}")

    def fresh(self, prefix: str) -> str:
        """Return a name that was not given out before."""
        self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return f"{prefix}_{self._counts[prefix]}"

    def once(self, query: exp.Expr, plan: Callable[[], Relation]) -> Relation:
        """Plan a named query the first time it is used, and return what was planned thereafter."""
        if id(query) not in self._resolved:
            self._resolved[id(query)] = (query, plan())
        return self._resolved[id(query)][1]

    def ask(self, report: Report) -> str:
        """Add a report and return its table; equal reports are asked once."""
        for table, known in self.reports.items():
            if known == report:
                return table
        table = self.fresh("_report")
        self.reports[table] = report
        return table

    def call(self, call: Call) -> str:
        """Add a call of a function of schema ``system`` and return its table."""
        table = self.fresh(CALL)
        self.calls[table] = call
        return table


def _match(name: str, known: Collection[str]) -> str | None:
    if name in known:
        return name
    return next((other for other in known if other.lower() == name.lower()), None)


def reports_in(tree: exp.Expr, planning: Planning) -> frozenset[str]:
    """Return the report tables that a planned query reads."""
    return frozenset(t.name for t in tree.find_all(exp.Table) if t.name in planning.reports)

"""Which column a name means: the tables of one SELECT, and those of the SELECTs around it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from engine.errors import UnknownColumnError, UnknownNameError, UnsupportedError, did_you_mean
from engine.types import IDENTITY_MAP
from sqlfront.problems import AmbiguousNameError

HIDDEN = "(sub-query) "
"""Prefix of columns that stand for sub-queries: ``*`` does not show them."""


@dataclass(frozen=True)
class Table:
    """A table in scope: its columns' names, and what each stands for.

    Attributes:
        nested: lower-case columns that are a dataset's and have something inside → their types.
    """

    alias: str
    columns: Mapping[str, exp.Expr]
    nested: Mapping[str, pa.DataType] = field(default_factory=dict)

    def find(self, name: str) -> str | None:
        """Return the column's own spelling, matched exactly or else in any case."""
        if name in self.columns:
            return name
        return next((known for known in self.columns if known.lower() == name.lower()), None)


@dataclass(frozen=True)
class Scope:
    """The tables that a SELECT's expressions may name.

    Attributes:
        merged: lower-case columns of USING and NATURAL joins → what they stand for.
        outer: the scope of the SELECT around this one.
        has_view: whether a view is read that has not been aggregated.
    """

    tables: tuple[Table, ...]
    merged: Mapping[str, exp.Expr] = field(default_factory=dict)
    outer: Scope | None = None
    has_view: bool = False

    def every(self, alias: str | None = None) -> Iterator[tuple[str, exp.Expr]]:
        """Return the columns that ``*`` or ``alias.*`` stands for, in order.

        Raises:
            UnknownNameError: there is no table of that alias.
        """
        chosen = self.tables if alias is None else [t for t in self.tables if _equal(t.alias, alias)]
        if not chosen:
            raise unknown_table(alias or "", self)
        shown: set[str] = set()
        for table in chosen:
            for name, meaning in table.columns.items():
                merged = self.merged.get(name.lower()) if alias is None else None
                if name.startswith(HIDDEN):
                    continue
                if merged is None:
                    yield name, meaning
                elif name.lower() not in shown:
                    shown.add(name.lower())
                    yield name, merged

    def lookup(self, column: exp.Column) -> tuple[str, exp.Expr] | None:
        """Return the spelling and meaning of a column, or None if no table of this SELECT has it.

        Raises:
            AmbiguousNameError: more than one table has it.
        """
        parts = [part.name for part in column.parts]
        for alias, rest in _splits(parts):
            found = self._in_table(alias, rest)
            if found is not None:
                return found
        return self._in_any(parts)

    def _in_table(self, alias: str, rest: list[str]) -> tuple[str, exp.Expr] | None:
        for table in self.tables:
            if _equal(table.alias, alias):
                return _in(table, rest)
        return None

    def _in_any(self, parts: list[str]) -> tuple[str, exp.Expr] | None:
        name = ".".join(parts)
        if name.lower() in self.merged:
            return name, self.merged[name.lower()]
        hits = [hit for table in self.tables if (hit := _in(table, parts)) is not None]
        if len(hits) > 1:
            aliases = ", ".join(f'"{table.alias}"' for table in self.tables)
            raise AmbiguousNameError(
                f'column reference "{name}" is ambiguous', hint=f"Put its table in front: one of {aliases}."
            )
        return hits[0] if hits else None

    def with_outer(self) -> Iterator[Scope]:
        """Yield this scope and those around it, from the inside out."""
        around: Scope | None = self
        while around is not None:
            yield around
            around = around.outer

    def nested(self, column: exp.Column) -> pa.DataType | None:
        """Return the type of a column or of a field in it, if it is a dataset's that has something inside.

        Raises:
            UnknownColumnError: an object in it has no such field.
        """
        parts = [part.name for part in column.parts]
        for alias, rest in _splits(parts):
            for table in self.tables:
                if _equal(table.alias, alias) and _in(table, rest) is not None:
                    return _inside(table, rest)
        found = (_inside(table, parts) for table in self.tables if _in(table, parts) is not None)
        return next(found, None)

    def meaning(self, column: exp.Column) -> tuple[str, exp.Expr]:
        """Return the spelling and meaning of a column.

        Raises:
            UnknownColumnError, UnknownNameError: nothing of that name is in scope.
            UnsupportedError: it belongs to the SELECT around this one.
        """
        found = self.lookup(column)
        if found is not None:
            return found
        if any(around.lookup(column) is not None for around in self.with_outer()):
            raise correlated(column)
        if column.table and not any(_equal(table.alias, column.table) for table in self.tables):
            raise unknown_table(column.table, self)
        known = [name for table in self.tables for name in table.columns]
        raise UnknownColumnError(
            f'column "{column.name}" does not exist', hint=did_you_mean(column.name, known)
        )


def check_column(column: exp.Column, scope: Scope, aliases: Collection[str] = ()) -> None:
    """Pass a column that a SELECT over rows may read: its tables', or of a SELECT around it.

    Args:
        column: as written.
        scope: of the SELECT.
        aliases: lower-case names of its outputs, where the clause may name them.

    Raises:
        UnknownColumnError, UnknownNameError, AmbiguousNameError: nothing or too much of that name.
        UnsupportedError: it belongs to a view of a SELECT around.
    """
    whole_row = any(_equal(table.alias, column.name) for table in scope.tables)
    if not column.table and (column.name.lower() in aliases or whole_row):
        return
    for around in scope.with_outer():
        found = around.lookup(column)
        if found is not None:
            if around.has_view:
                raise correlated(column)
            _check_quoted(column, found[0])
            around.nested(column)
            return
    scope.meaning(column)


def _check_quoted(column: exp.Column, name: str) -> None:
    """Raise if a column whose name has dots was written without quotes around the whole."""
    if "." in name and name.lower() not in (part.name.lower() for part in column.parts):
        raise UnknownColumnError(
            f'column "{column.name}" does not exist', hint=f'Write the whole name in quotes: "{name}".'
        )


def correlated(column: exp.Column) -> UnsupportedError:
    """Return the error for a sub-query over a view that reads its surroundings."""
    return UnsupportedError(
        f'a sub-query that reads "{column.name}" of the query around it is not supported over data views',
        hint="Join the sub-query on that column, or use IN.",
    )


def unknown_table(alias: str, scope: Scope) -> UnknownNameError:
    """Return the error for a table that is not in FROM."""
    aliases = [table.alias for table in scope.tables]
    return UnknownNameError(
        f'missing FROM-clause entry for table "{alias}"', hint=did_you_mean(alias, aliases)
    )


def _splits(parts: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Read ``a.b.c`` as column b.c of table a, then as column c of table b in schema a."""
    for position in range(len(parts) - 1):
        yield parts[position], parts[position + 1 :]


def _equal(left: str, right: str) -> bool:
    return left.lower() == right.lower()


def _in(table: Table, parts: list[str]) -> tuple[str, exp.Expr] | None:
    """Find a column by its dotted name, else a field of a struct column."""
    whole = table.find(".".join(parts))
    if whole is not None:
        return whole, table.columns[whole]
    first = table.find(parts[0])
    if first is None or len(parts) == 1:
        return None
    meaning = table.columns[first].copy()
    for part in parts[1:]:
        meaning = exp.Dot(this=meaning, expression=exp.to_identifier(part, quoted=True))
    return parts[-1], meaning


def _inside(table: Table, parts: list[str]) -> pa.DataType | None:
    """Return the type of a column, by its dotted name or as a field of an object.

    Raises:
        UnknownColumnError: an object has no such field.
    """
    whole = table.nested.get(".".join(parts).lower())
    kind = table.nested.get(parts[0].lower()) if whole is None else whole
    for part in parts[1:] if whole is None else ():
        many = isinstance(kind, pa.ListType) and kind != IDENTITY_MAP
        fields = kind.value_type if isinstance(kind, pa.ListType) and many else kind
        if fields is None or not pa.types.is_struct(fields):
            return None
        found = next((field.type for field in fields if _equal(field.name, part)), None)
        if found is None:
            hint = did_you_mean(part, [field.name for field in fields])
            raise UnknownColumnError(f'column "{parts[0]}" has no field "{part}"', hint=hint)
        kind = pa.list_(found) if many else found
    return kind

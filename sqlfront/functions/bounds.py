"""Functions that make much of little, such as ``repeat('x', 1000000000)``: what one call makes has a bound.

A value is made in one go, outside of what DuckDB counts as its memory, and cannot be interrupted meanwhile;
so it is measured before it is made.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from sqlfront.functions.templates import call, fill, number
from sqlfront.problems import ProgramLimitError
from sqlfront.trees import bare

MOST_BYTES: Final = 100_000
"""Longest text that one call of ``repeat``, ``lpad`` or ``rpad`` makes."""
MOST_VALUES: Final = 1_000_000
"""Most values that one call of ``generate_series`` makes among the outputs, where they are numbers."""
MOST_ROWS: Final = 1_000_000_000
"""Most rows that ``generate_series`` with written bounds makes in FROM."""
TEXT_LIMIT: Final = f"a text made by repeat, lpad or rpad has at most {MOST_BYTES} bytes"
SERIES_LIMIT: Final = f"a series among the outputs has at most {MOST_VALUES} values"


def repeated(whole: exp.Expr, times: exp.Expr) -> exp.Expr:
    """Return ``repeat(…)`` that fails when its text would be too long."""
    known, count = _text(whole), _number(times)
    if known is not None and count is not None:
        _check(len(known.encode()) * count, MOST_BYTES, TEXT_LIMIT)
        return call("repeat", whole, times)
    guard = fill(_guard("CAST(STRLEN(x) AS HUGEINT) * n", "n", MOST_BYTES, TEXT_LIMIT), x=whole, n=times)
    return call("repeat", whole, guard)


def padded(node: exp.Pad, whole: exp.Expr, length: exp.Expr, pattern: exp.Expr) -> exp.Expr:
    """Return ``lpad(…)`` or ``rpad(…)`` that fails when its text would be too long."""
    count = _number(length)
    if count is None:
        length = fill(_guard("n", "n", MOST_BYTES, TEXT_LIMIT), n=length)
    else:
        _check(count, MOST_BYTES, TEXT_LIMIT)
    return call("lpad" if node.args.get("is_left") else "rpad", whole, length, pattern)


def series_end(start: exp.Expr, end: exp.Expr, step: exp.Expr | None) -> exp.Expr:
    """Return the end of a series of values that fails when there would be too many; of times, as it is."""
    known = [_number(bound) for bound in (start, end, step or number(1))]
    if None not in known:
        _check_series(known, MOST_VALUES, SERIES_LIMIT)
        return end
    size = "(TRY_CAST(CAST(b AS TEXT) AS DOUBLE) - TRY_CAST(CAST(a AS TEXT) AS DOUBLE))"
    each = "NULLIF(TRY_CAST(CAST(c AS TEXT) AS DOUBLE), 0)"
    guard = _guard(f"{size} / {each}", "b", MOST_VALUES, SERIES_LIMIT)
    return fill(guard, a=start, b=end, c=step or number(1))


def check_rows(node: exp.ExplodingGenerateSeries) -> None:
    """Raise if a series in FROM has more rows than a statement may be meant to read.

    Raises:
        ProgramLimitError: it has.
    """
    parts = (node.args.get("start"), node.args.get("end"), node.args.get("step") or number(1))
    known = [None if part is None else _number(part) for part in parts]
    _check_series(known, MOST_ROWS, f"generate_series makes at most {MOST_ROWS} rows")


def _check_series(known: list[int | None], most: int, problem: str) -> None:
    start, end, step = known
    if start is not None and end is not None and step:
        _check((end - start) // step, most, problem)


def _check(size: int, most: int, problem: str) -> None:
    if size > most:
        raise ProgramLimitError(problem, hint="Ask for less at once.")


def _guard(size: str, value: str, most: int, problem: str) -> str:
    """Return a template that is a value, or an error if a size is too large."""
    return f"CASE WHEN {size} > {most} THEN ERROR('{problem}') ELSE {value} END"


def _text(node: exp.Expr) -> str | None:
    node = bare(node)
    return str(node.this) if isinstance(node, exp.Literal) and node.is_string else None


def _number(node: exp.Expr) -> int | None:
    node = bare(node)
    if isinstance(node, exp.Neg):
        inner = _number(node.this)
        return None if inner is None else -inner
    is_whole = isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit()
    return int(node.name) if is_whole else None

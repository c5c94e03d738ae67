"""The answer of models that learn from all paths: chunks' sets united, weighed, and credit given to items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from attribution.algorithmic import shapley_weights
from attribution.markov import Steps, added_up, removal_effects, renamed
from attribution.models import Rows, Times, Values
from attribution.sets import Sets, member_places, normalised, sorted_sets, united
from engine.dataview.values import combined, taken
from engine.errors import UnsupportedError
from engine.report.aggregate import partial
from engine.report.algorithmic import AMOUNT, MOST_MEMBERS, SET, LanePaths, MetricPaths, refusal
from engine.report.conversions import attribution_of_lane
from engine.report.items import common_items
from engine.report.plan import Lane, ReportPlan
from engine.report.sql import Statements

_MOST_ITEMS: Final = 3000
"""Items that removal effects are found for: a square of so many doubles is 72 MB, and takes some seconds."""
_AT_ONCE: Final = 1_000_000
"""Members of sets that are credited at once."""
_WEIGHED_AT_ONCE: Final = 1000
"""Members of sets that are weighed before the next look at whether to go on: some tenths of a second."""


@dataclass(frozen=True)
class Weighed:
    """The sets of one metric in all chunks.

    Attributes:
        sets: K sets of the common items.
        weights: float64[M], the part of a conversion that each member gets; 0 where none has the set.
        sums: the chunks' sums, SET being one of these sets.
    """

    sets: Sets
    weights: Values
    sums: pa.Table


def learned_credit(
    planned: ReportPlan,
    lane: Lane,
    found: Sequence[LanePaths],
    statements: Statements,
) -> list[pa.Table]:
    """Return a lane's partial results: each item with its credit, apart for each group.

    Args:
        planned: the report.
        lane: one of sets.
        found: what each chunk has, one chunk at least.
        statements: run SQL, lookups among the relations.

    Raises:
        CancelledError: the question was cancelled; looked at between pieces of the work.
        UnsupportedError: there are too many items for the model.
    """
    if sum(one.sets.members.size for paths in found for one in paths.metrics.values()) > MOST_MEMBERS:
        raise refusal()
    items, codes = common_items([paths.items for paths in found])
    text = partial(planned, lane).sql("duckdb")
    tables = []
    for metric in found[0].metrics:
        parts = [paths.metrics[metric] for paths in found]
        weighed = _weighed(attribution_of_lane(lane).model, parts, codes, items.num_rows, statements.check)
        for rows in _rows(weighed, items, metric, [name for name in found[0].metrics if name != metric]):
            tables.append(statements.run(rows, text))
    return tables


def _weighed(
    model: str, parts: Sequence[MetricPaths], codes: Sequence[Rows], items: int, check: Callable[[], None]
) -> Weighed:
    pairs = list(zip(parts, codes, strict=True))
    sets, numbers = united([sorted_sets(part.sets, own) for part, own in pairs])
    sums = pa.concat_tables(_renumbered(part.sums, own) for part, own in zip(parts, numbers, strict=True))
    if model == "markov":
        every = added_up([renamed(part.steps, own) for part, own in pairs])
        return Weighed(sets, _markov_weights(sets, every, items), sums)
    paths = _added(sets, numbers, [part.paths for part in parts])
    converting = _added(sets, numbers, [part.converting for part in parts])
    wanted = np.flatnonzero(converting).astype(np.int32)
    return Weighed(sets, _shapley_weights(sets, converting / paths, wanted, check), sums)


def _added(sets: Sets, numbers: Sequence[Rows], counts: Sequence[Times]) -> Times:
    """Add up what the chunks counted for each set."""
    total = np.zeros(sets.sizes.size, np.int64)
    for own, counted in zip(numbers, counts, strict=True):
        np.add.at(total, own, counted)
    return total


def _renumbered(sums: pa.Table, numbers: Rows) -> pa.Table:
    owners = np.append(numbers, np.int32(-1))[sums.column(SET).to_numpy()]
    return sums.set_column(sums.column_names.index(SET), SET, pa.array(owners))


def _markov_weights(sets: Sets, every: Steps, items: int) -> Values:
    if items > _MOST_ITEMS:
        raise UnsupportedError(
            f"model markov compares up to {_MOST_ITEMS:,} values, and here are {items:,}",
            hint="Group by a dimension with fewer values, or use model: algorithmic.",
        )
    return normalised(sets.offsets, removal_effects(every, items)[sets.members])


def _shapley_weights(sets: Sets, rates: Values, wanted: Rows, check: Callable[[], None]) -> Values:
    weights = np.zeros(sets.members.size)
    for own in _blocks(sets.sizes[wanted], _WEIGHED_AT_ONCE):
        check()
        weights[member_places(sets, wanted[own])] = shapley_weights(sets, rates, wanted[own])
    return weights


def _blocks(sizes: Times, most: int) -> Iterator[slice]:
    """Cut a list into pieces whose sizes add up to about so much."""
    turns = np.cumsum(sizes) // most
    bounds = np.flatnonzero(np.diff(turns, prepend=-1, append=-1))
    return (slice(int(begin), int(end)) for begin, end in pairwise(bounds))


def _rows(weighed: Weighed, items: pa.Table, metric: str, others: Sequence[str]) -> Iterator[pa.Table]:
    """Yield items with their credit beside what is taken from the conversion, some sets at a time."""
    owners = weighed.sums.column(SET).to_numpy()
    sizes = np.where(owners < 0, 1, np.append(weighed.sets.sizes, 0)[owners])
    for own in _blocks(sizes, _AT_ONCE) if owners.size else [slice(0, 0)]:
        yield _credited_rows(
            weighed, weighed.sums.slice(own.start, own.stop - own.start), items, metric, others
        )


def _credited_rows(
    weighed: Weighed, sums: pa.Table, items: pa.Table, metric: str, others: Sequence[str]
) -> pa.Table:
    owners = sums.column(SET).to_numpy()
    touched, lost = np.flatnonzero(owners >= 0), np.flatnonzero(owners < 0)
    places = member_places(weighed.sets, owners[touched])
    sources = np.append(np.repeat(touched, weighed.sets.sizes[owners[touched]]), lost)
    members = np.append(weighed.sets.members[places], np.full(lost.size, -1, np.int32))
    credit = np.append(weighed.weights[places], np.ones(lost.size)) * sums.column(AMOUNT).to_numpy()[sources]
    given = np.flatnonzero(credit)
    columns = {name: taken(combined(items.column(name)), members[given]) for name in items.column_names}
    kept = sums.drop_columns([SET, AMOUNT]).take(pa.array(sources[given]))
    columns |= {name: kept.column(name) for name in kept.column_names}
    nothing = pa.nulls(given.size, pa.float64())
    return pa.table({**columns, metric: pa.array(credit[given]), **dict.fromkeys(others, nothing)})

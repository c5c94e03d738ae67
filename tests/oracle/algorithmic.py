"""Credit that is learned from the report's own paths: dividends of sets, and the effect of removing an item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations

from tests.oracle import report as twin

Item = Hashable
ItemSet = frozenset[Item]


@dataclass(frozen=True)
class Path:
    """Items in the order of their touches, and whether a conversion ended them."""

    items: tuple[Item, ...]
    converted: bool


def subsets(items: ItemSet) -> list[ItemSet]:
    """All subsets but the empty one, small ones first."""
    sizes = range(1, len(items) + 1)
    return [frozenset(found) for found in chain.from_iterable(combinations(items, size) for size in sizes)]


def rates(paths: Sequence[Path]) -> dict[ItemSet, Fraction]:
    """How often a path with exactly these items converted."""
    counts: dict[ItemSet, list[int]] = defaultdict(lambda: [0, 0])
    for path in paths:
        if path.items:
            counts[frozenset(path.items)][0] += 1
            counts[frozenset(path.items)][1] += path.converted
    return {items: Fraction(converted, all_) for items, (all_, converted) in counts.items()}


def worth(items: ItemSet, seen: Mapping[ItemSet, Fraction]) -> Fraction:
    """The rate of a set; of one that no path has, the best of the sets within it."""
    if items in seen:
        return seen[items]
    return max((seen[inner] for inner in subsets(items) if inner in seen), default=Fraction(0))


def shapley_weights(items: ItemSet, seen: Mapping[ItemSet, Fraction]) -> dict[Item, Fraction]:
    """Each dividend, split evenly over its set; negative sums are nothing."""
    dividends: dict[ItemSet, Fraction] = {}
    for inner in subsets(items):
        smaller = sum((d for known, d in dividends.items() if known < inner), Fraction(0))
        dividends[inner] = worth(inner, seen) - smaller
    raw = {
        item: max(Fraction(0), sum((d / len(s) for s, d in dividends.items() if item in s), Fraction(0)))
        for item in items
    }
    return normalised(raw)


def normalised(raw: Mapping[Item, Fraction]) -> dict[Item, Fraction]:
    total = sum(raw.values())
    return {item: value / total if total else Fraction(1, len(raw)) for item, value in raw.items()}


def conversion_chance(paths: Sequence[Path], removed: Item | None = None) -> Fraction:
    """The chance that a walk over the items ends with a conversion; who comes to the removed item is lost."""
    steps: dict[object, dict[object, int]] = defaultdict(lambda: defaultdict(int))
    for path in paths:
        if path.items:
            stops = [("start",), *path.items, ("conversion",) if path.converted else ("none",)]
            for one, next_one in zip(stops, stops[1:], strict=False):
                steps[one][next_one] += 1
    places = list(steps)
    number = {place: index for index, place in enumerate(places)}
    rows = []
    for place in places:
        row = [Fraction(0)] * (len(places) + 1)
        row[number[place]] += 1
        if place != removed:
            total = sum(steps[place].values())
            for next_one, count in steps[place].items():
                if next_one == ("conversion",):
                    row[-1] += Fraction(count, total)
                elif next_one != ("none",):
                    row[number[next_one]] -= Fraction(count, total)
        rows.append(row)
    return _solved(rows)[number[("start",)]] if places else Fraction(0)


def _solved(rows: list[list[Fraction]]) -> list[Fraction]:
    """Solve linear equations, the right-hand side in the last column."""
    for column in range(len(rows)):
        pivot = next(row for row in range(column, len(rows)) if rows[row][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for row in range(len(rows)):
            if row != column and rows[row][column]:
                factor = rows[row][column]
                pairs = zip(rows[row], rows[column], strict=True)
                rows[row] = [value - factor * own for value, own in pairs]
    return [row[-1] for row in rows]


def removal_effects(paths: Sequence[Path]) -> dict[Item, Fraction]:
    """How much of the chance of a conversion goes with each item."""
    whole = conversion_chance(paths)
    items = {item for path in paths for item in path.items}
    return {item: 1 - conversion_chance(paths, item) / whole if whole else Fraction(0) for item in items}


def markov_weights(items: ItemSet, effects: Mapping[Item, Fraction]) -> dict[Item, Fraction]:
    return normalised({item: effects[item] for item in items})


def weigher(model: str, paths: Sequence[Path]):
    """Return a function from the items of a conversion to their weights."""
    if model == "markov":
        effects = removal_effects(paths)
        return lambda items: markov_weights(items, effects)
    seen = rates(paths)
    return lambda items: shapley_weights(items, seen)


def credit(events, question: twin.Question, metric: str) -> dict[tuple, float]:
    """Return group → credit of one metric of a question, where credit landed at all."""
    source, attribution = question.metrics[metric]
    names = [name for name in question.groups if name in twin.DIMENSIONS]
    prefix = "" if len(names) == 1 else "shown:"
    journeys = _prepared(events, question)
    paths, conversions = [], []
    for journey in journeys:
        for touches, conversion in _walks(journey, source, names, attribution, question):
            items = tuple(tuple(touch[f"{prefix}{name}"] for name in names) for touch in touches)
            paths.append(Path(items, conversion is not None))
            if conversion is not None:
                conversions.append((touches, items, conversion))
    weights = weigher(attribution.model, paths)
    totals: dict[tuple, float] = defaultdict(float)
    for touches, items, conversion in conversions:
        if not items:
            totals[twin._group(None, conversion, question, prefix)] += conversion[source]
        for item, weight in (weights(frozenset(items)) if items else {}).items():
            touch = touches[items.index(item)]
            if weight:
                totals[twin._group(touch, conversion, question, prefix)] += conversion[source] * float(weight)
    return totals


def _prepared(events, question):
    """Journeys with sessions, persisted values, and who is in the report."""
    found = twin.journeys(events)
    for journey in found:
        twin.sessionize(journey, question.timeout)
        for name in twin.DIMENSIONS:
            reach = twin._reach(question)
            twin.persist(journey, name, question.persistence.get(name), question.start, reach)
        for event in journey:
            after = question.start is None or event["time"] >= question.start
            event["in"] = after and (question.end is None or event["time"] < question.end)
            event["segment"] = question.segment is None or bool(question.segment(event))
    return found


def _walks(journey, source, names, attribution, question):
    """Yield (touches, conversion) of each conversion, and (touches, None) of what led nowhere."""
    containers = defaultdict(list)
    for position, event in enumerate(journey):
        containers[event["session"] if attribution.container == "session" else 0].append(position)
    prefix = "" if len(names) == 1 else "shown:"
    for positions in containers.values():
        last = -1
        for position in positions:
            event = journey[position]
            if event["in"] and event["segment"] and event[source]:
                places = twin._touches(journey, position, names, attribution, question)
                yield [journey[place] for place in places], event
                last = position
        ended = [
            position
            for position in positions
            if position > last
            and journey[position]["in"]
            and journey[position]["segment"]
            and all(journey[position][f"{prefix}{name}"] is not None for name in names)
        ]
        if ended:
            places = twin._touches(journey, ended[-1], names, attribution, question)
            yield [journey[place] for place in places if place > last], None

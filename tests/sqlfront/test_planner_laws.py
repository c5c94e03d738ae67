"""SQL law: wrapping a question in sub-selects, CTEs or a tool's nesting does not change its numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sqlfront.compare import same_rows

DIMENSIONS = {
    "channel": "channel",
    "campaign": "campaign",
    "page_lower": "lower(page)",
    "kind": "case when product is null then 'none' else product end",
    "day": "daterangeday",
    "month": "date_trunc('month', daterangeday)",
    "path": '"commerce.order"',
}
PLAIN_METRICS = {
    "r": "sum(revenue)",
    "o": "sum(orders)",
    "n": "count(*)",
    "big": "coalesce(sum(case when page = 'pay' then revenue else 0 end), 0)",
    "sale": "sum(orders) filter (where campaign = 'sale')",
    "emails": "count(case when channel = 'Email' then 1 end)",
    "rate": "sum(revenue) / nullif(sum(orders), 0)",
    "least": "min(revenue)",
    "pages": "count(distinct page)",
    "mean": "avg(orders)",
    "spread": "max(revenue) - min(revenue)",
    "deviation": "stddev(revenue)",
}
OUR_METRICS = {
    "people": "sum(visitors)",
    "sessions": "sum(visits)",
    "credit": "sum(credited)",
    "late": "sum(case when daterange >= '2024-02-01' then credited end)",
    "per_person": "sum(visits) / sum(visitors)",
}
TERMS = [
    "channel in ('Email', 'Social', 'Direct')",
    "channel is not null",
    "campaign = 'sale'",
    "page = 'pay' or channel = 'Search'",
    "not product is null",
    "daterange between '2024-01-10' and '2024-02-20'",
    "daterange >= date '2024-01-20'",
    "\"timestamp\" < '2024-03-01 12:00:00'::timestamp",
    "daterangemonth = date '2024-02-01'",
    "lower(page) like 'c%'",
]
COLUMNS = (
    "channel",
    "campaign",
    "page",
    "product",
    "daterange",
    "daterangeday",
    "daterangemonth",
    "timestamp",
    "commerce.order",
    "revenue",
    "orders",
    "visitors",
    "visits",
    "credited",
)
ALIASES = ("_", "rows", "$Table", "web", "q01", "T")


@dataclass(frozen=True)
class Question:
    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    terms: tuple[str, ...]
    having: str | None


@st.composite
def questions(draw, metrics):
    terms = st.sampled_from(TERMS)
    return Question(
        tuple(draw(st.lists(st.sampled_from(sorted(DIMENSIONS)), max_size=2, unique=True))),
        tuple(draw(st.lists(st.sampled_from(sorted(metrics)), min_size=1, max_size=3, unique=True))),
        tuple(draw(st.lists(terms, max_size=3, unique=True))),
        draw(st.sampled_from([None, None, "count(*) > 3"])),
    )


def select(question, metrics, source, terms, rename=lambda text: text):
    outputs = [f'{rename(DIMENSIONS[name])} as "{name}"' for name in question.dimensions]
    outputs += [f'{rename(metrics[name])} as "{name}"' for name in question.metrics]
    sql = f"select {', '.join(outputs)} from {source}"
    if terms:
        sql += " where " + " and ".join(f"({rename(term)})" for term in terms)
    if question.dimensions:
        sql += " group by " + ", ".join(str(at + 1) for at in range(len(question.dimensions)))
    return sql if question.having is None else f"{sql} having {question.having}"


def quoted(name):
    return f'"{name}"'


@st.composite
def nestings(draw, question, metrics):
    """Wrap the view in levels that project, rename and filter; some as CTEs; the answer in more levels."""
    terms = list(question.terms)
    ctes: list[str] = []
    source = draw(st.sampled_from(("web", '"public"."web"', "public.Web")))
    names = {name: name for name in COLUMNS}
    for level in range(draw(st.integers(0, 4))):
        renamed = draw(st.booleans())
        alias = draw(st.sampled_from(ALIASES))
        moved = [term for term in terms if draw(st.booleans())]
        terms = [term for term in terms if term not in moved]
        where = " where " + " and ".join(f"({renaming(names)(term)})" for term in moved) if moved else ""
        if renamed:
            fresh = {name: f"{name}_{level}" for name in names}
            listed = [f"{quoted(alias)}.{quoted(names[n])} as {quoted(fresh[n])}" for n in names]
            body = f"select {', '.join(listed)} from {source} as {quoted(alias)}{where}"
            names = fresh
        elif draw(st.booleans()):
            body = f"select {quoted(alias)}.* from {source} {quoted(alias)}{where} order by 1"
        else:
            body = f"select {', '.join(map(quoted, names.values()))} from {source} {quoted(alias)}{where}"
        if draw(st.booleans()):
            ctes.append(f"c{level} as ({body})")
            source = f"c{level}"
        else:
            source = f"({body})"
    inner = select(
        question, metrics, f"{source} as {quoted(draw(st.sampled_from(ALIASES)))}", terms, renaming(names)
    )
    whole = f"with {', '.join(ctes)} {inner}" if ctes else inner
    for _ in range(draw(st.integers(0, 2))):
        whole = draw(
            st.sampled_from(
                (
                    'select * from ({}) "_"',
                    'select "_".* from ({}) "_" where 1 = 1 limit 1000001',
                    "with x as ({}) select * from x",
                    "select * from ({}) t union all select * from ({}) u where false",
                    "({})",
                )
            )
        ).replace("{}", whole)
    return whole


def renaming(names):
    """Return a function that puts a level's column names in the place of the view's."""
    pattern = re.compile(
        r"'[^']*'|::\w+|\"([^\"]+)\"|\b(" + "|".join(n for n in names if "." not in n) + r")\b"
    )

    def rename(text):
        def one(match):
            name = match[1] or match[2]
            return match[0] if name is None or name not in names else quoted(names[name])

        return pattern.sub(one, text)

    return rename


LAW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@LAW
@given(data=st.data())
def test_nesting_changes_nothing_and_equals_plain_sql(data, ask, plain):
    question = data.draw(questions(PLAIN_METRICS))
    flat = select(question, PLAIN_METRICS, "web", question.terms)
    nested = data.draw(nestings(question, PLAIN_METRICS))
    expected = plain(flat)
    same_rows(ask(flat), expected)
    same_rows(ask(nested), expected)


@LAW
@given(data=st.data())
def test_nesting_changes_nothing_for_people_and_attribution(data, ask):
    metrics = PLAIN_METRICS | OUR_METRICS
    question = data.draw(questions(metrics))
    flat = select(question, metrics, "web", question.terms)
    nested = data.draw(nestings(question, metrics))
    same_rows(ask(nested), ask(flat))


@LAW
@given(data=st.data())
def test_a_filter_on_a_grouped_dimension_equals_filtered_rows(data, ask):
    metrics = PLAIN_METRICS | OUR_METRICS
    question = data.draw(questions(metrics))
    term = data.draw(st.sampled_from(("channel in ('Email', 'Social')", "channel is null", "channel > 'E'")))
    grouped = Question(
        ("channel", *[d for d in question.dimensions if d != "channel"]),
        question.metrics,
        tuple(t for t in question.terms if "channel" not in t),
        question.having,
    )
    unfiltered = select(grouped, metrics, "web", grouped.terms)
    filtered = select(grouped, metrics, "web", (*grouped.terms, term))
    same_rows(ask(filtered), ask(f"select * from ({unfiltered}) t where {term}"))

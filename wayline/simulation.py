"""The identity graph on paper: settings and a few records in, the graphs and what was kept apart out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from engine.definitions.identity import IdentitiesDefinition
from engine.definitions.model import Definitions
from engine.definitions.project import parsed
from engine.definitions.yaml_source import YamlSource, read_yaml
from engine.identities.evidence import graph_rules
from engine.lake.identities import rules_of
from stitching.graph import links_of, resolve, unlinked
from stitching.identity import is_identity, well_formed

_RECORDS: Final = pl.Schema({"record": pl.Int64, "namespace": pl.String, "value": pl.String})
_HINT: Final = 'records: [{CRMID: Tom, ECID: "111"}, {CRMID: Tom, GAID: [a, b]}]'

Identity = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """What is simulated.

    Attributes:
        definitions: ``namespaces`` and ``identities`` of them count.
        records: ``record`` (1, 2, 3 … in order of time), ``namespace``, ``value``.
    """

    definitions: Definitions
    records: pl.DataFrame


@dataclass(frozen=True)
class Simulation:
    """What becomes of the records; ``first`` and ``last`` are numbers of records.

    Attributes:
        graphs: per graph its ``identities`` (namespace, value, last, type) and ``links`` (a, b, first, last).
        cut: links that would have collapsed two persons: a, b, first, last, ``because`` of a namespace, and
            the two values of it that stay ``apart``.
        evicted: identities that left a graph which was too large.
        alone: other identities whose links are all gone.
        unlinked: records that link nothing: record, reason.
        ignored: values that identify nobody: record, namespace, value.
    """

    graphs: list[dict[str, list[Identity]]]
    cut: list[Identity]
    evicted: list[Identity]
    alone: list[Identity]
    unlinked: list[Identity]
    ignored: list[Identity]


def read_case(file: Path) -> Case:
    """Read settings and records from YAML or JSON.

    Raises:
        DefinitionError: the file is malformed; the message names file and line.
    """
    source = read_yaml(file)
    if not isinstance(source.data, dict) or not isinstance(source.data.get("records"), list):
        raise source.error((), "holds no list of records", _HINT)
    rest = {key: value for key, value in source.data.items() if key != "records"}
    definitions = parsed(replace(source, data=rest))
    if definitions.identities is None:
        definitions = definitions.model_copy(update={"identities": IdentitiesDefinition()})
    records = pl.DataFrame(list(_rows(source)), _RECORDS, orient="row")
    return Case(definitions, records)


def simulate(case: Case) -> Simulation:
    """Return the graphs of records, as if they had come in one after the other."""
    rules, valid = graph_rules(case.definitions), rules_of(case.definitions)
    namespace, value = pl.col("namespace"), pl.col("value")
    good = is_identity(value, valid) & well_formed(namespace, value, valid)
    records = case.records.with_columns(time="record").filter(good)
    # No more links than records, so that none is one too many for a batch.
    found = resolve(links_of(records, rules, most=case.records.height + 1), rules)
    nodes = found.nodes.sort("graph", "namespace", "value")
    links = found.links.sort("last", "namespace_a", "value_a", "namespace_b", "value_b")
    alone = nodes.filter(pl.col("graph").is_null())
    return Simulation(
        graphs=_graphs(nodes, links, case.definitions),
        cut=_links(links.filter(pl.col("state") == "cut")),
        evicted=_identities(alone.filter("evicted"), case.definitions),
        alone=_identities(alone.filter(~pl.col("evicted")), case.definitions),
        unlinked=unlinked(records, rules).to_dicts(),
        ignored=case.records.filter(~good).to_dicts(),
    )


def _rows(source: YamlSource) -> Iterator[tuple[int, str, str]]:
    for place, record in enumerate(source.data["records"]):
        path = ("records", str(place))
        if not isinstance(record, dict):
            raise source.error(path, "a record says value by namespace", _HINT)
        for namespace, told in record.items():
            for value in told if isinstance(told, list) else [told]:
                if not isinstance(value, str):
                    hint = f'Write "{value}" in quotes.'
                    raise source.error((*path, namespace), f"{value!r} is not a text", hint)
                yield place + 1, namespace, value


def _graphs(
    nodes: pl.DataFrame, links: pl.DataFrame, definitions: Definitions
) -> list[dict[str, list[Identity]]]:
    graph_of = nodes.select("graph", namespace_a="namespace", value_a="value")
    kept = links.filter(pl.col("state") == "kept").join(
        graph_of, on=["namespace_a", "value_a"], maintain_order="left"
    )
    graphs: Iterable[str] = nodes["graph"].drop_nulls().unique(maintain_order=True)
    return [
        {
            "identities": _identities(nodes.filter(pl.col("graph") == graph), definitions),
            "links": _links(kept.filter(pl.col("graph") == graph)),
        }
        for graph in graphs
    ]


def _identities(nodes: pl.DataFrame, definitions: Definitions) -> list[Identity]:
    told = nodes.select("namespace", "value", last="seen").iter_rows(named=True)
    return [{**one, "type": definitions.namespace(one["namespace"]).type} for one in told]


def _links(links: pl.DataFrame) -> list[Identity]:
    return [_link(row) for row in links.iter_rows(named=True)]


def _link(row: dict[str, Any]) -> Identity:
    ends = {end: f"{row[f'namespace_{end}']}:{row[f'value_{end}']}" for end in "ab"}
    told = {**ends, "first": row["first"], "last": row["last"]}
    if row["because"] is None:
        return told
    return {**told, "because": row["because"], "apart": [row["because_a"], row["because_b"]]}

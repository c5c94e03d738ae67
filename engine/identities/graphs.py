"""Graphs from evidence: what is resolved from links, and what that changes of what was known."""

from __future__ import annotations

from typing import Final

import polars as pl

from engine.identities.evidence import ENDS, EVIDENCE, KEY
from engine.identities.table import FIRSTS, IDENTITIES, LINKS, Content
from stitching.graph import Rules, resolve

_FOUND: Final = ("state", "because", "because_a", "because_b")


def drawn(evidence: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Return evidence (``EVIDENCE``) of whole components with what becomes of its links (``LINKS``)."""
    if not evidence.height:
        return pl.DataFrame(schema=LINKS)
    resolved = resolve(evidence, rules)
    found = resolved.links.select(*ENDS, *_FOUND).with_columns(pl.col("state").cast(pl.String))
    names = resolved.nodes.select("component", "graph", namespace_a="namespace", value_a="value")
    told = evidence.join(found, on=list(ENDS)).join(names, on=["namespace_a", "value_a"])
    kept = pl.when(pl.col("state") == "kept").then("graph")
    return told.with_columns(graph=kept).select(list(LINKS))


def content(links: pl.DataFrame) -> Content:
    """Return all that links (``LINKS``) of whole components say."""
    ends = [
        links.select("component", "graph", namespace=f"namespace_{end}", value=f"value_{end}") for end in "ab"
    ]
    known = pl.concat(ends).group_by("namespace", "value", "component").agg(pl.col("graph").max())
    inside = known.filter(pl.col("graph").is_not_null())
    firsts = inside.group_by("graph", "namespace").agg(pl.col("value").min())
    return Content(known.select(list(IDENTITIES)), links, firsts.select(list(FIRSTS)))


def changed(before: pl.DataFrame, after: pl.DataFrame) -> Content:
    """Return what is to be written where links (``LINKS``) of whole components become others."""
    old, new = content(before), content(after)
    if not before.height:
        return new
    return Content(
        _differing(old.identities, new.identities, ["namespace", "value"]),
        _differing(old.links, new.links, ["component"]),
        _differing(old.firsts, new.firsts, ["graph"]),
    )


def without(evidence: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    """Return evidence (``EVIDENCE``) without other."""
    return evidence.select(list(EVIDENCE)).join(gone, on=list(KEY), how="anti")


def _differing(old: pl.DataFrame, new: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Return all new rows of the keys of which any row differs, and of lost keys a row of nulls."""
    columns = old.columns
    moved = [
        one.join(other, on=columns, how="anti", nulls_equal=True).select(key)
        for one, other in ((old, new), (new, old))
    ]
    keys = pl.concat(moved).unique()
    written = new.join(keys, on=key, how="semi")
    lost = keys.join(new, on=key, how="anti")
    return pl.concat([written, lost], how="diagonal").select(columns)

"""The identities of lake rows: what labelled fields and identity maps say who or what a record is about."""

from __future__ import annotations

import polars as pl

from engine.definitions.identity import STANDARD
from engine.definitions.model import DatasetDefinition, Definitions
from engine.lake.rows import leaf
from engine.lake.schema import ROW
from stitching import identity
from stitching.identity import Rules


def rules_of(definitions: Definitions) -> Rules:
    """Return which values are no identities in a home."""
    settings, spaces = definitions.identities, {**STANDARD, **definitions.namespaces}
    formats = {code: space.format for code, space in spaces.items() if space.format is not None}
    if settings is None:
        return Rules(formats=formats)
    return Rules(frozenset(settings.placeholders), settings.default_placeholders, formats)


def record_identities(
    dataset: DatasetDefinition, rows: pl.LazyFrame | pl.DataFrame, rules: Rules
) -> pl.DataFrame:
    """Return every valid identity of every record, each once.

    Args:
        dataset: the dataset; its labelled fields and identity maps are read, but for those in arrays.
        rows: lake rows as declared, nested, with ``_row``; other columns may be left out.
        rules: which values are no identities (``rules_of``).

    Returns:
        ``_row`` int64, ``namespace`` and ``value`` strings, in no order.
    """
    found = [pl.LazyFrame(schema={ROW: pl.Int64, "namespace": pl.String, "value": pl.String})]
    for path, field in dataset.identity_fields().items():
        given = rows.lazy().select(ROW, given=leaf(path))
        if field.identity is not None:
            found.append(given.select(ROW, namespace=pl.lit(field.identity), value="given"))
        else:
            entry = pl.col("given").struct
            each = given.explode("given").filter(pl.col("given").is_not_null())
            found.append(each.select(ROW, namespace=entry.field("namespace"), value=entry.field("id")))
    namespace, value = pl.col("namespace"), pl.col("value")
    good = identity.is_code(namespace) & identity.is_identity(value, rules)
    formed = identity.well_formed(namespace, value, rules)
    return pl.concat(found).filter(good & formed).unique().collect()

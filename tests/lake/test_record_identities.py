"""The identities of records: every labelled field and map, each once, without what is none."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definitions.model import Definitions
from engine.lake.identities import record_identities, rules_of
from engine.types import IDENTITY_MAP
from tests.oracle import identities as oracle

FIELDS = {
    "at": "timestamp",
    "card": {"type": "string", "identity": "CARD"},
    "login": {
        "type": "object",
        "fields": {"mail": {"type": "string", "identity": "Email"}, "ids": "identity_map"},
    },
    "bought": {"type": "array", "fields": {"for": {"type": "string", "identity": "CARD"}}},
}
GIVEN = Definitions.model_validate(
    {
        "identities": {"placeholders": ["kiosk"]},
        "namespaces": {"CARD": {"type": "cross_device", "format": "[a-z]+"}},
        "datasets": {"web": {"timestamp": "at", "fields": FIELDS}},
    }
)
SCHEMA = pl.Schema(
    {
        "_row": pl.Int64,
        "card": pl.String,
        "login": pl.Struct(
            {"mail": pl.String, "ids": pl.from_arrow(pl.Series([None]).to_arrow().cast(IDENTITY_MAP)).dtype}
        ),
    }
)
VALUES = st.none() | st.sampled_from(["tom", "TOM", "kiosk", "", "NULL", "1" * 38, "2"])
ENTRY = st.fixed_dictionaries(
    {
        "namespace": st.sampled_from(["CARD", "ECID", "Email", "", None]),
        "id": VALUES,
        "primary": st.booleans(),
    }
)
RECORD = st.fixed_dictionaries(
    {
        "card": VALUES,
        "login": st.none()
        | st.fixed_dictionaries({"mail": VALUES, "ids": st.none() | st.lists(ENTRY, max_size=3)}),
    }
)


def expected(row, record):
    """Every identity of a record, one look at a time."""
    login = record["login"] or {"mail": None, "ids": None}
    pairs = [("CARD", record["card"]), ("Email", login["mail"])]
    pairs += [(entry["namespace"], entry["id"]) for entry in login["ids"] or []]
    for namespace, value in pairs:
        fits = {"CARD": value and value.isalpha() and value.islower(), "ECID": value and len(value) == 38}
        if namespace and oracle.is_identity(value, {"kiosk"}) and fits.get(namespace, True):
            yield row, namespace, value


@settings(deadline=None, max_examples=50)
@given(st.lists(RECORD, max_size=4))
def test_records_have_the_identities_of_the_oracle(records):
    rows = [{"_row": row, **record} for row, record in enumerate(records)]
    found = record_identities(GIVEN.datasets["web"], pl.DataFrame(rows, schema=SCHEMA), rules_of(GIVEN))
    assert found.columns == ["_row", "namespace", "value"]
    wanted = {each for row, record in enumerate(records) for each in expected(row, record)}
    assert sorted(found.rows()) == sorted(wanted)

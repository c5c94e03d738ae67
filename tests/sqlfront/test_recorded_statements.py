"""What clients ask the catalogs, as recorded on PostgreSQL 15 (`tests/clients/record_statements.py`).

Each statement is answered, with the same columns of the same types, and with as many rows where it is about our
relations; of PostgreSQL's own objects the catalogs hold those that we have.
"""

import json
import re
from pathlib import Path

import pytest

from engine.cancellation import Cancellation
from sqlfront.catalog import Catalog, Kind, Relation, Relations, recognise
from sqlfront.catalog.relations import stable_oids
from sqlfront.settings import Settings
from sqlfront.state import Caller
from sqlfront.wire.parameters import decode_parameter
from sqlfront.wire.types import pg_oid
from tests.sqlfront.fake_front import RELATIONS

FILES = sorted((Path(__file__).parent.parent / "clients" / "statements").glob("*.json"))
CALLER = Caller("postgres", "postgres", 7, Settings().values)
OIDS = stable_oids(["web", "web_raw", "row type of web", "row type of web_raw"])
TEXT, INT4, INT8, TEXTS = "25", "23", "20", "1009"
OTHER_TYPES = {
    *((TEXT, number) for number in ("24", "2204", "2205", "2206")),  # regproc, regoperator, regclass, regtype
    (TEXTS, "1034"),  # aclitem[]
    (INT8, INT4),  # numbers that generate_series makes
}
FEWER = re.compile(
    r"pg_(?:am|amop|amproc|attribute|cast|collation|database|extension|language|namespace|opclass|operator|proc|type)"
    r"|pg_ts_\w+|pg_index|pg_class"
)


def without_structs(relation):
    columns = tuple(column for column in relation.columns if column.name != "device")
    return Relation(relation.name, relation.kind, columns, relation.comment)


@pytest.fixture(scope="module")
def catalog():
    relations = Relations(1, tuple(map(without_structs, RELATIONS.relations)))
    assert {relation.kind for relation in relations.relations} == {Kind.VIEW, Kind.TABLE}
    return Catalog(lambda caller: relations)


def own(text):
    return text and re.sub(r"oid of ((?:row type of )?\w+)", lambda found: str(OIDS.get(found[1], 1)), text)


def answer(catalog, statement):
    question = recognise(own(statement["sql"]))
    assert question is not None, statement["sql"]
    plan = catalog.plan(question, CALLER)
    values = [None if value is None else own(value).encode() for value in statement["values"]]
    decoded = [decode_parameter(raw, kind, False) for raw, kind in zip(values, plan.parameters, strict=True)]
    return plan.columns, plan.run(decoded, Cancellation()).read_all().num_rows


def is_same(ours, theirs):
    (name, _, kind), (other_name, _, other_kind) = ours.rpartition(":"), theirs.rpartition(":")
    return name == other_name and (kind == other_kind or (kind, other_kind) in OTHER_TYPES)


def about_postgresqls_own(sql):
    first = re.search(r"\bFROM\s+(?:ONLY\s+)?(?:pg_catalog\.)?(\w+)", sql, re.IGNORECASE)
    return first is not None and FEWER.fullmatch(first[1].lower()) is not None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_statements_are_answered_as_postgresql_answers_them(catalog, file):
    statements = json.loads(file.read_text())
    assert statements
    for statement in statements:
        columns, rows = answer(catalog, statement)
        found = [f"{column.name}:{pg_oid(column.type)}" for column in columns]
        assert len(found) == len(statement["columns"]), statement["sql"]
        assert all(map(is_same, found, statement["columns"])), (found, statement)
        assert rows == statement["rows"] or about_postgresqls_own(statement["sql"]), (rows, statement)

"""Objects, arrays and maps as psql and psycopg read them, and databases that open objects."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import psycopg
import pytest

from sqlfront.front import open_front
from sqlfront.server import running
from sqlfront.users import add_user
from tests.sqlfront.purchases import purchases_home

pytestmark = pytest.mark.clients

FLAT = """SELECT YEAR(at) AS year, SUM("commerce.order.priceTotal") AS revenue FROM purchases
WHERE "commerce.purchases.value" > 0 GROUP BY 1"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = purchases_home(tmp_path_factory.mktemp("nested"))
    add_user(home.catalog, "ada", "secret")
    with running(open_front(home)) as address:
        yield {"host": address.host, "port": str(address.port), "user": "ada", "password": "secret"}
    home.close()


def psql(place: dict[str, str], database: str, script: str) -> list[str]:
    command = ["psql", "-XAtq", "-h", place["host"], "-p", place["port"], "-U", place["user"], "-d", database]
    environment = os.environ | {"PGPASSWORD": place["password"]}
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, env=environment)
    return (done.stdout + done.stderr).splitlines()


def test_psql_reads_paths_and_rows_out_of_arrays(place: dict[str, str]) -> None:
    path = "SELECT commerce.`order`.purchaseID, items[0].sku, identityMap['CRM'][0].id FROM purchases WHERE id = '1';"
    assert psql(place, "demo", path) == ["p1|hat|c1"]
    rows = "SELECT id, x.sku FROM purchases LATERAL VIEW explode(items) e AS x ORDER BY 1, 2;"
    assert psql(place, "demo", rows) == ["1|hat", "1|shoe", "2|hat"]


@pytest.mark.parametrize("database", ["demo?FLATTEN", "demo:all%3FFLATTEN"])
def test_psql_opens_objects(place: dict[str, str], database: str) -> None:
    assert psql(place, database, f"{FLAT};") == ["2024|30.5"]
    assert "commerce.order.priceTotal|double precision|||" in psql(place, database, "\\d purchases")


def test_psql_is_shown_json_and_the_batch(place: dict[str, str]) -> None:
    script = "SET auto_to_json = true; SELECT items FROM purchases WHERE id = '2';"
    assert psql(place, "demo", script) == ['[{"SKU":"hat","price":4.0}]']
    script = "SET drop_system_columns = false; SELECT count(DISTINCT _acp_batchid) FROM purchases;"
    assert psql(place, "demo", script) == ["1"]


def test_psql_lists_tables(place: dict[str, str]) -> None:
    heads = "name|dataSetId|dataSet|description|resolved"
    assert psql(place, "demo", "\\t off\n\\pset footer off\nSHOW TABLES;")[0] == heads


@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_binds_places_and_keys(place: dict[str, str], binary: bool) -> None:
    with psycopg.connect(dbname="demo", **place) as connection:
        asked = "SELECT items[%s].sku, identityMap[%s][0].id, transform(tags, t -> upper(t)) FROM purchases"
        rows = connection.cursor(binary=binary).execute(f"{asked} WHERE id = '1'", (1, "ECID")).fetchall()
        assert rows == [("shoe", "e1", ["NEW", "RED"])]

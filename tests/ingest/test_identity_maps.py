"""Identity maps: every form that a file may hold them in becomes one and the same list."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from engine.definitions.model import DatasetDefinition
from engine.ingest.infer import infer
from engine.ingest.schema_text import schema_yaml

WEB = DatasetDefinition.model_validate(
    {"timestamp": "ts", "fields": {"ts": "timestamp", "ids": "identity_map", "page": "string"}}
)
TIME = "2024-05-01T10:00:00Z"
LOGGED_IN = {
    "ECID": [{"id": "e2", "primary": True}, {"id": "e1"}],
    "CRMID": [{"id": "Tom", "primary": False}],
}
TEXT = st.sampled_from(["a", "b", "2024-01-01", "007", "ä €", "x" * 40])
ENTRY = st.fixed_dictionaries(
    {"id": TEXT},
    optional={"primary": st.booleans(), "authenticatedState": st.sampled_from(["ambiguous", "loggedOut"])},
)
SPACE = st.sampled_from(["ECID", "CRMID", "B-1", "Phone_E.164"])
MAPS = st.none() | st.dictionaries(SPACE, st.lists(ENTRY | st.none(), max_size=3) | st.none(), max_size=3)


def as_stored(ids: dict | None) -> list[dict] | None:
    """What the lake holds of a map."""
    if ids is None:
        return None
    return [
        {"namespace": name, "id": entry["id"], "primary": bool(entry.get("primary"))}
        for name in sorted(ids)
        for entry in ids[name] or []
        if entry is not None
    ]


def write_json(path, maps):
    lines = (json.dumps({"ts": TIME, "ids": ids, "page": "p"}) for ids in maps)
    path.write_text("\n".join(lines) + "\n")


def write_listed_json(path, maps):
    def listed(ids):
        return (
            None
            if ids is None
            else [{"namespace": n, **e} for n in ids for e in ids[n] or [] if e is not None]
        )

    write_json(path, [listed(ids) for ids in maps])


def write_csv(path, maps):
    text = io.StringIO()
    csv.writer(text).writerows(
        [("ts", "ids", "page"), *((TIME, "" if ids is None else json.dumps(ids), "p") for ids in maps)]
    )
    path.write_text(text.getvalue())


ENTRY_TYPE = pa.struct([("id", pa.string()), ("primary", pa.bool_()), ("authenticatedState", pa.string())])


def write_parquet(path, ids):
    rows = {"ts": [TIME] * len(ids), "ids": ids, "page": ["p"] * len(ids)}
    parquet.write_table(pa.table(rows), path)


def write_parquet_map(path, maps):
    kind = pa.map_(pa.string(), pa.list_(ENTRY_TYPE))
    write_parquet(path, pa.array([None if ids is None else list(ids.items()) for ids in maps], kind))


def write_parquet_list(path, maps):
    kind = pa.list_(pa.struct([("primary", pa.bool_()), ("namespace", pa.string()), ("id", pa.string())]))
    write_parquet(path, pa.array([as_stored(ids) for ids in maps], kind))


def write_parquet_text(path, maps):
    write_parquet(path, pa.array([None if ids is None else json.dumps(ids) for ids in maps], pa.string()))


FORMS = {
    "o.jsonl": write_json,
    "l.jsonl": write_listed_json,
    "t.csv": write_csv,
    "m.parquet": write_parquet_map,
    "l.parquet": write_parquet_list,
    "t.parquet": write_parquet_text,
}


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(maps=st.lists(MAPS, min_size=1, max_size=6))
def test_every_form_of_a_map_becomes_the_same_list(name, maps, read_file, tmp_path):
    FORMS[name](tmp_path / name, maps)
    rows, diagnostics = read_file(tmp_path / name, WEB)
    assert [row["ids"] for row in rows] == [as_stored(ids) for ids in maps]
    assert not diagnostics.rejects


@pytest.mark.parametrize("ignore_unknown", [False, True])
def test_a_namespace_that_only_late_records_have_is_read_too(read_file, tmp_path, ignore_unknown):
    late = {"ECID": [{"id": "2024-01-01"}], "Late": [{"id": "2024-01-01", "seen": "2024-01-01"}]}
    maps = [{"ECID": [{"id": "a"}]}] * 20_000 + [late]
    write_json(tmp_path / "web.jsonl", maps)
    rows, diagnostics = read_file(tmp_path / "web.jsonl", WEB, ignore_unknown=ignore_unknown)
    assert rows[-1]["ids"] == as_stored(late)
    assert len(rows) == 20_001 and not diagnostics.rejects


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ('"ECID"', "ids: not a valid identity_map"),
        ('{"ECID": "a"}', "ids: not a valid identity_map"),
        ('{"ECID": {"id": "a"}}', "ids: not a valid identity_map"),
        ('{"ECID": ["a"]}', "ids: not a valid identity_map"),
        ('{"ECID": [{"id": {"a": 1}}]}', "ids.id: not a valid string"),
        ('{"ECID": [{"id": "a", "primary": "perhaps"}]}', "ids.primary: not a valid boolean"),
    ],
)
def test_what_is_no_map_is_rejected(ids, reason, load, open_home, stored, tmp_path):
    home = open_home(WEB)
    good = '{"ts": 1714557600000, "ids": {"ECID": [{"id": 17, "primary": true}]}}'
    path = tmp_path / "web.jsonl"
    path.write_text(f'{good}\n{{"ts": 1714557600000, "ids": {ids}}}\n')
    load(home, path, reject_limit_percent=50)
    assert [reject.reason for reject in home.catalog.rejects(home.catalog.batches()[0].id)] == [reason]
    assert [row["ids"] for row in stored(home)] == [[{"namespace": "ECID", "id": "17", "primary": True}]]


def test_unknown_fields_are_still_told_beside_a_map(read_file, tmp_path):
    (tmp_path / "web.jsonl").write_text('{"ts": 1714557600000, "ids": {}, "pgae": "p"}\n')
    rows, diagnostics = read_file(tmp_path / "web.jsonl", WEB)
    assert rows == [] and diagnostics.failed == 1
    rows, _ = read_file(tmp_path / "web.jsonl", WEB, ignore_unknown=True)
    assert rows[0]["ids"] == []


@pytest.mark.parametrize("name", [name for name in FORMS])
def test_schema_inference_knows_a_map(name, tmp_path):
    FORMS[name](tmp_path / name, [LOGGED_IN, {"ECID": [{"id": "e3", "primary": True}]}])
    found = infer(tmp_path / name)
    assert found.definition.fields["ids"].type == "identity_map"
    assert "ids: identity_map  # identities by namespace" in schema_yaml(found)


def test_a_map_in_an_array_is_refused():
    with pytest.raises(ValueError, match="cannot be part of an array"):
        DatasetDefinition.model_validate(
            {
                "kind": "lookup",
                "key": "k",
                "fields": {"k": "string", "a": {"type": "array", "fields": {"m": "identity_map"}}},
            }
        )

"""``wayline graph simulate``: records and settings in a file, the graphs and what was kept apart printed."""

from __future__ import annotations

import pytest
import yaml

from tests.stitching.test_graph_examples import LR, PRIORITY, TYPES, expected
from tests.wayline.test_cli import wayline

__all__ = ["wayline"]

FAMILY = """\
namespaces: {CRMID: cross_device, ECID: cookie}
identities: {priority: [CRMID, Email, ECID], unique: [CRMID], limit: 4}
records:
- {CRMID: Tom, Email: tom@shop.com, ECID: "111"}
- {CRMID: Summer, ECID: "111"}
- {CRMID: Summer, ECID: ["222", "333"]}
- {CRMID: Summer, ECID: "444"}
- {ECID: "222"}
- {CRMID: [Tom, Summer], ECID: "111"}
- {CRMID: undefined, ECID: "555"}
"""


def simulated(wayline, folder, text):
    (folder / "family.yaml").write_text(text)
    return wayline("graph", "simulate", folder / "family.yaml", "--json")


@pytest.mark.parametrize(("records", "unique", "left", "lost"), LR.values(), ids=LR)
def test_linking_rules_by_simulation(records, unique, left, lost, tmp_path, wayline):
    listed = []
    for record in records:
        listed.append({})
        for identity in record.split():
            namespace, value = identity.split(":")
            listed[-1].setdefault(namespace, []).append(value)
    namespaces = {code: {"type": kind} for code, kind in TYPES.items()}
    settings = {"priority": list(PRIORITY), "unique": unique}
    file = {"namespaces": namespaces, "identities": settings, "records": listed}
    found = simulated(wayline, tmp_path, yaml.safe_dump(file)).json()
    assert {
        frozenset(f"{one['namespace']}:{one['value']}" for one in graph["identities"])
        for graph in found["graphs"]
    } == expected(*left)
    assert {f"{one['a']} {one['b']}" for one in found["cut"]} == set(lost)


def test_everything_that_becomes_of_records(tmp_path, wayline):
    found = simulated(wayline, tmp_path, FAMILY).json()
    assert [[one["value"] for one in graph["identities"]] for graph in found["graphs"]] == [
        ["Summer", "222", "333", "444"],
        ["Tom", "tom@shop.com"],
    ]
    assert found["graphs"][1]["links"] == [
        {"a": "CRMID:Tom", "b": "Email:tom@shop.com", "first": 1, "last": 1}
    ]
    assert found["cut"] == [
        {
            "a": "CRMID:Tom",
            "b": "ECID:111",
            "first": 1,
            "last": 1,
            "because": "CRMID",
            "apart": ["Tom", "Summer"],
        }
    ]
    assert found["evicted"] == [{"namespace": "ECID", "value": "111", "type": "cookie", "last": 2}]
    assert found["alone"] == []
    assert [(one["record"], one["reason"]) for one in found["unlinked"]] == [
        (5, "fewer than two identities"),
        (6, "two identities of CRMID, which is unique"),
        (7, "fewer than two identities"),
    ]
    assert found["ignored"] == [{"record": 7, "namespace": "CRMID", "value": "undefined"}]


def test_it_is_told_to_people(tmp_path, wayline):
    (tmp_path / "family.yaml").write_text(FAMILY)
    told = wayline("graph", "simulate", tmp_path / "family.yaml").out
    assert "2 graphs" in told
    assert "would put CRMID:Tom and CRMID:Summer together" in told
    assert "Evicted: ECID:111" in told
    assert "Record 6 links nothing: two identities of CRMID, which is unique." in told
    assert "Record 7: CRMID:undefined identifies nobody." in told


def test_settings_may_be_left_out(tmp_path, wayline):
    found = simulated(wayline, tmp_path, '{"records": [{"A": "1", "B": ["2", "3"]}]}').json()
    assert len(found["graphs"]) == 1
    assert found["alone"] == found["unlinked"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("namespaces: {}", "family.yaml: holds no list of records"),
        (
            "records:\n- {A: b}\n- {ECID: 111}",
            'family.yaml:3: records.1.ECID: 111 is not a text  Write "111"',
        ),
        ("records:\n- A\n", "family.yaml:2: records.0: a record says value by namespace"),
        ("identities: {prioritie: []}\nrecords: []", "identities.prioritie: unknown key"),
    ],
)
def test_a_malformed_file_is_one_line(text, message, tmp_path, wayline):
    ended = simulated(wayline, tmp_path, text)
    assert ended.code == 1
    assert message in ended.err
    assert ended.err.count("\n") == 1

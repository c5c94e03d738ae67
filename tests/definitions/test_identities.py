"""Namespaces, identity maps and the graph's settings: what is understood, and what is refused."""

from __future__ import annotations

import pytest

from engine.definitions.model import Definitions
from engine.definitions.project import load, merge
from engine.errors import DefinitionError
from tests.definitions.checking import check

WEB = {
    "timestamp": "at",
    "fields": {
        "at": "timestamp",
        "ids": "identity_map",
        "card": {"type": "string", "identity": "CARD"},
        "mail": {"type": "string", "identity": "Email"},
    },
}


def definitions(**more):
    return Definitions.model_validate({"datasets": {"web": WEB}} | more)


def test_namespaces_have_the_type_that_is_declared_else_the_usual_one():
    given = definitions(namespaces={"TILL": "device", "Email": {"type": "non_people", "format": "x+"}})
    types = given.namespace_types()
    assert (types["TILL"], types["Email"], types["ECID"], types["CARD"]) == (
        "device",
        "non_people",
        "cookie",
        "cross_device",
    )
    assert given.namespace("Never").type == "cross_device"
    assert given.namespace("ECID").format == "[0-9]{38}"


def test_datasets_that_can_hold_two_identities_feed_the_graph():
    one = {"timestamp": "at", "fields": {"at": "timestamp", "card": {"type": "string", "identity": "CARD"}}}
    datasets = {"web": WEB, "one": one, "left_out": WEB | {"graph": False}}
    assert list(definitions(datasets=datasets, identities={}).feeders()) == ["web"]
    assert definitions(datasets=datasets).feeders() == {}
    assert definitions(datasets=datasets, identities={"graph": False}).feeders() == {}


def test_everything_written_is_kept_and_read_again():
    part = {
        "stitching": {"persistent_id": {"map": "ids", "primary": True}, "graph": "Email", "lookback": "14d"}
    }
    given = definitions(
        namespaces={"TILL": "device"},
        identities={"priority": ["Email", "TILL"], "unique": ["Email"], "placeholders": ["x"]},
        connections={"shop": {"datasets": {"web": part}}},
    )
    check(given)
    assert Definitions.model_validate_json(given.model_dump_json()) == given
    assert merge(given, definitions(namespaces={"CRMID": "cross_device"})).namespaces.keys() == {
        "TILL",
        "CRMID",
    }
    assert merge(given, definitions()).identities == given.identities


@pytest.mark.parametrize(
    ("identities", "message"),
    [
        ({"priority": ["ECID", "Email"]}, '"ECID" is a cookie and stands before "Email"'),
        ({"priority": ["Emial"]}, 'identities.priority.0: there is no namespace "Emial"'),
        ({"unique": ["email"]}, 'identities.unique.0: there is no namespace "email"'),
        ({"priority": ["PART"]}, '"PART" has type partner, which is in no graph'),
    ],
)
def test_settings_of_the_graph_that_cannot_be(identities, message):
    with pytest.raises(DefinitionError, match=message):
        check(definitions(namespaces={"PART": "partner"}, identities=identities))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("identities: {priority: [Email, Email]}", "'Email' is there twice"),
        ("identities: {priority: [Email], unique: [ECID]}", "only one of it"),
        ("identities: {limit: 1}", "identities.limit: input should be greater than or equal to 2"),
        ("namespaces: {CRMID: person}", "'person' is not one of cookie, device"),
        ('namespaces: {"a b": cookie}', "not a namespace's code"),
        ("namespaces: {CRMID: {type: cookie, format: '['}}", "not a regular expression"),
        ("datasets: {web: {timestamp: at, fields: {at: timestamp, ids: identity_mapp}}}", "unknown type"),
    ],
)
def test_what_is_malformed_is_told_with_its_line(text, message, tmp_path):
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(DefinitionError, match=f"p.yaml:1: .*{message}"):
        load(tmp_path / "p.yaml")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("{person_id: 5}", "person_id: input should be a valid string"),
        ("{person_id: {mop: ids}}", 'person_id: key "map" is missing'),
        ("{person_id: {map: ids}}", "give either namespace: CODE or primary: true"),
        (
            "{person_id: {map: ids, namespace: Email, primary: true}}",
            "give either namespace: CODE or primary",
        ),
        (
            "{stitching: {persistent_id: card, person_id: mail, graph: Email}}",
            "give either person_id or graph",
        ),
        ("{stitching: {persistent_id: card, graph: Email, shared_devices: last}}", "belongs to person_id"),
        ("{stitching: {persistent_id: card, graph: Email}}", "there is no identity graph to stitch by"),
        (
            "{stitching: {persistent_id: card, person_id: {map: ids, namespace: CARD}}}",
            'both identities of "CARD"',
        ),
    ],
)
def test_what_cannot_say_who_somebody_is(part, message, tmp_path):
    (tmp_path / "p.yaml").write_text(f"connections: {{shop: {{datasets: {{web: {part}}}}}}}")
    with pytest.raises(DefinitionError, match=f"p.yaml:1: .*{message}"):
        load(tmp_path / "p.yaml", definitions())

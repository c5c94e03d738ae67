"""Persons and devices from identity maps, through lake, stitch log and journeys; shared devices."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import flow
from engine.applying import apply
from engine.batches import revert
from engine.definitions.model import Definitions
from engine.errors import DefinitionError
from engine.world import Home
from tests.journeys.support import ingest_rows, journeys, new_home
from tests.oracle import identities, stitching

NOON = datetime(2023, 5, 12, 12, tzinfo=UTC)
FIELDS = {
    "id": "string",
    "at": "timestamp",
    "device": {"type": "string", "identity": "DEV"},
    "customer": {"type": "string", "identity": "CUST"},
    "who": {"type": "object", "fields": {"ids": "identity_map"}},
}
ECID, CRMID = ({"map": "who.ids", "namespace": code} for code in ("ECID", "CRMID"))
PRIMARY = {"map": "who.ids", "primary": True}


def definitions(part: dict[str, Any], **more: Any) -> Definitions:
    web = {"timestamp": "at", "event_id": "id", "fields": FIELDS}
    connection = {"datasets": {"web": part}, "buckets": 2}
    spaces = {"CRMID": "cross_device"}
    given = {"namespaces": spaces, "datasets": {"web": web}, "connections": {"shop": connection}}
    return Definitions.model_validate(given | more)


def stitched(device: Any, person: Any, **more: Any) -> dict[str, Any]:
    return {"stitching": {"persistent_id": device, "person_id": person, **more}}


def row(name: str, minute: float, ids: Any = None, **fields: Any) -> dict[str, Any]:
    spaces = sorted(ids or {})
    entries = (
        None if ids is None else [{"namespace": name, **entry} for name in spaces for entry in ids[name]]
    )
    return {"id": name, "at": NOON + timedelta(minutes=minute), "who": {"ids": entries}, **fields}


def one(value: str, *, primary: bool = False) -> list[dict[str, Any]]:
    return [{"id": value, "primary": primary}]


def told(home: Home) -> dict[str, tuple[str, str]]:
    """Return event id → namespace and person."""
    rows = [row for rows in journeys(home, ["_event_id", "_namespace", "_person"]) for row in rows]
    return {name: (space, person) for _, name, space, person in rows}


def replay(home: Home) -> Any:
    return flow.replay(home, "shop", at=NOON + timedelta(days=3), lookback=timedelta(days=30))


EX_ST_0 = {
    "ECID": [
        {"id": "ecid-3", "primary": False},
        {"id": "ecid-2", "primary": True},
        {"id": "ecid-1", "primary": True},
    ],
    "CCID": [{"id": "ccid-1", "primary": False}, {"id": "ccid-2", "primary": True}],
}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (stitched(PRIMARY, "customer"), ("CCID", "ccid-2")),
        (stitched(ECID, "customer"), ("ECID", "ecid-1")),
        ({"person_id": PRIMARY}, ("CCID", "ccid-2")),
        ({"person_id": ECID}, ("ECID", "ecid-3")),
    ],
)
def test_ex_st_0_one_identity_of_a_map_is_the_person(part: Any, expected: Any, tmp_path: Path) -> None:
    """Without stitching it is the first one written, of the alphabetically first namespace."""
    home = new_home(tmp_path, definitions(part))
    ingest_rows(home, "web", [row("e", 0, EX_ST_0)])
    assert told(home) == {"e": expected}


def test_without_stitching_a_row_whose_map_does_not_say_who_it_is_is_skipped(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions({"person_id": PRIMARY}))
    rows = [row("a", 0, {"ECID": one("e1")}), row("b", 0, {"Unheard": one("u", primary=True)}), row("c", 0)]
    ingest_rows(home, "web", rows)
    assert told(home) == {"b": ("Unheard", "u")}
    assert flow.status(home).connections[0].skips == {"Empty visitor ID": 2}


DAY = 23 * 60 + 8
EX_ST_2 = [(1, None), (2, None), (3, "ryan"), (7, None), (8, "cassidy"), (DAY, None)]


@pytest.mark.parametrize(
    ("more", "ids", "expected"),
    [
        ({}, ["1234"] * 6, ["ryan"] * 4 + ["cassidy"] * 2),
        ({"shared_devices": "last"}, ["1234"] * 6, ["cassidy"] * 6),
        ({}, ["1234"] * 4 + ["5678"] * 2, ["ryan"] * 4 + ["cassidy"] * 2),
        ({"shared_devices": "last"}, ["1234"] * 4 + ["5678"] * 2, ["ryan"] * 4 + ["cassidy"] * 2),
    ],
)
def test_ex_st_2_shared_devices(more: Any, ids: list[str], expected: list[str], tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("device", "customer", **more)))
    named = zip(EX_ST_2, ids, strict=True)
    rows = [row(f"e{at:04}", at, device=device, customer=person) for (at, person), device in named]
    ingest_rows(home, "web", rows)
    live = [person for _, (_, person) in sorted(told(home).items())]
    assert live[:5] == [ids[0], ids[0], "ryan", "ryan", "cassidy"]
    replay(home)
    before = told(home)
    assert [person for _, (_, person) in sorted(before.items())] == expected
    assert replay(home).rows_changed == 0
    flow.rebuild(home, "shop")
    assert told(home) == before


def test_values_that_identify_nobody_do_not_in_stitching(tmp_path: Path) -> None:
    given = definitions(stitched("device", "customer"))
    home = new_home(tmp_path, given)
    rows = [
        row("a", 0, device="d", customer="Undefined"),
        row("b", 1, device="d", customer="Tom"),
        row("c", 2, device="0000", customer="kiosk"),
        row("d", 3, device="0000", customer=None),
        row("e", 4, device="x" * 1025, customer=" "),
    ]
    ingest_rows(home, "web", rows)
    expected = {"a": ("DEV", "d"), "b": ("CUST", "Tom"), "c": ("CUST", "kiosk")}
    assert told(home) == expected
    replay(home)
    assert told(home) == expected | {"a": ("CUST", "Tom")}
    apply(home, definitions(stitched("device", "customer"), identities={"placeholders": ["kiosk"]}))
    assert told(home) == {"a": ("DEV", "d"), "b": ("CUST", "Tom")}


def test_namespaces_that_differ_per_row_keep_equal_values_apart(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched(PRIMARY, "customer")))
    rows = [
        row("a", 0, {"ECID": one("1", primary=True)}),
        row("b", 1, {"ECID": one("1", primary=True)}, customer="Tom"),
        row("c", 0, {"AAID": one("1", primary=True)}),
        row("d", 1, {"AAID": one("1", primary=True)}, customer="Summer"),
    ]
    ingest_rows(home, "web", rows)
    assert told(home)["c"] == ("AAID", "1")
    replayed = replay(home)
    assert told(home) == {name: ("CUST", "Tom" if name in "ab" else "Summer") for name in "abcd"}
    assert (replayed.persons_before, replayed.persons_after) == (3, 2)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (stitched(PRIMARY, PRIMARY), "cannot both be the primary identity"),
        (stitched(ECID, ECID), 'both identities of "ECID"'),
        (stitched("who.ids", "customer"), '"who.ids" is an identity map'),
        (stitched({"map": "device", "primary": True}, "customer"), "an identity must be in an identity_map"),
        (stitched({"map": "who.idz", "primary": True}, "customer"), 'no field "who.idz"'),
        (stitched({"map": "who.ids", "namespace": "ECIT"}, "customer"), 'no namespace "ECIT"'),
        ({"stitching": {"persistent_id": ECID, "graph": "CRMID"}}, "no identity graph"),
    ],
)
def test_what_cannot_be_stitched_is_refused(part: Any, message: str, tmp_path: Path) -> None:
    from engine.definitions.checks import problems, refuse

    with pytest.raises(DefinitionError, match=message):
        refuse(problems(definitions(part)))


IDS = st.sampled_from(["a", "b", "null", "ab"])
MAPS = st.none() | st.dictionaries(
    st.sampled_from(["CRMID", "ECID", "AAID"]),
    st.lists(st.fixed_dictionaries({"id": IDS, "primary": st.booleans()}), max_size=2),
    max_size=3,
)
EVENT = st.fixed_dictionaries(
    {"minute": st.integers(0, 5), "ids": MAPS, "device": st.none() | IDS, "customer": st.none() | IDS}
)
BATCHES = st.lists(st.lists(EVENT, min_size=1, max_size=4), min_size=1, max_size=3)


def of_map(ids: Any, reference: Any, other: str | None) -> identities.Found:
    if reference.get("primary"):
        return identities.stitched_by_primary(ids, other)
    value = identities.stitched_by_namespace(ids, reference["namespace"])
    return None if value is None else (reference["namespace"], value)


def expected_id(event: dict[str, Any], reference: Any, other: str | None) -> str | None:
    """Return an event's device or person as one text, namespace first."""
    if isinstance(reference, dict):
        found = of_map(event["ids"], reference, other)
    else:
        value = event[reference]
        space = {"device": "DEV", "customer": "CUST"}[reference]
        found = (space, value) if identities.is_identity(value) else None
    return None if found is None else "\x1f".join(found)


law = settings(
    max_examples=int(os.environ.get("WAYLINE_LAW_EXAMPLES", "3")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SETTINGS = [
    (ECID, CRMID, False),
    (PRIMARY, "customer", False),
    ("device", PRIMARY, False),
    (PRIMARY, CRMID, True),
    (ECID, "customer", True),
]


@pytest.mark.parametrize(("device", "person", "last"), SETTINGS)
@law
@given(batches=BATCHES)
def test_maps_stitch_as_the_oracle_says(
    device: Any, person: Any, last: bool, batches: Any, tmp_path: Path
) -> None:
    more = {"shared_devices": "last"} if last else {}
    home = new_home(tmp_path, definitions(stitched(device, person, **more)))
    spaces = [
        {"device": "DEV", "customer": "CUST"}[each] if isinstance(each, str) else each.get("namespace")
        for each in (device, person)
    ]
    memory: dict[str, str] = {}
    every: list[dict[str, Any]] = []
    answers: dict[int, Any] = {}
    for batch in batches:
        events = [
            {
                "row": len(every) + place,
                "time": event["minute"],
                "device": expected_id(event, device, spaces[1]),
                "person": expected_id(event, person, spaces[0]),
            }
            for place, event in enumerate(batch)
        ]
        rows = [
            row(
                str(event["row"]),
                given["minute"],
                given["ids"],
                device=given["device"],
                customer=given["customer"],
            )
            for event, given in zip(events, batch, strict=True)
        ]
        ingest_rows(home, "web", rows)
        found, memory = stitching.live(events, memory)
        answers |= found
        every += events
    assert told(home) == as_told(answers)
    replay(home)
    after = as_told(stitching.replay(every, {}, last=last))
    assert told(home) == after
    flow.rebuild(home, "shop")
    assert told(home) == after
    revert(home, "web", len(batches))
    replay(home)
    left = every[: len(every) - len(batches[-1])]
    assert told(home) == as_told(stitching.replay(left, {}, last=last))


def as_told(answers: dict[int, Any]) -> dict[str, tuple[str, ...]]:
    return {str(row): tuple(text.split("\x1f", 1)) for row, (text, _) in answers.items() if text is not None}

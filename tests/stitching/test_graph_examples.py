"""The identity graph on the documented examples: admission, resolution, eviction."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest

from stitching.graph import Rules, links_of, lookup, resolve

TYPES = {
    "CRMID": "cross_device",
    "Email": "email",
    "loginID": "cross_device",
    "Phone": "phone",
    "IDFA": "device",
    "GAID": "device",
    "ECID": "cookie",
}
PRIORITY = ("CRMID", "Email", "loginID", "Phone", "IDFA", "GAID", "ECID")


def rules(*unique, limit=50):
    return Rules(PRIORITY, frozenset(unique), TYPES, limit)


def records_of(*records):
    """Records, one µs apart, of identities as `NAMESPACE:VALUE`; a pair says its time first."""
    rows = []
    for place, record in enumerate(records):
        time, told = record if isinstance(record, tuple) else (place, record)
        rows += [(place, time, *identity.split(":")) for identity in told.split()]
    return pl.DataFrame(rows, schema=["record", "time", "namespace", "value"], orient="row").cast(
        {"record": pl.Int64, "time": pl.Int64, "namespace": pl.String, "value": pl.String}
    )


def resolved(records, settings):
    return resolve(links_of(records, settings), settings)


def graphs(found):
    """All graphs, each as the set of its identities."""
    inside = found.nodes.filter(pl.col("graph").is_not_null())
    grouped = inside.group_by("graph").agg(pl.format("{}:{}", "namespace", "value"))
    return {frozenset(members) for members in grouped["namespace"]}


def expected(*told):
    return {frozenset(graph.split()) for graph in told}


def cut(found):
    links = found.links.filter(pl.col("state") == "cut")
    return {f"{row[0]}:{row[1]} {row[2]}:{row[3]}" for row in links.iter_rows()}


def test_ex_id_1_a_record_joins_a_graph():
    records = records_of(
        "CRMID:60013ABC Email:julien@acme.com Phone:555-555-1234", "CRMID:60013ABC ECID:100066526"
    )
    assert graphs(resolved(records, rules("CRMID"))) == expected(
        "CRMID:60013ABC Email:julien@acme.com Phone:555-555-1234 ECID:100066526"
    )


def test_ex_id_2_single_identities_make_no_links():
    records = records_of(
        "CRMID:60013ABC Email:julien@acme.com",
        "CRMID:31260XYZ Email:evan@acme.com Phone:777-777-6890",
        "ECID:38652",
        "ECID:38652 CRMID:31260XYZ",
        "ECID:44675",
        "ECID:44675 CRMID:31260XYZ",
    )
    first_three = records.filter(pl.col("record") < 3)
    assert "38652" not in resolved(first_three, rules("CRMID")).nodes["value"]
    assert graphs(resolved(records, rules("CRMID"))) == expected(
        "CRMID:60013ABC Email:julien@acme.com",
        "CRMID:31260XYZ Email:evan@acme.com Phone:777-777-6890 ECID:38652 ECID:44675",
    )


def test_ex_lr_0_two_of_a_unique_namespace_in_a_record_link_nothing():
    assert links_of(records_of("CRMID:Alice CRMID:Bob ECID:1"), rules("CRMID")).is_empty()
    assert links_of(records_of("CRMID:Alice CRMID:Bob ECID:1"), rules()).height == 2


@pytest.mark.parametrize(
    ("record", "primary"),
    [
        ("ECID:e", None),
        ("ECID:e IDFA:i", "IDFA"),
        ("CRMID:c ECID:e", "CRMID"),
        ("CRMID:c ECID:e AAID:a", "CRMID"),
        ("CRMID:c GAID:g ECID:e", "CRMID"),
    ],
)
def test_ex_lr_p_a_record_is_a_star_from_its_highest_priority(record, primary):
    settings = Rules(("CRMID", "IDFA", "GAID", "ECID", "AAID"), frozenset({"CRMID"}), TYPES)
    links = links_of(records_of(record), settings)
    assert links["namespace_a"].unique().to_list() == ([] if primary is None else [primary])
    assert links.height == len(record.split()) - 1


LR = {
    "ex_lr_1_shared_device": (
        ["CRMID:Tom ECID:111", "CRMID:Summer ECID:111"],
        ["CRMID"],
        ["CRMID:Summer ECID:111"],
        ["CRMID:Tom ECID:111"],
    ),
    "ex_lr_2_shared_device_with_hashed_emails": (
        ["CRMID:Tom Email:tom#", "CRMID:Tom ECID:111", "CRMID:Summer Email:summer#", "CRMID:Summer ECID:111"],
        ["CRMID", "Email"],
        ["CRMID:Summer Email:summer# ECID:111", "CRMID:Tom Email:tom#"],
        ["CRMID:Tom ECID:111"],
    ),
    "ex_lr_3_bad_email": (
        [
            "CRMID:Jane Email:test@test.com",
            "CRMID:Jane ECID:1",
            "CRMID:John Email:test@test.com",
            "CRMID:John ECID:2",
        ],
        ["CRMID", "Email"],
        ["CRMID:John Email:test@test.com ECID:2", "CRMID:Jane ECID:1"],
        ["CRMID:Jane Email:test@test.com"],
    ),
    "ex_lr_4_email_that_is_not_unique": (
        [
            "CRMID:Tom Email:aabbcc",
            "CRMID:Tom ECID:111",
            "CRMID:Summer Email:aabbcc",
            "CRMID:Summer ECID:222",
        ],
        ["CRMID"],
        ["CRMID:Summer Email:aabbcc ECID:222", "CRMID:Tom ECID:111"],
        ["CRMID:Tom Email:aabbcc"],
    ),
    "ex_lr_4_phone_that_is_not_unique": (
        ["CRMID:Tom Phone:123", "CRMID:Tom ECID:111", "CRMID:Summer Phone:123", "CRMID:Summer ECID:222"],
        ["CRMID"],
        ["CRMID:Summer Phone:123 ECID:222", "CRMID:Tom ECID:111"],
        ["CRMID:Tom Phone:123"],
    ),
    "ex_lr_5_shared_idfa": (
        ["CRMID:Tom IDFA:b ECID:444", "CRMID:Summer IDFA:b ECID:444"],
        ["CRMID"],
        ["CRMID:Summer IDFA:b ECID:444"],
        ["CRMID:Tom IDFA:b", "CRMID:Tom ECID:444"],
    ),
    "ex_lr_6_shared_idfa_and_a_reset_ecid": (
        ["CRMID:Tom IDFA:b ECID:444", "CRMID:Summer IDFA:b ECID:555"],
        ["CRMID"],
        ["CRMID:Summer IDFA:b ECID:555", "CRMID:Tom ECID:444"],
        ["CRMID:Tom IDFA:b"],
    ),
    "ex_lr_7a_several_login_ids": (
        [
            "CRMID:Tom loginID:ID_A",
            "CRMID:Tom loginID:ID_B",
            "CRMID:Summer loginID:ID_C",
            "CRMID:Summer loginID:ID_D",
            "loginID:ID_A ECID:111",
            "loginID:ID_C ECID:111",
        ],
        ["CRMID"],
        ["CRMID:Tom loginID:ID_A loginID:ID_B", "CRMID:Summer loginID:ID_C loginID:ID_D ECID:111"],
        ["loginID:ID_A ECID:111"],
    ),
    "ex_lr_7b_a_login_that_moved": (
        [
            "CRMID:Tom loginID:ID_A",
            "CRMID:Tom loginID:ID_B",
            "CRMID:Summer loginID:ID_C",
            "CRMID:Summer loginID:ID_D",
            "CRMID:Tom loginID:ID_D",
        ],
        ["CRMID"],
        ["CRMID:Tom loginID:ID_A loginID:ID_B loginID:ID_D", "CRMID:Summer loginID:ID_C"],
        ["CRMID:Summer loginID:ID_D"],
    ),
    "ex_lr_7c_a_dangling_login": (
        ["CRMID:Tom loginID:ID_A", "loginID:ID_A ECID:111", "loginID:ID_C ECID:111"],
        ["CRMID"],
        ["CRMID:Tom loginID:ID_A loginID:ID_C ECID:111"],
        [],
    ),
    "ex_lr_8_registered_and_guest_on_one_device": (
        ["CRMID:Tom Email:tom@", "CRMID:Tom ECID:111", "Email:summer@ ECID:111"],
        ["CRMID", "Email"],
        ["Email:summer@ ECID:111", "CRMID:Tom Email:tom@"],
        ["CRMID:Tom ECID:111"],
    ),
    "ex_lr_9_a_customer_without_email_and_a_guest": (
        ["CRMID:Tom ECID:111", "Email:summer@ ECID:111"],
        ["CRMID", "Email"],
        ["CRMID:Tom Email:summer@ ECID:111"],
        [],
    ),
    "ex_lr_10_two_guests": (
        ["Email:tom@ ECID:111", "Email:summer@ ECID:111"],
        ["CRMID", "Email"],
        ["Email:summer@ ECID:111"],
        ["Email:tom@ ECID:111"],
    ),
    "ex_lr_11_a_guest_registers": (
        ["Email:tom@ ECID:111", "CRMID:Tom Email:tom@", "CRMID:Tom ECID:111"],
        ["CRMID", "Email"],
        ["CRMID:Tom Email:tom@ ECID:111"],
        [],
    ),
}


@pytest.mark.parametrize(("records", "unique", "left", "lost"), LR.values(), ids=LR)
def test_linking_rules(records, unique, left, lost):
    found = resolved(records_of(*records), rules(*unique))
    assert graphs(found) == expected(*left)
    assert cut(found) == set(lost)


def test_ex_lr_12_a_device_changes_hands():
    records = records_of("CRMID:Kevin ECID:111", "ECID:111", "CRMID:Nora ECID:111", "ECID:111")
    device = pl.DataFrame({"namespace": ["ECID"], "value": ["111"]})
    owners = [
        lookup(resolved(records.filter(pl.col("record") <= last), rules("CRMID")).nodes, device, "CRMID")[0]
        for last in range(4)
    ]
    assert owners == ["Kevin", "Kevin", "Nora", "Nora"]


def test_a_device_seen_again_returns_to_its_older_person():
    records = records_of("CRMID:Tom GAID:g ECID:1", "CRMID:Ann GAID:g ECID:1", "CRMID:Tom GAID:g ECID:1")
    assert graphs(resolved(records, rules("CRMID"))) == expected("CRMID:Tom GAID:g ECID:1")


def test_a_cut_link_says_whom_it_would_have_put_together():
    found = resolved(records_of("CRMID:Tom ECID:111", "CRMID:Summer ECID:111"), rules("CRMID"))
    row = found.links.row(by_predicate=pl.col("state") == "cut", named=True)
    assert (row["because"], row["because_a"], row["because_b"]) == ("CRMID", "Tom", "Summer")


def crowd(*more):
    """CRMID c with an e-mail and 48 ECIDs seen at 1 … 48, and what else is told."""
    return records_of((0, "CRMID:c Email:e"), *((t, f"CRMID:c ECID:{t}") for t in range(1, 49)), *more)


@pytest.mark.parametrize("more", ["CRMID:c ECID:60", "CRMID:c Email:new"])
def test_ex_own_ev_the_longest_unseen_cookie_leaves(more):
    full = resolved(crowd(), rules("CRMID"))
    assert [len(graph) for graph in graphs(full)] == [50]
    assert not full.links["state"].is_in(["cut", "evicted"]).any()
    over = resolved(crowd((60, more)), rules("CRMID"))
    (graph,) = graphs(over)
    assert graph == (next(iter(graphs(full))) | set(more.split())) - {"ECID:1"}
    assert over.links.filter(pl.col("state") == "evicted")["value_b"].to_list() == ["1"]


def test_types_leave_in_their_order():
    told = "CRMID:c Email:e Phone:p IDFA:i ECID:k"
    left = [graphs(resolved(records_of(told), rules(limit=size))).pop() for size in range(5, 1, -1)]
    assert [more - fewer for more, fewer in pairwise(left)] == [{"ECID:k"}, {"IDFA:i"}, {"Phone:p"}]

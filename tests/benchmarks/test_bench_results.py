"""Benchmarks turn runs into ratios in the sense of their targets, and notice when answers differ."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import permutations
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks.answers import Answer, checksum, checksums
from benchmarks.pairs import Measured, Pair, Sense, Unit, chosen, compared, measured, results
from benchmarks.table import print_table

PAIRS = {
    "P1": Pair("cost", "ours", ("floor",), 2.0, Sense.COST, ""),
    "P2": Pair("gain", "ours", ("slow", "fast"), 15.0, Sense.GAIN, "channel"),
}
SUMS = {"": "t", "channel": "c"}


def _turn(name: str, seconds: list[float], sums: dict[str, str] = SUMS) -> dict[str, Any]:
    return {"extra_info": {"measurement": name, "checksums": sums}, "stats": {"data": seconds}}


def test_runs_of_all_turns_make_one_median() -> None:
    taken = measured({"benchmarks": [_turn("ours", [1.0, 2.0]), _turn("ours", [9.0])]})
    assert taken == {"ours": Measured((1.0, 2.0, 9.0), SUMS)}
    assert taken["ours"].median == 2.0


def test_what_is_no_time_is_measured_by_its_values() -> None:
    turns = [_turn("ours", [1.0]), _turn("ours", [2.0])]
    for turn, size in zip(turns, (300.0, 500.0), strict=True):
        turn["extra_info"]["values"] = [size]
    taken = measured({"benchmarks": [*turns, _turn("floor", [1.0])]})
    assert (taken["ours"].values, taken["floor"].values) == ((300.0, 500.0), (1.0,))


def test_answers_that_change_between_turns_are_refused() -> None:
    with pytest.raises(ValueError, match="ours gave different answers"):
        measured({"benchmarks": [_turn("ours", [1.0]), _turn("ours", [1.0], {"": "x", "channel": "c"})]})


def test_ratios_have_the_sense_of_their_target_and_the_fastest_peer_counts() -> None:
    taken = {
        name: Measured((seconds,), SUMS)
        for name, seconds in {"ours": 2.0, "floor": 1.25, "slow": 80.0, "fast": 40.0}.items()
    }
    found = results(PAIRS, taken)
    assert (found["P1"].ratio, found["P1"].met) == (1.6, True)
    assert (found["P2"].ratio, found["P2"].met, found["P2"].peer) == (20.0, True, "fast")
    assert set(found["P1"].document()) == {
        "ratio",
        "target",
        "ours_s",
        "peer_s",
        "unit",
        "peer",
        "ours_checksum",
        "peer_checksum",
    }


def test_missed_targets_and_other_answers_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    taken = {
        "ours": Measured((2.0,), SUMS),
        "floor": Measured((0.5,), SUMS),
        "slow": Measured((9.0,), {"channel": "other"}),
        "fast": Measured((4.0,), {"channel": "other"}),
    }
    found = results(PAIRS, taken)
    assert not found["P1"].met
    assert found["P1"].agrees
    assert not found["P2"].agrees
    assert command._complain("report", found) == 1
    assert "P2: fast gave another answer" in capsys.readouterr().err
    assert command._complain("report", {"P1": found["P1"]}) == 0


def test_the_table_shows_each_pair_in_its_unit(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = {**PAIRS, "P12": Pair("size", "ours", ("floor",), 3.0, Sense.COST, "", Unit.BYTES)}
    sizes = {"ours": 0.5, "floor": 3_000_000.0, "slow": 2.0, "fast": 4.0}
    found = results(pairs, {name: Measured((size,), SUMS) for name, size in sizes.items()})
    print_table("report", 10, {"P2": found["P2"], "P12": found["P12"]})
    text = capsys.readouterr().out
    assert "500.0 ms" in text
    assert "3.0 MB" in text


def test_targets_are_chosen_by_the_beginning_of_their_ids() -> None:
    pairs = dict.fromkeys(("P1", "P1.runs", "P12", "P3.linear", "P3.linear.day"), PAIRS["P1"])
    assert list(chosen(pairs, ())) == list(pairs)
    assert list(chosen(pairs, ("P1", "P3.linear.day"))) == ["P1", "P1.runs", "P3.linear.day"]


def test_different_questions_are_not_compared() -> None:
    pairs = {"P4": Pair("skew", "ours", ("floor",), 1.5, Sense.COST, None)}
    taken = {name: Measured((1.0,), {}) for name in ("ours", "floor")}
    assert compared(pairs, "ours") == set()
    assert results(pairs, taken)["P4"].agrees


def test_only_what_is_compared_is_summed_up() -> None:
    assert compared(PAIRS, "ours") == {"", "channel"}
    assert compared(PAIRS, "floor") == {""}


ROWS = [("email", "mon", 1.10, 2), ("email", "tue", 0.20, None), (None, "mon", 5, 1)]


def test_checksums_ignore_order_number_types_and_empty_items() -> None:
    keys = ("channel", "day")
    wanted = checksum(Answer(keys, ROWS), keys)
    for rows in permutations([*ROWS, ("sms", "mon", None, 0)]):
        assert checksum(Answer(keys, rows), keys) == wanted
    rounded = [(channel, day, float(one) + 1e-9, two) for channel, day, one, two in ROWS]
    assert checksum(Answer(keys, rounded), keys) == wanted
    assert checksum(Answer(keys, ROWS[:2]), keys) != wanted


@pytest.mark.parametrize("number", [0.005, 1 / 3, 12.345, 999.995, 1e3, 1e8 / 7, 123_456_789.5, -2.5, 1e-12])
def test_checksums_do_not_see_errors_of_addition(number: float) -> None:
    found = {checksum(Answer((), [(number * (1 + error),)]), ()) for error in (-1e-12, 0.0, 1e-12)}
    assert len(found) == 1


def test_checksums_see_a_difference_in_the_eighth_digit() -> None:
    assert checksum(Answer((), [(1234.5678,)]), ()) != checksum(Answer((), [(1234.5681,)]), ())
    assert checksum(Answer((), [(2.5,)]), ()) != checksum(Answer((), [(-2.5,)]), ())


def test_checksums_of_totals_do_not_depend_on_the_split() -> None:
    detailed = Answer(("channel", "day"), ROWS)
    by_day = Answer(("day",), [("mon", 6.10, 3), ("tue", 0.20, 0)])
    assert checksums(detailed, ["", "day"]) == checksums(by_day, ["", "day"])
    assert checksum(detailed, ["channel"]) != checksum(by_day, ["day"])


def test_the_document_has_the_promised_keys() -> None:
    found = results(PAIRS, {name: Measured((1.0,), SUMS) for name in ("ours", "floor", "slow", "fast")})
    document = json.loads(json.dumps(command.document("report", 10, found)))
    assert list(document) == ["benchmark", "events", "machine", "results"]
    assert list(document["results"]) == ["P1", "P2"]
    assert document["machine"]["cores"] >= 1


def test_every_benchmark_is_known() -> None:
    assert command.known() == ["append", "graph", "replay", "report", "wire"]


def test_an_unknown_benchmark_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "rapport"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "there is no benchmark 'rapport'; there are: append, graph, replay, report" in done.stderr

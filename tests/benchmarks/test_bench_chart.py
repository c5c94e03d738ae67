"""The chart of the report's time is a picture of its numbers, and all its lines answer the same question."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import chart
from benchmarks import kept as keeping
from benchmarks.drawing import Line, chart_svg

LINES = [
    Line("ours <fast>", {1_000_000: 0.004, 20_000_000: 0.06}),
    Line("theirs & slow", {1_000_000: 0.2, 20_000_000: 4.2}),
    Line("as slow", {1_000_000: 0.2, 20_000_000: 4.1}),
]
SVG = "{http://www.w3.org/2000/svg}"


def _drawn() -> ElementTree.Element:
    return ElementTree.fromstring(chart_svg("Time & events", LINES))


def test_every_line_has_its_dots_and_its_name_with_the_last_number() -> None:
    root = _drawn()
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"Time & events", "ours <fast>: 60 ms", "theirs & slow: 4.2 s", "1 M", "20 M"} <= set(texts)
    assert {"1 ms", "10 ms", "100 ms", "1 s", "10 s"} <= set(texts)
    assert len(list(root.iter(f"{SVG}circle"))) == 6


def test_more_events_lie_further_right_and_more_seconds_higher_up() -> None:
    dots = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in _drawn().iter(f"{SVG}circle")]
    (few, quick), (many, slower), (_, slow), *_ = dots
    assert few < many
    assert quick > slower > slow or quick > slow
    assert dots[2] == dots[4]


def test_names_do_not_cover_each_other() -> None:
    heights = [float(text.attrib["y"]) for text in _drawn().iter(f"{SVG}text") if ":" in (text.text or "")]
    assert len(heights) == 3
    assert min(abs(one - other) for one in heights for other in heights if one != other) >= 18


def test_one_size_makes_a_chart_too() -> None:
    root = ElementTree.fromstring(chart_svg("", [Line("alone", {2_000_000: 0.01})]))
    assert len(list(root.iter(f"{SVG}circle"))) == 1


def test_the_command_measures_draws_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_KEPT", tmp_path / "kept")
    monkeypatch.setattr(chart, "confine", lambda: None)
    assert chart.main(["--millions", "0.002", "--runs", "1", "--folder", str(tmp_path)]) == 0
    numbers = json.loads((tmp_path / "report-time.json").read_text(encoding="utf-8"))["seconds"]
    assert {name: list(points) for name, points in numbers.items()} == {
        name: ["2000"] for name in chart.LINES
    }
    ElementTree.parse(tmp_path / "report-time.svg")


def test_answers_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_KEPT", tmp_path / "kept")
    monkeypatch.setattr(chart, "LINES", {"one": lambda _: [("email", 1)], "two": lambda _: [("email", 2)]})
    with pytest.raises(ValueError, match="answers differ at 2000 events"):
        chart.measured_at(2_000, 1, 1)

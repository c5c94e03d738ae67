"""``wayline batch`` and ``wayline ingest --replace``: what they print, what SQL answers after them."""

from __future__ import annotations

import pytest

from engine import flow
from engine.definitions import project
from engine.world import Home
from tests.laws.shop_homes import asker
from tests.wayline.test_cli import HEADER, LATER, QUESTION, root, wayline

__all__ = ["root", "wayline"]

SHOPS = """\
datasets:
  ds1:
    timestamp: at
    fields: {at: timestamp, example_id: string, colour: string, animal: string, metric_a: double}
  ds2:
    timestamp: at
    fields: {at: timestamp, different_id: string, colour: string, shape: string, metric_b: double}
  shapes:
    kind: lookup
    key: shape
    fields: {shape: string, corners: integer}
connections:
  both:
    datasets:
      ds1: {person_id: example_id}
      ds2: {person_id: different_id}
data_views:
  both:
    connection: both
    dimensions: {colour: colour, shape: shape}
    metrics:
      metric_a:
        field: metric_a
        attribution: {model: last, container: person}
      metric_b: metric_b
"""
DS1 = """\
at,example_id,colour,animal,metric_a
2024-01-01 07:02:00,user_310,Red,Fox,
2024-01-01 07:04:00,user_310,,,2
2024-01-01 07:08:00,user_310,Blue,,3
2024-01-02 12:31:00,user_847,,Turtle,4
2024-01-02 12:44:00,user_847,,,2
"""
DS2 = """\
at,different_id,colour,shape,metric_b
2024-01-02 12:26:00,user_847,Yellow,Circle,8.5
2024-01-02 13:01:00,user_847,Red,,
2024-01-02 20:58:00,alternateid_656,Red,Square,4.2
2024-01-02 21:03:00,alternateid_656,,Triangle,3.1
"""
BY_COLOUR = "SELECT colour, SUM(metric_a) AS a FROM both GROUP BY 1 HAVING SUM(metric_a) > 0"
CORNERS = "SELECT s.corners, SUM(b.metric_b) FROM both b JOIN shapes s ON b.shape = s.shape GROUP BY 1"


@pytest.fixture
def colours(tmp_path):
    """A home with the two datasets of EX-CON-1, the first of them filled."""
    (tmp_path / "shops.yaml").write_text(SHOPS)
    home = Home.create(tmp_path / "colours")
    flow.apply(home, project.load(tmp_path / "shops.yaml", home.current().definitions))
    take(home, tmp_path, "ds1", DS1)
    return home


def take(home, folder, dataset, text, **options):
    (folder / "batch.csv").write_text(text)
    return flow.ingest(home, dataset, [folder / "batch.csv"], **options)


def test_ex_con_1_a_batch_that_comes_late_and_goes_again(colours, tmp_path):
    from engine import batches

    ask = asker(colours)
    alone = {None: 6, "Blue": 3, "Red": 2}
    assert dict(ask(BY_COLOUR)) == alone
    take(colours, tmp_path, "ds2", DS2)
    assert dict(ask(BY_COLOUR)) == {"Yellow": 6, "Blue": 3, "Red": 2}
    assert ask("SELECT SUM(occurrences), SUM(visitors) FROM both") == [(9, 3)]
    batches.revert(colours, "ds2", 1)
    assert dict(ask(BY_COLOUR)) == alone
    assert ask("SELECT SUM(occurrences), SUM(visitors) FROM both") == [(5, 2)]


def test_ex_con_1_a_replaced_batch_gives_the_touch_to_another_colour(colours, tmp_path):
    ask = asker(colours)
    take(colours, tmp_path, "ds2", DS2)
    take(colours, tmp_path, "ds2", DS2.replace("Yellow", "Green"), replaces=[1])
    assert dict(ask(BY_COLOUR)) == {"Green": 6, "Blue": 3, "Red": 2}
    assert ask("SELECT SUM(metric_b) FROM both") == [(15.8,)]


def test_acceptance_12_a_lookup_batch_that_goes_changes_the_past(colours, tmp_path):
    from engine import batches

    ask = asker(colours)
    take(colours, tmp_path, "ds2", DS2)
    take(colours, tmp_path, "shapes", "shape,corners\nCircle,0\nSquare,4\n")
    take(colours, tmp_path, "shapes", "shape,corners\nTriangle,3\n")
    assert sorted(ask(CORNERS)) == [(0, 8.5), (3, 3.1), (4, 4.2)]
    batches.revert(colours, "shapes", 2)
    assert sorted(ask(CORNERS)) == [(0, 8.5), (4, 4.2)]
    take(colours, tmp_path, "shapes", "shape,corners\nCircle,1\n", replaces=[1])
    assert ask(CORNERS) == [(1, 8.5)]


@pytest.fixture
def two(root, tmp_path, wayline):
    """The home of the command line's tests with a second batch."""
    (tmp_path / "later.csv").write_text(LATER)
    assert wayline("ingest", "web", tmp_path / "later.csv", "--home", root).code == 0
    return root


def test_list_shows_every_batch(two, wayline):
    found = wayline("batch", "list", "web", "--home", two, "--json").json()
    assert [(one["batch"], one["status"], one["output"]) for one in found] == [
        (1, "success", 3),
        (2, "success", 1),
    ]
    table = wayline("batch", "list", "web", "--home", two).out
    assert "success" in table
    assert "replaced by" in table


def test_revert_takes_a_batch_out_of_the_answers(two, wayline):
    assert wayline("sql", QUESTION, "--home", two, "--json").json()[0]["revenue"] == 27.5
    gone = wayline("batch", "revert", "web", "2", "--home", two)
    assert gone.out.startswith("Batch 2 of web (1 records) is inactive.")
    answer = wayline("sql", QUESTION, "--home", two, "--json").json()
    assert answer == [{"people": 3, "events": 3, "revenue": 20.5}]
    again = wayline("batch", "revert", "web", "2", "--home", two)
    assert again.code == 1
    assert again.err.count("\n") == 1
    assert 'batch 2 of dataset "web" is inactive already' in again.err
    assert "wayline batch list web" in again.err


def test_delete_marks_the_files_for_the_next_vacuum(two, wayline):
    gone = wayline("batch", "delete", "web", "1", "--home", two, "--json").json()
    assert (gone["batch"], gone["status"], gone["purge"]) == (1, "inactive", True)
    assert "inactive, to be purged" in wayline("batch", "list", "web", "--home", two).out


def test_replace_swaps_batches(two, tmp_path, wayline):
    (tmp_path / "mended.csv").write_text(HEADER + "4,2024-03-01 12:00:00,d2,bob,,9\n")
    command = ("ingest", "web", tmp_path / "mended.csv", "--replace", "2", "--replace", "1", "--home", two)
    assert "It replaces 1, 2." in wayline(*command).out
    answer = wayline("sql", QUESTION, "--home", two, "--json").json()
    assert answer == [{"people": 1, "events": 1, "revenue": 9.0}]
    again = wayline(*command)
    assert again.code == 1
    assert "is inactive already (replaced by batch 3" in again.err


@pytest.mark.parametrize("command", ["list", "revert", "delete"])
def test_help_shows_an_example(wayline, command):
    shown = wayline("batch", command, "--help")
    assert shown.code == 0
    assert f"wayline batch {command} web" in shown.out


def test_an_unknown_batch_or_dataset_is_one_line(two, wayline):
    for command, text in [
        (("batch", "revert", "web", "7"), 'dataset "web" has no batch 7'),
        (("batch", "delete", "web", "7"), "It has batches 1 to 2."),
        (("batch", "list", "wab"), 'Did you mean "web"?'),
    ]:
        ended = wayline(*command, "--home", two)
        assert (ended.code, ended.err.count("\n")) == (1, 1)
        assert text in ended.err

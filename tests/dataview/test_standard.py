"""The standard components, and the page that lists them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.dataview.components import data_view
from engine.dataview.standard import STANDARDS, TIME_PARTS
from engine.definitions.model import Definitions
from engine.errors import DefinitionError

PAGE = Path(__file__).parents[2] / "docs" / "components.md"


def view(**components):
    definitions = {
        "datasets": {"web": {"timestamp": "ts", "fields": {"ts": "timestamp", "who": "string"}}},
        "connections": {"all": {"datasets": {"web": {"person_id": "who"}}}},
        "data_views": {"shop": {"connection": "all", **components}},
    }
    return data_view(Definitions.model_validate(definitions), "shop")


def test_the_page_lists_what_every_view_has_and_nothing_else():
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    listed = [name for row in rows for name in re.findall("`([^`]+)`", row)]
    assert sorted(listed) == sorted(view().components)


def test_every_declared_component_is_there_with_its_type():
    components = view().components
    for name, declared in (STANDARDS | TIME_PARTS).items():
        assert components[name].type == declared.type
        assert components[name].description


def test_standard_components_keep_their_names():
    with pytest.raises(DefinitionError, match="adobe_timespent"):
        view(metrics={"Adobe_TimeSpent": "occurrences"})

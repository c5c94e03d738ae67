"""PostgreSQL's settings that mean nothing here: tools that read them get PostgreSQL's defaults."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files


@cache
def known_settings() -> Mapping[str, str]:
    """Return the defaults as SHOW writes them, by name in lower case."""
    with (files(__package__) / "catalog" / "static" / "settings.csv").open(encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return {row["name"].lower(): "" if row["shown"] == r"\N" else row["shown"] for row in rows}

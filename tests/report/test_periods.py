"""Periods by arithmetic are those that SQL gives."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sqlglot import exp

from engine.cancellation import Cancellation
from engine.dataview.components import LOCAL_TIME, TIME_DIMENSIONS
from engine.report.columns import period_start
from engine.report.periods import period_numbers, period_starts
from engine.report.sql import Statements

YEAR = 366 * 86_400_000_000


@pytest.mark.parametrize("period", [*TIME_DIMENSIONS, "daterange"])
def test_periods_begin_where_sql_says(period):
    random = np.random.default_rng(1)
    local = np.concatenate([random.integers(-100 * YEAR, 100 * YEAR, 3_000), [0, -1, 1]])
    numbers = period_numbers(period, local)
    rows = pa.table({"timestamp": pa.array(local).cast(LOCAL_TIME)})
    select = exp.select(exp.alias_(period_start(period), "start")).from_("rows")
    expected = Statements(Cancellation(), {}).run(rows, select).column("start")
    assert period_starts(period, numbers).to_pylist() == expected.to_pylist()
    assert (np.diff(numbers[np.argsort(local)]) >= 0).all()

"""Where NULLs stand in an order: as the statement says, else as in PostgreSQL."""

import pytest


@pytest.mark.parametrize(
    ("order", "nulls_last"),
    [
        ("desc", False),
        ("asc", True),
        ("desc nulls last", True),
        ("desc nulls first", False),
        ("asc nulls first", False),
        ("asc nulls last", True),
    ],
)
@pytest.mark.parametrize("relation", ["web group by 1", "(select campaign from web limit 1000) q group by 1"])
def test_nulls_stand_where_the_statement_says(ask, relation, order, nulls_last):
    campaigns = [row[0] for row in ask(f"select campaign from {relation} order by 1 {order}")]
    assert len(campaigns) > 2
    assert campaigns.index(None) == (len(campaigns) - 1 if nulls_last else 0)
